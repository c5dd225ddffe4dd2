"""The two ends of an HTTP/1.1 connection's socket: when it is read, how it is written to, how it is closed."""

import asyncio
import socket
import struct
from collections.abc import Callable

from sbc.transports.patience import Patience
from sbc.wire.link import CLOSING, Parting

_RESET = struct.pack("ii", 1, 0)


class Hold:
    """Why the socket is not read at the moment."""

    UNWANTED = 1
    """Nobody takes the body."""
    EARLY = 2
    """Too much came before its time."""
    OTHERS = 4
    """It is the turn of others."""


class Inlet:
    """Whether the socket is read."""

    __slots__ = ("_transport", "holds")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.holds = 0

    def hold(self, reason: int) -> None:
        """Read no more."""
        if self.holds == 0 and not self._transport.is_closing():
            self._transport.pause_reading()
        self.holds |= reason

    def release(self, reason: int) -> None:
        """Read again, if no other reason is left not to."""
        if self.holds == 0:
            return
        self.holds &= ~reason
        if self.holds == 0 and not self._transport.is_closing():
            self._transport.resume_reading()


class Outlet:
    """All that is written goes through here; what is put in one turn of the loop goes out together."""

    __slots__ = ("_loop", "_patience", "_pending", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, patience: Patience) -> None:
        self._transport = transport
        self._loop = loop
        self._patience = patience
        self._pending: list[bytes] = []

    def put(self, data: bytes) -> None:
        """Write, at the end of this turn of the loop at the latest."""
        if not self._pending:
            self._loop.call_soon(self.flush)
        self._pending.append(data)

    def flush(self) -> None:
        """Write now what is to be written."""
        pending = self._pending
        if pending:
            data = pending[0] if len(pending) == 1 else b"".join(pending)
            pending.clear()
            if not self._transport.is_closing():
                self._patience.sent(len(data))
                self._transport.write(data)

    def end(self, last: bytes) -> None:
        """Write now what is to be written, and this behind it."""
        if last:
            self._pending.append(last)
        self.flush()

    def cut(self, *, reset: bool) -> None:
        """Close in the middle of something."""
        if reset:
            # RFC 9112 section 8: nothing but a reset tells this end from that of a whole answer.
            self._pending.clear()
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()
        else:
            self.flush()
            self._transport.close()
            self._patience.until(CLOSING)

    def drain(self) -> bool:
        """Write all there is. Whether that is done; else `resume_writing` will tell of it."""
        self.flush()
        if self._transport.is_closing() or self._transport.get_write_buffer_size() == 0:
            return True
        self._transport.set_write_buffer_limits(0, 0)
        return False

    def part(self, departed: Callable[[], None]) -> None:
        """Hang up without a reset that could overtake the last words. departed: called if it was not over anyway."""
        if not self._transport.is_closing():
            self._patience.end()
            departed()
            self._transport.set_protocol(Parting(self._transport, None))
