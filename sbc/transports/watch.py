"""The clock's side of a connection with streams: what is due when nothing happens. Pure: the time is an argument."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from sbc.wire.http2.engine import StreamOrders
from sbc.wire.http2.inbound import Inbound

SLOWEST = 240.0
"""Bytes in a second that a client has to take of what waits for it, or send of what is waited for."""

Progress = dict[int, tuple[float, int]]
"""How far streams were, and when they were that far."""


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
        self._behind: Progress = {}
        """Streams on which something waits, and how much of them was out."""
        self._owed: Progress = {}
        """Requests whose bodies are waited for, and how much of them was here."""

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
        out = {key: found.sent - queued for key, found in streams.items() if (queued := engine.queued(key))}
        self._behind, slow = self._slow(self._behind, out, now)
        return slow

    def late(self, now: float, awaited: Mapping[int, int]) -> list[int]:
        """Streams whose clients send too little for too long. awaited: those of which more has to come, and how much is
        here."""
        self._owed, slow = self._slow(self._owed, awaited, now)
        return slow

    def _slow(self, seen: Progress, octets: Mapping[int, int], now: float) -> tuple[Progress, list[int]]:
        """What is seen of these streams, and which of them came too little forward. octets: how far they are."""
        found: list[int] = []
        still: Progress = {}
        for stream, here in octets.items():
            since, before = seen.get(stream, (now, here))
            if now - since >= self._times.stall:
                if here - before < SLOWEST * self._times.stall:
                    found.append(stream)
                since, before = now, here
            still[stream] = since, before
        return still, found
