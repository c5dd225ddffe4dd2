"""One HTTP/3 connection of a client: an engine reads its datagrams, each stream is an exchange of its own.

    SHAKING ──handshake──> OPEN ──retire, idle, worn──> NOTICED ──pong──> LEAVING ──last stream──> OVER ──> GONE
       │                      └── protocol broken, flood, silence, closed by the client ─────────────┘       │
       └── too late ─────────────────────────────────────────────────────────────────────────────────────────┘

What is over stays known to its door for a moment: what is still under way to it gets the engine's last word again (RFC
9000 section 10.2). The client is whom the handshake was made with, wherever it goes: its sessions are its own there.
"""

import asyncio
import time
from math import inf
from typing import Any

from sbc.model.errors import Refusal
from sbc.model.http import Fields
from sbc.model.interfaces import Reception
from sbc.transports.quic.budget import Http3Budget
from sbc.transports.quic.keeper import Doorkeeper, Manners, State
from sbc.transports.quic.outflow import DatagramOutflow
from sbc.transports.quic.session_door import SessionDoor
from sbc.transports.quic.udp import Local
from sbc.transports.watch import Due, Watch
from sbc.wire.http2.engine import H2Error
from sbc.wire.http3.credentials import Credentials
from sbc.wire.http3.engine import Address, Beginning, QuicEngine, QuicTerms
from sbc.wire.http3.factory import make_engine


