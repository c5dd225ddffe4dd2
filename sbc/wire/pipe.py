"""Two connections that carry each other's bytes as they are: a WebSocket whose session another edge has.

Nothing is read of them, and nothing kept: a side that does not take what it is sent has the other one not read.
"""

import asyncio
from collections.abc import Callable

from sbc.wire.link import CLOSING, HIGH_WATER_BYTES, LOW_WATER_BYTES


class Pipe(asyncio.Protocol):
    """One end; its `mate` is the other."""

    __slots__ = ("_mate", "_over", "_told", "_transport")

    def __init__(self, transport: asyncio.Transport, over: "Callable[[Pipe], None]") -> None:
        """over: told once the connection is gone."""
        self._transport = transport
        self._told = over
        self._mate: Pipe | None = None
        self._over = False
        transport.set_write_buffer_limits(HIGH_WATER_BYTES, LOW_WATER_BYTES)

    def begin(self) -> None:
        """Be the protocol of the connection."""
        self._transport.set_protocol(self)

    def data_received(self, data: bytes) -> None:
        if self._mate is not None:
            self._mate.write(data)

    def write(self, data: bytes) -> None:
        """Send what the other end got."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def pause_writing(self) -> None:
        if self._mate is not None and not self._mate.ended:
            self._mate.hold()

    def resume_writing(self) -> None:
        if self._mate is not None and not self._mate.ended:
            self._mate.go_on()

    def hold(self) -> None:
        """Read no more."""
        self._transport.pause_reading()

    def go_on(self) -> None:
        """Read again."""
        self._transport.resume_reading()

    def eof_received(self) -> bool:
        return False  # half-closed is closed: there is no WebSocket without both directions

    def connection_lost(self, _error: Exception | None) -> None:
        self._over = True
        self._told(self)
        mate, self._mate = self._mate, None
        if mate is not None:
            mate.end()

    @property
    def ended(self) -> bool:
        """Whether nothing goes either way any more."""
        return self._over or self._transport.is_closing()

    def end(self) -> None:
        """The other end is gone: send what is left, and close."""
        self._mate = None
        if self.ended:
            return
        self._transport.close()
        if self._transport.get_write_buffer_size():  # one that reads nothing must not keep it for ever
            asyncio.get_running_loop().call_later(CLOSING, self._transport.abort)

    def abort(self) -> None:
        """Close both ends at once."""
        for end in (self, self._mate):
            if end is not None and not end.ended:
                end._transport.abort()

    @staticmethod
    def join(one: "Pipe", other: "Pipe") -> None:
        """From here on each sends what the other gets."""
        one._mate, other._mate = other, one
