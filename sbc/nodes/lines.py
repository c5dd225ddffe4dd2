"""The connections to one node, and the requests that wait for one.

Whoever comes takes the line that was idle for the shortest time, or a place on one that carries many; else a line is
dialled, and whoever has waited longest gets the first that is free.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import cast

from sbc.model.ids import PoolName
from sbc.model.interfaces import Spawn
from sbc.model.marking import Mark
from sbc.model.node import Node
from sbc.model.streams import Readiness
from sbc.nodes.address import Address, Speech
from sbc.nodes.dial import Trust, agreed, dial
from sbc.nodes.errand import Errand
from sbc.nodes.http1 import Http1Line
from sbc.nodes.http2 import Http2Line
from sbc.nodes.traveller import Traveller

MOST_LINES = 1024
"""Connections to a node, over HTTP/1.1."""
MOST_IDLE = 64
IDLE = 30.0
"""How many connections are kept for later, and for how many seconds."""
MOST_WAITING = 1024
LONGEST_WAIT = 10.0
"""How many requests may wait for a connection to become free, and for how many seconds."""


class Lines:
    """What there is of one node."""

    def __init__(self, name: str, url: str, where: Address, spawn: Spawn, engine: str, trust: Trust | None,
                 mark: Mark | None, garbage: Callable[[], None]) -> None:  # fmt: skip
        """name: the node's, for its tasks. engine: see Pool. trust, mark: see dial. garbage: called when the node has
        sent what it should not have."""
        self.url = url
        self.trust = trust
        self.mark = mark
        self.node: Node | None = None
        self.trusts: Mapping[PoolName, Trust] | None = None
        """For whom, and among which, it was last found to be right; kept by the pool."""
        self._loop = asyncio.get_running_loop()
        self.prefix = where.prefix.encode()
        self._engine = engine
        self._name = name
        self._where = where
        self._spawn = spawn
        self._speech = where.speech
        """What the node is known to speak."""
        self._lines: set[Http1Line | Http2Line] = set()
        self._idle: list[Http1Line] = []
        self._shared: list[Http2Line] = []
        self._dials = 0
        self._waiting: deque[Errand] = deque()
        self._tunnels: deque[Traveller] = deque()
        """WebSocket legs that wait for a line over HTTP/2."""
        self._asking: list[Readiness] = []
        self._retired = False
        self.garbage = garbage

    @property
    def empty(self) -> bool:
        """Whether there is nothing and nobody."""
        return not (self._lines or self._dials or self._waiting or self._tunnels)

    @property
    def open_lines(self) -> int:
        return len(self._lines)

    @property
    def idle_lines(self) -> int:
        return len(self._idle)

    # Errands.

    def carry(self, errand: Errand) -> bool:
        """Have an idle connection carry it at once; False: there is none that is known to live."""
        if not self._idle:
            return False
        line = self._idle.pop()
        if line.closing():
            self._idle.append(line)  # its end is not told yet
            return False
        line.begin(errand)
        return True

    def place(self, errand: Errand) -> None:
        """Have a line carry it. One that an idle connection has failed waits for a line that is known to live."""
        if self._idle and not errand.repeated:
            self._idle.pop().start(errand)
            return
        for line in self._shared:
            if line.free:
                line.start(errand)
                return
        if len(self._waiting) >= MOST_WAITING:
            errand.fail("too many requests wait for a connection to the node", sent=False, reached=True)
            return
        errand.since = self._loop.time()
        self._waiting.append(errand)
        self._dial()

    def withdraw(self, errand: Errand) -> None:
        """It waits no more."""
        if errand in self._waiting:
            self._waiting.remove(errand)

    def lead(self, tunnel: Traveller) -> None:
        """Have a WebSocket leg on a line over HTTP/2, once its node has said what it can do."""
        if len(self._tunnels) >= MOST_WAITING:
            tunnel.fail("too many legs wait for a connection to the node", reached=True)
            return
        tunnel.since = self._loop.time()
        self._tunnels.append(tunnel)
        for line in tuple(self._shared):
            self._let_through(line)
        self._dial()

    def _let_through(self, line: Http2Line) -> None:
        while self._tunnels and line.free:
            tunnel = self._tunnels.popleft()
            if tunnel.wanted:
                tunnel.start(line)

    def ask(self, done: Readiness) -> None:
        """Say when there is a connection, or why there is none."""
        if self._lines:
            done("")
        elif len(self._asking) >= MOST_WAITING:
            done("too many wait for a connection to the node")
        else:
            self._asking.append(done)
            self._dial()

    def _answer(self, fault: str) -> None:
        asking, self._asking = self._asking, []
        for done in asking:
            done(fault)

    # Dialling.

    def _dial(self) -> None:
        """As many as there is need for; but one at a time while one may be enough for all."""
        wanted = len(self._waiting) or (1 if self._asking or self._tunnels else 0)
        if not wanted:
            return
        if self._speech is Speech.HTTP1:
            more = min(wanted - self._dials, MOST_LINES - len(self._lines) - self._dials)
        else:
            coming = self._dials or any(not line.engine.greeted for line in self._shared)
            room = len(self._shared) < self._where.most_shared and len(self._lines) < MOST_LINES
            more = 1 if room and not coming else 0
        for _ in range(more):
            self._dials += 1
            arrival = _Arrival(self)
            self._spawn(f"dial {self._name}", dial(
                self._where, self._where.speech, self.trust, arrival, arrival.failed, self.mark))

    def arrived(self, transport: asyncio.Transport) -> None:
        """A connection stands."""
        self._dials -= 1
        where = self._where
        speech = agreed(transport) if where.secure else where.speech.value
        line: Http1Line | Http2Line
        if speech == Speech.HTTP2.value:
            self._speech = Speech.HTTP2
            line = shared = Http2Line(self, where.secure, self._engine)
            self._shared.append(shared)
        elif where.speech is Speech.HTTP2:
            transport.abort()
            self._useless("the node does not speak HTTP/2", reached=False)
            return
        else:
            self._speech = Speech.HTTP1
            line = Http1Line(self)
        self._lines.add(line)
        transport.set_protocol(cast(asyncio.BaseProtocol, line))
        line.connection_made(transport)
        if isinstance(line, Http1Line):
            self._answer("")
            self.freed(line)
            self._dial()

    def dial_failed(self, reason: str) -> None:
        """There is no connection."""
        self._dials -= 1
        self._useless(reason, reached=False)

    def _useless(self, reason: str, *, reached: bool) -> None:
        """A try to have a line came to nothing: it was for one who waits, or if there is no other for all."""
        alone = not self._lines and not self._dials
        failed = [self._waiting.popleft() for _ in range(len(self._waiting) if alone else min(1, len(self._waiting)))]
        for errand in failed:
            errand.fail(reason, sent=False, reached=reached)
        if alone:
            tunnels, self._tunnels = self._tunnels, deque()
            for tunnel in tunnels:
                tunnel.fail(reason, reached=reached)
            self._answer(reason)

    # Lines.

    def freed(self, line: Http1Line, patience: float | None = None) -> None:
        """A line over HTTP/1.1 is idle."""
        if self._waiting:
            line.start(self._waiting.popleft())
        elif self._retired or len(self._idle) >= MOST_IDLE or (patience is not None and patience < 2):
            line.drop()
        else:
            # One second early: a request must not cross the node's closing of the connection on its way.
            kept = IDLE if patience is None else min(IDLE, patience - 1)
            line.idle_until = self._loop.time() + kept
            self._idle.append(line)

    def room(self, line: Http2Line) -> None:
        """A line over HTTP/2 can carry more than it does."""
        self._answer("")
        while self._waiting and line.free:
            line.start(self._waiting.popleft())
        self._let_through(line)
        self._dial()
        if self._retired:
            line.retire()

    def leaving(self, line: Http2Line) -> None:
        """A line over HTTP/2 takes no more."""
        if line in self._shared:
            self._shared.remove(line)

    def gone(self, line: Http1Line | Http2Line) -> None:
        """A line is closed."""
        self._lines.discard(line)
        if isinstance(line, Http2Line):
            self.leaving(line)
            if not line.engine.greeted:
                self._useless("the node does not speak HTTP/2", reached=True)
        elif line in self._idle:
            self._idle.remove(line)
        self._dial()

    # Time, and the end.

    def sweep(self, now: float) -> None:
        """Once a second: close what is idle for too long, give up what is stuck."""
        while self._waiting and now - self._waiting[0].since > LONGEST_WAIT:
            self._waiting.popleft().fail("no connection to the node became free", sent=False, reached=True)
        while self._tunnels and now - self._tunnels[0].since > LONGEST_WAIT:
            self._tunnels.popleft().fail("no connection to the node became free", reached=True)
        for line in [line for line in self._idle if line.idle_until <= now]:
            line.drop()
        for each in tuple(self._lines):
            each.sweep(now)

    def retire(self) -> None:
        """Close every line once nothing is under way on it."""
        self._retired = True
        for line in tuple(self._idle):
            line.drop()
        for shared in tuple(self._shared):
            shared.retire()

    def close(self) -> None:
        """Close every line at once; nothing is told."""
        self._retired = True
        self._waiting.clear()
        self._tunnels.clear()
        self._asking.clear()
        for line in tuple(self._lines):
            line.drop()


class _Arrival(asyncio.Protocol):
    """A connection until it is known what is spoken on it."""

    def __init__(self, lines: Lines) -> None:
        self._lines: Lines | None = lines

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        lines, self._lines = self._lines, None
        if lines is None:
            transport.abort()  # type: ignore[attr-defined]  # too late: it was given up
        else:
            lines.arrived(cast(asyncio.Transport, transport))  # uvloop's is one by its methods only

    def failed(self, reason: str) -> None:
        lines, self._lines = self._lines, None
        if lines is not None:
            lines.dial_failed(reason)