class Http3Connection(SessionDoor):
    """A connection, from its first datagram on. Implements QuicOwner, and for its streams Patron and Tunnels."""

    __slots__ = ("_armed", "_keeper", "_local", "_look_at", "_manners", "_moves", "_state", "_timer", "_told", "ids",
                 "source", "touched")

    VERSION = "3"
    engine: QuicEngine
    outflow: DatagramOutflow
    _budget: Http3Budget

    def __init__(
        self, keeper: "Doorkeeper[Http3Connection]", reception: Reception, source: Address, local: Local,
        manners: Manners, credentials: Credentials, beginning: Beginning, now: float,
    ) -> None:
        """source, local: where the first datagram came from, and where to. The reception has heard of the client."""
        super().__init__(reception, manners.listener, True, str(source[0]).partition("%")[0], manners.websocket)
        self._keeper = keeper
        self._manners = manners
        self.source = source
        """Where the client was when it came."""
        self._local = local
        self.ids: set[bytes] = set()
        """The ids that lead here, kept by the door."""
        self.touched = False
        """Whether anything came in this turn of the loop; for the door."""
        terms = QuicTerms(header_octets=self._limits[0], websocket=manners.websocket, webtransport=manners.websocket,
                          idle=manners.times.idle)
        self.engine = make_engine(manners.engine, self, terms, credentials, beginning)
        self._budget = Http3Budget(now)
        self.outflow = DatagramOutflow(self, self.engine, self._budget, self._loop, self._streams, keeper.beat)
        self._watch = Watch(manners.times, now)
        self._state = State.SHAKING
        self._told = False
        """Whether the datagram that is read led to anything."""
        self._moves = 0
        self._timer: asyncio.TimerHandle | None = None
        self._armed = inf
        self._look_at = now + manners.handshake

    @property
    def shaking(self) -> bool:
        """Whether its handshake is not done yet."""
        return self._state is State.SHAKING

    # Reading.

    def received(self, datagram: bytes, source: Address, local: Local, now: float) -> None:
        """A datagram; `worked` follows in the same turn of the loop."""
        if self._budget.fault and self._state is not State.OVER:
            return  # it is about to be cut: what more there is of a flood is not worth the reading
        self._local = local
        self._watch.heard = True
        self._told = False
        self.outflow.scheduled = True  # it is written by `worked`
        self.engine.receive(datagram, source, now)
        if not self._told:
            self._budget.idle(now, time.monotonic() - now)

    def worked(self) -> None:
        """Everything that came was read: write."""
        budget = self._budget
        if self._state is State.OVER:
            self._say_again()
        elif self._state is State.GONE:
            return
        elif budget.fault:
            # Before its handshake is done, anybody may have sent the datagrams under this address.
            proven = self._client if self._state is not State.SHAKING else ""
            self._reception.abused(budget.fault, proven, self._listener)
            self._close(H2Error.ENHANCE_YOUR_CALM, budget.fault)
        elif budget.worn:
            self.retire()
        self.outflow.flush()

    # Writing.

    def pour(self) -> None:
        if self._keeper.held_up(self):
            self.outflow.choke()
            return
        out = self.engine.outgoing(time.monotonic())
        if out:
            self._keeper.send(out, self._local)
        self._arm()

    def flowing(self) -> None:
        """The socket takes datagrams again."""
        if self.outflow.choked:
            self.outflow.go_on()

    def part(self) -> None:
        """The last words are sent."""
        if self.engine.due() is None:
            self._forget()

    def _say_again(self) -> None:
        """What the engine still has to say to a connection that is over."""
        if self.outflow.shut:
            self.pour()
            self.part()

    def extra(self, name: str, default: Any) -> Any:
        return self.source if name == "peername" else default

    # The end.

    def retire(self) -> None:
        """Take no more requests: those that were sent by now are served, then the connection is closed."""
        if self._state is State.OPEN:
            self._state = State.NOTICED
            self._look_at = min(self._look_at, time.monotonic() + self._manners.times.look)
            self.engine.notice()  # RFC 9114 section 5.2: then wait a round trip
            self.engine.ping()
            self.touch()

    def _leave(self) -> None:
        if self._state is State.NOTICED:
            self._state = State.LEAVING
            self.engine.goaway(H2Error.NO_ERROR)  # behind the last stream it closes
            self.touch()

    def close(self) -> None:
        """Close it now, whatever is under way."""
        self._close(H2Error.NO_ERROR, "the edge is being stopped")
        self.outflow.flush()

    def _close(self, code: H2Error, reason: str) -> None:
        if self._state is State.SHAKING:
            # Not a word: who it is, and whether he is there at all, is not known.
            self._give_up()
            self._forget()
        elif self._state not in (State.OVER, State.GONE):
            self.engine.close(code, reason)
            self._give_up()
            self.touch()

    def _give_up(self) -> None:
        """Nothing more comes of what is under way here."""
        shaken = self._state is not State.SHAKING
        self._state = State.OVER
        self.outflow.ending = True
        self._drop_streams()
        self._keeper.over(self, shaken=shaken)

    def _forget(self) -> None:
        """Nothing is left; and no cycle, which a collection would have to find."""
        if self._state is not State.GONE:
            self._state = State.GONE
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self.outflow.release()
            self.engine.release()
            self._keeper.forget(self)

    # What the engine tells.

    def shaken(self, name: str) -> None:
        self._told = True
        if self._state is State.SHAKING:
            self._state = State.OPEN
            self._look_at = time.monotonic() + self._manners.times.idle
            self._keeper.shaken(self)
            if self._keeper.retiring:
                self.retire()

    def issued(self, connection_id: bytes) -> None:
        self._keeper.bind(connection_id, self)

    def retired(self, connection_id: bytes) -> None:
        self._keeper.unbind(connection_id)

    def moved(self, source: Address) -> None:
        self._keeper.moved(self)
        self._moves += 1
        if self._moves >= self.engine.most_moves:
            self.retire()  # in good time: what is asked from now on comes by another connection

    def head(self, stream: int, fields: Fields, end: bool) -> None:
        self._told = True
        self._budget.streams += 1
        SessionDoor.head(self, stream, fields, end)

    def data(self, stream: int, data: bytes, end: bool) -> None:
        self._told = True
        SessionDoor.data(self, stream, data, end)

    def trailers(self, stream: int, fields: Fields) -> None:
        self._told = True
        SessionDoor.trailers(self, stream, fields)

    def closed(self, stream: int, code: int, remote: bool) -> None:
        self._told = True
        if remote:
            self._budget.reset(time.monotonic())
        SessionDoor.closed(self, stream, code, remote)

    def pong(self) -> None:
        self._told = True
        self._leave()

    def opened(self, session: int, stream: int) -> None:
        self._told = True
        SessionDoor.opened(self, session, stream)

    def datagram(self, session: int, data: bytes) -> None:
        self._told = True
        SessionDoor.datagram(self, session, data)

    def ended(self, code: int, reason: str) -> None:
        if self._state in (State.OVER, State.GONE):
            return
        if self._state is State.SHAKING:
            self._reception.refused(Refusal(0, "quic_handshake", reason), None)
        elif code != H2Error.NO_ERROR:
            flood = code == H2Error.ENHANCE_YOUR_CALM
            self._reception.abused("h3_glitches" if flood else "h3_protocol", self._client, self._listener)
        self._give_up()
        self.touch()

    # The clock.

    def _arm(self) -> None:
        """Have `_ring` called when something is due; earlier does no harm, and spares a timer for each datagram."""
        due, now = self.engine.due(), time.monotonic()
        if self._state is State.OVER:
            when = inf if due is None else due
        else:
            if self._streams:
                self._look_at = min(self._look_at, now + self._manners.times.look)
            when = self._look_at if due is None else min(due, self._look_at)
        when = max(when, now + 0.001)  # an engine that is late with something must not keep the loop from all else
        if when < self._armed:
            if self._timer is not None:
                self._timer.cancel()
            self._armed = when
            self._timer = self._loop.call_at(when, self._ring)

    def _ring(self) -> None:
        self._timer, self._armed = None, inf
        now, due = time.monotonic(), self.engine.due()
        self.outflow.scheduled = True  # it is written below
        if due is not None and due <= now + 0.001:  # the loop's timers are counted in milliseconds
            self.engine.ring(max(now, due))
        if self._look_at <= now + 0.001 and self._state not in (State.OVER, State.GONE):
            self._look(now)
        self.worked()

    def _look(self, now: float) -> None:
        times = self._manners.times
        self._look_at = now + (times.look if self._streams or self._state is State.NOTICED else times.idle)
        if self._state is State.SHAKING:
            self._reception.refused(Refusal(0, "quic_handshake", "it took too long"), None)
            self._close(H2Error.NO_ERROR, "")
            return
        due = self._watch.look(now, len(self._streams), self._budget.streams)
        if due is Due.DROP:
            self._close(H2Error.NO_ERROR, "silence")
            return
        for stream in self._watch.stalled(now, self._streams, self.engine):
            self._reception.abused("h3_stalled_stream", self._client, self._listener)
            self.cut(stream)
        self.urge(now)
        if self._state is State.NOTICED:
            self._leave()
        elif due is Due.LEAVE:
            self.retire()
        elif due is Due.PING:
            self.engine.ping()
