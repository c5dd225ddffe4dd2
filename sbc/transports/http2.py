"""One HTTP/2 connection of a client: frames are budgeted, an engine reads them, each stream is an exchange of its own.

    OPEN ──retire, idle, worn──> NOTICED ──pong──> LEAVING ──last stream──> OVER ──last words──> GONE
      └───────────────── protocol broken, flood ──────────────────────────────┘
      └───────────────── silence, connection lost ─────────────────────────────────────────────────┘

How it is read and written: http2_inflow.py, http2_outflow.py.
"""

import asyncio
from enum import Enum
from typing import Any, cast

from sbc.model.interfaces import Reception
from sbc.model.marking import Mark
from sbc.transports.http2_inflow import Inflow
from sbc.transports.http2_outflow import Http2Outflow
from sbc.transports.stream_door import StreamDoor
from sbc.transports.watch import Due, Times, Watch
from sbc.wire.http2.budget import Budget
from sbc.wire.http2.engine import Engine, H2Error, Role, Terms
from sbc.wire.http2.factory import make_engine
from sbc.wire.link import HIGH_WATER_BYTES, LOW_WATER_BYTES
from sbc.wire.marking import marked

PREFACE_OCTETS = 24

TIMES = Times()


class State(Enum):
    OPEN = "open"
    NOTICED = "noticed"
    LEAVING = "leaving"
    OVER = "over"
    GONE = "gone"


class Http2Connection(StreamDoor, asyncio.Protocol):
    """A connection, from its preface on. Implements EngineOwner, and for its streams Patron and Tunnels."""

    __slots__ = ("__weakref__", "_inflow", "_mark", "_state", "_timer", "_times", "_transport")

    VERSION = "2"
    engine: Engine
    outflow: Http2Outflow
    _budget: Budget

    def __init__(
        self, reception: Reception, listener: str, secure: bool, client: str, websocket: bool, engine: str,
        times: Times = TIMES,
    ) -> None:
        """client: its address. websocket: whether the listener serves it. engine: `auto`, `ngh2` or `h2`. The reception
        knows already that the client has arrived."""
        super().__init__(reception, listener, secure, client, websocket)
        self._times = times
        self.engine = make_engine(engine, Role.SERVER, self, self._terms())
        now = self._loop.time()
        self._budget = Budget(PREFACE_OCTETS, self._limits[0], now)
        self._watch = Watch(times, now)
        self._state = State.OPEN
        self.outflow = Http2Outflow(self, self.engine, self._budget, self._loop, self._streams)
        self._inflow = Inflow(self, self.engine, self._budget, self._loop)
        self._transport: asyncio.Transport
        self._mark: Mark | None = None
        self._timer: asyncio.TimerHandle | None = None

    def _terms(self) -> Terms:
        """What the client may do."""
        return Terms(header_octets=self._limits[0], extended_connect=self._websocket)

    # The connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only
        self._transport.set_write_buffer_limits(HIGH_WATER_BYTES, LOW_WATER_BYTES)
        self._timer = self._loop.call_later(self._times.look, self._look)
        self._inflow.begin(self._transport)
        self.outflow.begin(self._transport)

    def data_received(self, data: bytes) -> None:
        self._watch.heard = True
        self._inflow.take(data)

    def worked(self) -> None:
        budget = self._budget
        if budget.fault:
            self._punish(budget.fault)
            return
        if budget.worn:
            self.retire()
        self.outflow.flush()

    def eof_received(self) -> bool:
        # Who has closed may still read, but nearly always does not; an agent's work is too dear to find out late.
        self._give_up(State.GONE)
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._give_up(State.GONE)
        self._reception.departed()

    def _give_up(self, state: State) -> None:
        """Nothing more comes of what is under way here."""
        if self._state is not State.GONE:
            self._state = state
        self.outflow.ending, self.outflow.shut = state is State.OVER, self._state is State.GONE
        self._drop_streams()
        self._inflow.shut()

    def retire(self, *, lingering: bool = False) -> None:
        """Take no more requests: those that were sent by now are served, then the connection is closed; no client is
        surprised by that, so there is nothing to linger for."""
        if self._state is State.OPEN:
            self._state = State.NOTICED
            # RFC 9113 section 6.8: wait a round trip. The ping goes first: h2 takes no frame behind a GOAWAY.
            self.engine.ping()
            self.engine.notice()
            self.touch()

    def _leave(self) -> None:
        if self._state is State.NOTICED:
            self._state = State.LEAVING
            self.engine.goaway(H2Error.NO_ERROR)
            self.touch()

    def _punish(self, kind: str) -> None:
        """End a connection whose client breaks a limit that no honest one comes near."""
        self._reception.abused(kind, self._client, self._listener)
        self.engine.goaway(H2Error.ENHANCE_YOUR_CALM)
        self._give_up(State.OVER)
        self.outflow.flush()

    # Writing.

    def mark(self, mark: Mark) -> None:
        if mark is not self._mark:
            self._mark = marked(self._transport, mark, self._mark)

    def extra(self, name: str, default: Any) -> Any:
        return self._transport.get_extra_info(name, default)

    def part(self) -> None:
        """Everything was said. Closing at once would answer unread bytes with a reset, which overtakes it."""
        self._state = State.GONE
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(self._times.parting, self._transport.abort)
        self._transport.pause_reading()
        self._transport.write_eof()

    def pause_writing(self) -> None:
        self.outflow.choke()

    def resume_writing(self) -> None:
        self.outflow.go_on()

    # What the engine tells of the connection.

    def pong(self) -> None:
        self._leave()

    def ended(self, code: int, reason: str) -> None:
        if code != H2Error.NO_ERROR and self._state not in (State.OVER, State.GONE):
            self._reception.abused("h2_protocol", self._client, self._listener)
        self._give_up(State.OVER)
        self.touch()

    # The clock.

    def _look(self) -> None:
        now, choked = self._loop.time(), self.outflow.choked
        self._timer = self._loop.call_later(self._times.look, self._look)
        taken = self.outflow.written - self._transport.get_write_buffer_size()
        due = self._watch.look(now, len(self._streams), self._budget.streams)
        stuck, late = self._watch.stuck(now, taken, choked), self._late(now)
        if due is Due.DROP or stuck or late:
            if stuck or late:
                self._reception.abused("h2_stalled" if stuck else "h2_head_timeout", self._client, self._listener)
            self._transport.abort()
            return
        if not choked:
            for stream in self._watch.stalled(now, self._streams, self.engine):
                self._reception.abused("h2_stalled_stream", self._client, self._listener)
                self.engine.reset(stream, H2Error.CANCEL)
        self.urge(now)
        if self._state is State.NOTICED:
            self._leave()
        elif due is Due.LEAVE:
            self.retire()
        elif due is Due.PING:
            self.engine.ping()
        self.touch()

    def _late(self, now: float) -> bool:
        """Whether the first SETTINGS, or the rest of a head, is not here in time."""
        since = self._budget.begun_since
        return since > 0 and now - since >= self._limits[2]
