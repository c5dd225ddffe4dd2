"""What a connection with streams writes: all that was ordered in one turn of the loop, in one go at its end.

While the socket takes nothing, nothing is asked of the engine: what is queued stays on its streams, and those that go
on sending are slow. What is written, and how, is for each version of HTTP to say (http2_outflow.py, quic/outflow.py).
There is a compiled twin: every event of every stream comes through here.
"""

import asyncio
from typing import Protocol

from sbc.wire.http2.engine import StreamOrders
from sbc.wire.http2.inbound import Inbound


class Spring(Protocol):
    """The connection."""

    def part(self) -> None:
        """The last words are written."""


class Outflow:
    """The writing side of one connection."""

    __slots__ = ("_choked", "_engine", "_held_back", "_loop", "_slow", "_spring", "_streams", "_waiting", "ending",
                 "scheduled", "shut")

    def __init__(self, spring: Spring, engine: StreamOrders, loop: asyncio.AbstractEventLoop,
                 streams: dict[int, Inbound]) -> None:
        """streams: the open ones; kept by the connection."""
        self._spring: Spring | None = spring
        self._engine = engine
        self._loop = loop
        self._streams = streams
        # Frozen ones: an empty set of its own is 200 bytes, and nearly all of them stay empty.
        self._slow: frozenset[int] = frozenset()
        """Streams whose windows are small."""
        self._waiting: frozenset[int] = frozenset()
        """Streams that were written to while the socket took nothing."""
        self._held_back: frozenset[int] = frozenset()
        """Those of them that were told so."""
        self._choked = False
        self.scheduled = False
        """Whether `flush` will be called in this turn of the loop."""
        self.ending = False
        """Whether what is written next is the last."""
        self.shut = False
        """Whether nothing is written any more."""

    @property
    def choked(self) -> bool:
        """Whether the socket takes nothing."""
        return self._choked

    def put(self, stream: int, data: bytes) -> None:
        """Send a piece on a stream."""
        self._engine.send(stream, data)
        if self._choked and stream not in self._waiting:
            self._waiting |= {stream}
        if not self.scheduled:
            self.scheduled = True
            self._loop.call_soon(self.flush)

    def add(self, stream: int, data: bytes) -> None:
        """Send a piece of an answer: while others follow it closely they may go out together, a moment later."""
        self.put(stream, data)

    def touch(self) -> None:
        """The engine was given an order."""
        if not self.scheduled:
            self.scheduled = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write what there is to write, as far as the socket takes it."""
        raise NotImplementedError

    def release(self) -> None:
        """The connection is gone: nothing is held that refers to it."""
        self.shut = True
        self._spring = None

    # Pressure.

    def _hold_back(self) -> None:
        """Streams that go on sending while the socket takes nothing are slow."""
        waiting, self._waiting = self._waiting, frozenset()
        for stream in waiting - self._slow - self._held_back:
            if stream in self._streams and self._choked:
                self._held_back |= {stream}
                self._streams[stream].slow()

    def choke(self) -> None:
        """The socket takes nothing."""
        self._choked = True

    def go_on(self) -> None:
        """The socket takes something again."""
        self._choked = False
        held_back, self._held_back = self._held_back, frozenset()
        self.flush()
        for stream in held_back - self._slow:
            if stream in self._streams:
                self._streams[stream].ready()

    def slow(self, stream: int) -> None:
        """The windows of a stream let nothing out."""
        self._slow |= {stream}
        if stream in self._streams and stream not in self._held_back:
            self._streams[stream].slow()

    def ready(self, stream: int) -> None:
        """They do again."""
        self._slow -= {stream}
        if stream in self._streams and stream not in self._held_back:
            self._streams[stream].ready()

    def forget(self, stream: int) -> None:
        """A stream is over."""
        if self._slow:
            self._slow -= {stream}
        if self._held_back:
            self._held_back -= {stream}
