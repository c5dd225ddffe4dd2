"""What one HTTP/3 connection may ask for, held against limits that no honest client comes near. Pure.

Requests and resets are counted as those of HTTP/2 are (wire/http2/budget.py). What only the engine sees (PING,
PATH_CHALLENGE, NEW_CONNECTION_ID, MAX_DATA, tiny pieces in the wrong order) is counted from outside: a datagram that
leads to nothing spends of a credit that time earns, and what is sent, for that is acknowledged. It spends more if it
was dear to read: 150 pieces with holes between them cost aioquic milliseconds.
"""

from sbc.wire.http2.budget import (
    GLITCHES,
    PREMATURE_RESETS,
    PROVOKED_RESETS,
    RESETS,
    RESETS_PER_SECOND,
    STREAMS,
    WORN_GLITCHES,
)

IDLE_DATAGRAMS_PER_SECOND = 200
"""Datagrams that lead to nothing."""
IDLE_DATAGRAMS = 2000
"""That many may come at once."""
FAIR_SECONDS = 0.0002
"""What it may cost to read a datagram; one that costs more counts as so many more."""
EARNED = 20_000
"""How much of what is sent is remembered, in pieces of 1 KiB."""


class Http3Budget:
    """The accounts of one connection. `fault` names the limit that was broken, and is empty as long as none was."""

    __slots__ = ("_clock", "_credit", "_premature", "_provoked", "_resets", "_resets_now", "fault", "glitches",
                 "streams")

    def __init__(self, now: float) -> None:
        """now: seconds, by any clock that goes on."""
        self.fault = ""
        self.streams = 0
        """Requests that the client began."""
        self.glitches = 0
        self._clock = now
        self._credit = float(IDLE_DATAGRAMS)
        self._premature = 0
        self._provoked = 0
        self._resets = 0
        self._resets_now = 0

    @property
    def worn(self) -> bool:
        """Whether the connection is to be replaced in good order."""
        return self.glitches >= WORN_GLITCHES or self.streams >= STREAMS

    def idle(self, now: float, took: float) -> None:
        """A datagram led to nothing, and took so many seconds to read."""
        if now - self._clock >= 1.0:
            self._next_second(now)
        self._credit -= 1.0 if took <= FAIR_SECONDS else took / FAIR_SECONDS
        if self._credit < 0.0:
            self.fault = "h3_datagrams"

    def sent(self, octets: int) -> None:
        """A piece was sent, which will be acknowledged."""
        if self._credit < EARNED:
            self._credit += 1.0 + octets / 1024

    def reset(self, now: float) -> None:
        """The client gave a stream up."""
        if now - self._clock >= 1.0:
            self._next_second(now)
        self._resets += 1
        self._resets_now += 1
        if self._resets_now > RESETS_PER_SECOND or self._resets > RESETS:
            self.fault = "h3_rapid_reset"

    def premature(self) -> None:
        """The client reset a stream that had no answer yet."""
        self._premature += 1
        if self._premature > PREMATURE_RESETS and self._premature * 2 > self.streams:
            self.fault = "h3_rapid_reset"

    def provoked(self) -> None:
        """A stream had to be reset for what came on it."""
        self._provoked += 1
        self.glitch(2)
        if self._provoked > PROVOKED_RESETS:
            self.fault = "h3_provoked_resets"

    def glitch(self, points: int) -> None:
        """Something odd that is allowed now and then."""
        self.glitches += points
        if self.glitches > GLITCHES:
            self.fault = "h3_glitches"

    def _next_second(self, now: float) -> None:
        seconds = now - self._clock
        self._clock = now
        self._resets_now = 0
        self.glitches >>= min(int(seconds), 10)
        if self._credit < IDLE_DATAGRAMS:
            self._credit = min(float(IDLE_DATAGRAMS), self._credit + seconds * IDLE_DATAGRAMS_PER_SECOND)
