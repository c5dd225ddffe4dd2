"""One stream of an HTTP/2 connection as a transport, for a Link: WebSocket over HTTP/2 (RFC 8441 section 5).

To its protocol it looks like a TCP connection: END_STREAM is a FIN, RST_STREAM a reset. Pressure is that of the
stream's windows; what arrives while reading is paused waits here, uncredited, so it is never more than one window.
"""

import asyncio

from sbc.model.http import Fields
from sbc.wire.http2.carried import CarriedTransport
from sbc.wire.http2.inbound import Carrier, Stage


class StreamTransport(CarriedTransport):
    """An asyncio.Transport by its methods; Inbound for the connection."""

    __slots__ = ("_ended", "_held", "_paused")

    def __init__(self, carrier: Carrier, stream: int) -> None:
        super().__init__(carrier, stream)
        self._held: list[bytes] = []
        """What came while reading is paused."""
        self._paused = False
        self._ended = False
        """Whether the other side has ended its direction."""

    # From the engine, by way of the connection.

    def data(self, data: bytes, end: bool) -> None:
        """A piece of what the other side sends."""
        self._ended = self._ended or end
        if self._closing:
            self._carrier.engine.consume(self._stream, len(data))
            return
        if data:
            self._held.append(data)
        if not self._paused:
            self._deliver()

    def trailers(self, _fields: Fields) -> None:
        """The other side is done: there are no trailers of a tunnel, so they mean nothing."""
        self.data(b"", True)

    def slow(self) -> None:
        """What is sent piles up."""
        if self.stage is not Stage.OVER:
            self._protocol.pause_writing()

    def ready(self) -> None:
        """It does no longer."""
        if self.stage is not Stage.OVER:
            self._protocol.resume_writing()

    def _deliver(self) -> None:
        while self._held and not self._paused and not self._closing:
            piece = self._held.pop(0)
            self._carrier.engine.consume(self._stream, len(piece))
            self._protocol.data_received(piece)
        self._carrier.touch()
        if self._ended and not self._held and not self._closing:
            self._protocol.eof_received()
            self.close()

    def _drop(self) -> None:
        for piece in self._held:
            self._carrier.engine.consume(self._stream, len(piece))
        self._held.clear()

    # For the protocol.

    def write(self, data: bytes) -> None:
        if not self._said_all and data:
            self.sent += len(data)
            self._carrier.put(self._stream, data)

    def write_eof(self) -> None:
        self._finish()

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        if self._paused:
            self._paused = False
            asyncio.get_running_loop().call_soon(self._deliver)

    def get_write_buffer_size(self) -> int:
        return self._carrier.engine.queued(self._stream)
