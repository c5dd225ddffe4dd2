"""Reading in sips: whoever has sent much at once is read a little at a time from then on.

The event loop reads up to 256 KiB at once. To take so much out of the kernel, and to make an object of it, takes longer
than to relay it, and all others wait meanwhile. A buffer of one's own is the only way to ask for less; as it costs two
calls for one, only links that have brought much have it.
"""

import asyncio
from typing import Protocol

SIP_BYTES = 32 * 1024
"""So much is read in one turn of the loop."""

_buffer = bytearray(SIP_BYTES)
"""One for all: what was read is taken out before anybody else is read."""
_whole = memoryview(_buffer)


class Drinker(Protocol):
    """A link (wire/link.py), as far as its sips go."""

    def data_received(self, data: bytes) -> None: ...

    def eof_received(self) -> bool: ...

    def connection_lost(self, error: Exception | None, /) -> None: ...

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...

    def give_way(self) -> None:
        """There is probably more to read: let others have their turn before."""


class Sips(asyncio.BufferedProtocol):
    """Stands before a link at its connection."""

    __slots__ = ("_link",)

    def __init__(self, link: Drinker) -> None:
        self._link = link

    def get_buffer(self, _sizehint: int) -> bytearray:
        return _buffer

    def buffer_updated(self, octets: int) -> None:
        self._link.data_received(bytes(_whole[:octets]))
        if octets == SIP_BYTES:
            self._link.give_way()

    def eof_received(self) -> bool:
        return self._link.eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        self._link.connection_lost(error)

    def pause_writing(self) -> None:
        self._link.pause_writing()

    def resume_writing(self) -> None:
        self._link.resume_writing()
