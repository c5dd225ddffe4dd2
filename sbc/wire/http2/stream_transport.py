"""One stream of an HTTP/2 connection as a transport, for a Link: WebSocket over HTTP/2 (RFC 8441 section 5).

To its protocol it looks like a TCP connection: END_STREAM is a FIN, RST_STREAM a reset. Pressure is that of the
stream's windows; what arrives while reading is paused waits here, uncredited, so it is never more than one window.
"""

import asyncio
from typing import Any, cast

from sbc.model.http import Fields
from sbc.wire.http2.engine import H2Error
from sbc.wire.http2.inbound import Carrier, Stage

CLOSING = 3.0
"""How long the other side has to end its direction of a closed stream, in seconds."""

_NOBODY = asyncio.Protocol()


class StreamTransport:
    """An asyncio.Transport by its methods; Inbound for the connection."""

    __slots__ = ("_carrier", "_closing", "_ended", "_held", "_paused", "_protocol", "_said_all", "_stream", "_timer",
                 "sent", "stage")

    def __init__(self, carrier: Carrier, stream: int) -> None:
        self.stage = Stage.ANSWERING
        self.sent = 0
        self._carrier = carrier
        self._stream = stream
        self._protocol: asyncio.Protocol = _NOBODY
        self._held: list[bytes] = []
        """What came while reading is paused."""
        self._paused = False
        self._ended = False
        """Whether the other side has ended its direction."""
        self._said_all = False
        self._closing = False
        self._timer: asyncio.TimerHandle | None = None

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

    def closed(self) -> None:
        """The stream is over, or its whole connection."""
        self.stage = Stage.OVER
        self._closing = self._said_all = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._drop()
        protocol, self._protocol = self._protocol, _NOBODY  # no cycles that a collection would have to find
        protocol.connection_lost(None)

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

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = cast(asyncio.Protocol, protocol)

    def write(self, data: bytes) -> None:
        if not self._said_all and data:
            self.sent += len(data)
            self._carrier.put(self._stream, data)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not self._said_all:
            self._said_all = True
            self._carrier.engine.finish(self._stream, [])
            self._carrier.touch()

    def close(self) -> None:
        if self._closing:
            return
        self.write_eof()
        self._closing = True
        self._drop()
        self._timer = asyncio.get_running_loop().call_later(CLOSING, self._give_up)

    def _give_up(self) -> None:
        self._timer = None
        self.abort()

    def abort(self) -> None:
        if self.stage is not Stage.OVER:
            self.stage = Stage.OVER
            self._closing = self._said_all = True
            self._drop()
            self._carrier.engine.reset(self._stream, H2Error.CANCEL)
            self._carrier.touch()

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        if self._paused:
            self._paused = False
            asyncio.get_running_loop().call_soon(self._deliver)

    def get_write_buffer_size(self) -> int:
        return self._carrier.engine.queued(self._stream)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """The engine's own hold (HIGH_WATER_BYTES, LOW_WATER_BYTES)."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._carrier.extra(name, default)
