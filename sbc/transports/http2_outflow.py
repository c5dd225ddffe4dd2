"""What an HTTP/2 connection writes: frames, as bytes to TCP. There is a compiled twin."""

import asyncio

from sbc.transports.outflow import Outflow, Spring
from sbc.wire.http2.budget import Budget
from sbc.wire.http2.engine import Engine
from sbc.wire.http2.inbound import Inbound

WRITE_OCTETS = 256 * 1024
"""How much is taken from the engine at a time."""


class Http2Outflow(Outflow):
    """The writing side of one HTTP/2 connection."""

    __slots__ = ("_budget", "_transport", "written")

    _engine: Engine

    def __init__(self, spring: Spring, engine: Engine, budget: Budget, loop: asyncio.AbstractEventLoop,
                 streams: dict[int, Inbound]) -> None:
        """streams: the open ones; kept by the connection."""
        Outflow.__init__(self, spring, engine, loop, streams)
        self._budget = budget
        self._transport: asyncio.Transport
        self.written = 0
        """Bytes, all in all."""

    def begin(self, transport: asyncio.Transport) -> None:
        """There is somewhere to write to."""
        self._transport = transport
        self.flush()

    def put(self, stream: int, data: bytes) -> None:
        """Send a piece on a stream."""
        self._budget.data_frames += 1 + (len(data) >> 14)
        Outflow.put(self, stream, data)

    def flush(self) -> None:
        """Write what there is to write, as far as TCP takes it."""
        self.scheduled = False
        if self.shut or self._transport.is_closing():
            return
        while not self._choked:
            out = self._engine.outgoing(WRITE_OCTETS)
            if out:
                self.written += len(out)
                self._transport.write(out)
            if len(out) < WRITE_OCTETS:
                break
        if self.ending:
            self.shut = True
            if self._spring is not None:
                self._spring.part()
        elif self._waiting:
            self._hold_back()
