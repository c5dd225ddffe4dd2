"""When pieces are sent on HTTP/3 connections that were sent some a moment ago: at the next beat, all in one.

A datagram costs its protection, a call of the kernel and, for every other one, the client's acknowledgement, however
little is in it. So a connection that was sent a piece of an answer is sent the next ones together, one beat later at
the latest; a piece that comes after a longer silence is sent at once, and all else (heads, ends, messages) always is.
One timer serves all connections of a door.
"""

import asyncio
from typing import Protocol

SECONDS = 0.002
"""How long a piece waits at most; the loop's timers are a millisecond coarse."""


class Waiting(Protocol):
    """A connection's writing side."""

    def beat(self) -> None:
        """Send what waits."""


class Beat:
    """The timer of one door."""

    __slots__ = ("_loop", "_waiting", "seconds")

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self._loop = loop
        self._waiting: set[Waiting] = set()

    def wait(self, outflow: Waiting) -> None:
        """Tell it of the next beat."""
        if not self._waiting:
            self._loop.call_later(self.seconds, self._strike)
        self._waiting.add(outflow)

    def _strike(self) -> None:
        waiting, self._waiting = self._waiting, set()
        try:
            while waiting:
                waiting.pop().beat()
        finally:
            for outflow in waiting:  # one of them broke: no reason to leave the others unwritten
                self._loop.call_soon(outflow.beat)
