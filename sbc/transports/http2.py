"""One HTTP/2 connection of a client: frames are budgeted, an engine reads them, each stream is an exchange of its own.

    OPEN ──retire, idle, worn──> NOTICED ──pong──> LEAVING ──last stream──> OVER ──last words──> GONE
      └───────────────── protocol broken, flood ──────────────────────────────┘
      └───────────────── silence, connection lost ─────────────────────────────────────────────────┘

How it is read and written: http2_inflow.py, http2_outflow.py.
"""

import asyncio
from enum import Enum
from typing import Any, cast

from sbc.model.errors import Refusal
from sbc.model.http import Fields, Request
from sbc.model.interfaces import Reception
from sbc.model.route import Hello
from sbc.transports.http2_doorstep import StreamDoorstep, hello_of
from sbc.transports.http2_inflow import Inflow
from sbc.transports.http2_outflow import Outflow
from sbc.transports.http2_stream import Http2Stream
from sbc.transports.http2_watch import Due, Times, Watch
from sbc.wire.http2.budget import Budget
from sbc.wire.http2.engine import H2Error, Role, Terms
from sbc.wire.http2.factory import make_engine
from sbc.wire.http2.inbound import Inbound, Stage
from sbc.wire.http2.refusal import answer_refusal
from sbc.wire.http2.request_fields import check_size, octets_of, read_request
from sbc.wire.link import HIGH_WATER_BYTES, LOW_WATER_BYTES

PREFACE_OCTETS = 24
LINGER = 1.0
"""How long a client may go on with a request that was answered already, in seconds."""
REFUSED_GLITCHES = 2
"""What a request counts that is refused for its form (budget.py)."""

TIMES = Times()


class State(Enum):
    OPEN = "open"
    NOTICED = "noticed"
    LEAVING = "leaving"
    OVER = "over"
    GONE = "gone"


