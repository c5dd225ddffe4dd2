"""The clock's side of a connection with streams: what is due when nothing happens. Pure: the time is an argument."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from sbc.wire.http2.engine import StreamOrders
from sbc.wire.http2.inbound import Inbound

SLOWEST = 240.0
"""Bytes in a second that a client has to take of what waits for it, or send of what is waited for."""


@dataclass(frozen=True, slots=True)
class Times:
    """In seconds."""

    look: float = 5.0
    """How often a connection is looked after."""
    ping: float = 20.0
    """One with streams that is silent for so long is asked whether it lives, and taken for lost after twice as long."""
    idle: float = 60.0
    """One without streams is left after so long."""
    stall: float = 30.0
    """How long a client may take (nearly) nothing of a stream, or nothing at all of the connection, or send (nearly)
    nothing of a request's body."""
    parting: float = 1.0
    """How long it has to read the last words."""


class Due(Enum):
    NOTHING = "nothing"
    PING = "ping"
    LEAVE = "leave"
    DROP = "drop"


class Watch:
    """What was seen of a connection at the last looks."""

    __slots__ = ("_begun", "_behind", "_idle_since", "_owed", "_silent_since", "_taken", "_taken_at", "_times", "heard")

    def __init__(self, times: Times, now: float) -> None:
        self.heard = True
        """Whether anything came since the last look."""
        self._times = times
        self._begun = 0
        """How many streams there ever were by then."""
        self._silent_since = now
        self._idle_since: float | None = now
        self._taken = 0
        self._taken_at = now
        self._behind: dict[int, tuple[float, int]] = {}
        """Streams on which something waits: since when, and how much of them was out by then."""
        self._owed: dict[int, tuple[float, int]] = {}
        """Requests whose bodies are waited for: since when, and how much of them was here by then."""

    def look(self, now: float, streams: int, begun: int) -> Due:
        """What is due for the connection as a whole. streams: that are open; begun: that there ever were."""
        if self.heard:
            self.heard = False
            self._silent_since = now
        if streams:
            self._idle_since = None
        elif self._idle_since is None or begun > self._begun:
            self._idle_since = now
        self._begun = begun
        if self._idle_since is not None:
            return Due.LEAVE if now - self._idle_since >= self._times.idle else Due.NOTHING
        silence = now - self._silent_since
        if silence >= 2 * self._times.ping:
            return Due.DROP
        return Due.PING if silence >= self._times.ping else Due.NOTHING

    def stuck(self, now: float, taken: int, choked: bool) -> bool:
        """Whether the socket takes nothing for too long. taken: bytes that it took all in all."""
        if not choked or taken > self._taken:
            self._taken, self._taken_at = taken, now
        return now - self._taken_at >= self._times.stall

    def stalled(self, now: float, streams: Mapping[int, Inbound], engine: StreamOrders) -> list[int]:
        """Streams whose windows let out too little for too long."""
        found: list[int] = []
        behind: dict[int, tuple[float, int]] = {}
        for stream, inbound in streams.items():
            queued = engine.queued(stream)
            if queued == 0:
                continue
            out = inbound.sent - queued
            since, before = self._behind.get(stream, (now, out))
            if now - since >= self._times.stall:
                if out - before < SLOWEST * self._times.stall:
                    found.append(stream)
                since, before = now, out
            behind[stream] = since, before
        self._behind = behind
        return found

    def late(self, now: float, awaited: Mapping[int, int]) -> list[int]:
        """Streams whose clients send too little for too long. awaited: those of which more has to come, and how much is
        here."""
        found: list[int] = []
        owed: dict[int, tuple[float, int]] = {}
        for stream, here in awaited.items():
            since, before = self._owed.get(stream, (now, here))
            if now - since >= self._times.stall:
                if here - before < SLOWEST * self._times.stall:
                    found.append(stream)
                since, before = now, here
            owed[stream] = since, before
        self._owed = owed
        return found
