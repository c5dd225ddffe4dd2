"""What an HTTP/3 connection writes: datagrams, which its engine makes of all that was ordered in one turn of the loop,
or between two beats (beat.py) while piece follows piece.

There is a compiled twin, as of the class that it comes from.
"""

import asyncio
from typing import Protocol

from sbc.transports.outflow import Outflow
from sbc.transports.quic.beat import Beat
from sbc.transports.quic.budget import Http3Budget
from sbc.wire.http2.engine import StreamOrders
from sbc.wire.http2.inbound import Inbound

FULL_OCTETS = 8 * 1024
"""What waits for no beat: it fills several datagrams."""


class Well(Protocol):
    """The connection."""

    def pour(self) -> None:
        """Send what the engine has to send now."""

    def part(self) -> None:
        """The last words are sent."""


class DatagramOutflow(Outflow):
    """The writing side of one HTTP/3 connection."""

    __slots__ = ("_added", "_beat", "_budget", "_rests_until", "_waits")

    _spring: Well

    def __init__(self, spring: Well, engine: StreamOrders, budget: Http3Budget, loop: asyncio.AbstractEventLoop,
                 streams: dict[int, Inbound], beat: Beat) -> None:
        """streams: the open ones; kept by the connection. beat: that of its door."""
        Outflow.__init__(self, spring, engine, loop, streams)
        self._budget = budget
        self._beat = beat
        self._added = 0
        """How many bytes were added since `flush` was called last."""
        self._waits = False
        """Whether `flush` is for the next beat to call."""
        self._rests_until = 0.0
        """What is added before waits for a beat; by the loop's clock."""

    def put(self, stream: int, data: bytes) -> None:
        self._queue(stream, data)
        self.touch()

    def add(self, stream: int, data: bytes) -> None:
        self._queue(stream, data)
        self._added += len(data)
        if self._added > FULL_OCTETS:
            self.touch()
        elif not self.scheduled:
            self.scheduled = True
            if self._loop.time() < self._rests_until:
                self._waits = True
                self._beat.wait(self)
            else:
                self._loop.call_soon(self.flush)

    def _queue(self, stream: int, data: bytes) -> None:
        self._engine.send(stream, data)
        self._budget.sent(len(data))
        if self._choked and stream not in self._waiting:
            self._waiting |= {stream}

    def touch(self) -> None:
        """The engine was given an order."""
        if self._waits or not self.scheduled:
            self.scheduled, self._waits = True, False
            self._loop.call_soon(self.flush)

    def beat(self) -> None:
        """Send what waits for this, unless it was sent along with something else."""
        if self._waits:
            self.flush()

    def flush(self) -> None:
        """Write what there is to write, as far as the socket takes it."""
        self.scheduled = self._waits = False
        if self.shut:
            return
        if self._added:
            self._added = 0
            self._rests_until = self._loop.time() + self._beat.seconds
        if not self._choked:
            self._spring.pour()
        if self.ending:
            self.shut = True
            self._spring.part()
        elif self._waiting:
            self._hold_back()