class Http2Connection(asyncio.Protocol):
    """A connection, from its preface on. Implements EngineOwner, and for its streams Patron and Tunnels."""

    __slots__ = ("__weakref__", "_budget", "_client", "_inflow", "_limits", "_lingering", "_listener", "_loop",
                 "_reception", "_secure", "_state", "_streams", "_timer", "_times", "_transport", "_watch",
                 "_websocket", "engine", "outflow")

    def __init__(
        self, reception: Reception, listener: str, secure: bool, client: str, websocket: bool, engine: str,
        times: Times = TIMES,
    ) -> None:
        """client: its address. websocket: whether the listener serves it. engine: `auto`, `ngh2` or `h2`. The reception
        knows already that the client has arrived."""
        self._reception = reception
        self._listener = listener
        self._secure = secure
        self._client = client
        self._websocket = websocket
        self._times = times
        self._limits = reception.limits()
        self._loop = asyncio.get_running_loop()
        terms = Terms(header_octets=self._limits[0], extended_connect=websocket)
        self.engine = make_engine(engine, Role.SERVER, self, terms)
        now = self._loop.time()
        self._budget = Budget(PREFACE_OCTETS, self._limits[0], now)
        self._watch = Watch(times, now)
        self._state = State.OPEN
        self._streams: dict[int, Inbound] = {}
        self.outflow = Outflow(self, self.engine, self._budget, self._loop, self._streams)
        self._lingering: set[int] = set()
        self._inflow = Inflow(self, self.engine, self._budget, self._loop)
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle | None = None

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
        self._lingering.clear()
        streams = list(self._streams.values())
        self._streams.clear()
        for inbound in streams:
            inbound.closed()
        self._inflow.shut()

    def retire(self) -> None:
        """Take no more requests: those that were sent by now are served, then the connection is closed."""
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
        self._reception.abused(kind, self._client)
        self.engine.goaway(H2Error.ENHANCE_YOUR_CALM)
        self._give_up(State.OVER)
        self.outflow.flush()

    # Writing.

    def put(self, stream: int, data: bytes) -> None:
        self.outflow.put(stream, data)

    def touch(self) -> None:
        self.outflow.touch()

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

    # What the engine tells.

    def head(self, stream: int, fields: Fields, end: bool) -> None:
        octets = octets_of(fields)
        try:
            check_size(fields, octets, self._limits)
            request, expects = read_request(fields, end)
        except Refusal as refused:
            self._budget.glitch(REFUSED_GLITCHES)
            if not end:
                self.linger(stream)
            self.turn_away(stream, refused, Hello(self._client, "", "", (), self._secure, self._listener))
            return
        request.client, request.secure, request.listener = self._client, self._secure, self._listener
        if request.protocol is not None:
            self._greet(stream, request, octets)
            return
        inbound = Http2Stream(self, stream, request, expects)
        self._streams[stream] = inbound
        inbound.asker = self._reception.request(inbound, request, octets)

    def _greet(self, stream: int, request: Request, octets: int) -> None:
        """RFC 8441 section 5: a WebSocket."""
        if not self._websocket or request.protocol != b"websocket":
            self.linger(stream)
            self.turn_away(stream, Refusal(501, "protocol", "no such protocol is spoken here"), hello_of(request))
            return
        door = StreamDoorstep(self, stream, self._reception, request)
        self._streams[stream] = door
        door.enter(octets)

    def interim(self, stream: int, fields: Fields) -> None:
        """Not from a client."""

    def data(self, stream: int, data: bytes, end: bool) -> None:
        inbound = self._streams.get(stream)
        if inbound is not None:
            inbound.data(data, end)
        else:
            self.engine.consume(stream, len(data))

    def trailers(self, stream: int, fields: Fields) -> None:
        inbound = self._streams.get(stream)
        if inbound is not None:
            inbound.trailers(fields)

    def closed(self, stream: int, code: int, remote: bool) -> None:
        self._lingering.discard(stream)
        self.outflow.forget(stream)
        inbound = self._streams.pop(stream, None)
        if inbound is not None:
            if remote and inbound.stage is Stage.WAITING:
                self._budget.premature()
            elif not remote and code and inbound.stage is not Stage.OVER:
                self._budget.provoked()
            inbound.closed()
        elif code and not remote:
            self._budget.provoked()

    def slow(self, stream: int) -> None:
        self.outflow.slow(stream)

    def ready(self, stream: int) -> None:
        self.outflow.ready(stream)

    def settings(self) -> None:
        """Nothing hangs on them here."""

    def goaway(self, last: int, code: int) -> None:
        """The client takes no pushed streams any more: there are none."""

    def pong(self) -> None:
        self._leave()

    def ended(self, code: int, reason: str) -> None:
        if code != H2Error.NO_ERROR:
            self._reception.abused("h2_protocol", self._client)
        self._give_up(State.OVER)
        self.touch()

    # What the streams need.

    def linger(self, stream: int) -> None:
        self._lingering.add(stream)
        self._loop.call_later(LINGER, self._let_go, stream)

    def _let_go(self, stream: int) -> None:
        if stream in self._lingering:
            self.engine.reset(stream, H2Error.NO_ERROR)  # RFC 9113 section 8.1
            self.touch()

    def turn_away(self, stream: int, refused: Refusal, hello: Hello) -> None:
        self._reception.refused(refused, hello)
        self._streams.pop(stream, None)
        answer_refusal(self.engine, stream, refused)
        self.touch()

    def hand_over(self, stream: int, inbound: Inbound) -> None:
        self._streams[stream] = inbound

    # The clock.

    def _look(self) -> None:
        now, choked = self._loop.time(), self.outflow.choked
        self._timer = self._loop.call_later(self._times.look, self._look)
        taken = self.outflow.written - self._transport.get_write_buffer_size()
        due = self._watch.look(now, len(self._streams))
        if due is Due.DROP or self._watch.stuck(now, taken, choked) or self._late(now):
            self._transport.abort()
            return
        if not choked:
            for stream in self._watch.stalled(now, self._streams, self.engine):
                self._reception.abused("h2_stalled_stream", self._client)
                self.engine.reset(stream, H2Error.CANCEL)
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
