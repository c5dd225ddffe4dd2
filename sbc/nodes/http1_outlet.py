"""The writing half of a connection to a node: the head of one request after the other, and their bodies."""

import asyncio

from sbc.model.http import Fields, Request
from sbc.wire.http1 import chunk, last_chunk


class Outlet:
    """One request at a time. The body is held to the length that its head says (RFC 9112 section 6)."""

    __slots__ = ("_chunked", "_loop", "_opening", "_owed", "_transport", "_uploading")

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._loop = asyncio.get_running_loop()
        self._opening = b""
        """The head of a request that has a body: it waits, within this turn of the loop, for the body's first piece.
        One write of both costs half of two, here and at the node."""
        self._uploading = False
        """Whether the request's body is not at its end."""
        self._chunked, self._owed = False, 0
        """How much of a body of known length is still to be sent."""

    def _say_head(self, request: Request, head: bytes) -> None:
        self._uploading = request.bodied
        self._chunked = request.length is None
        self._owed = request.length or 0
        if request.bodied:
            self._opening = head
            self._loop.call_soon(self._open)
        else:
            self._transport.write(head)

    def _say_body(self, data: bytes) -> bool:
        """Whether the body is not longer than it was said to be."""
        if self._chunked:
            self._write(chunk(data))
            return True
        if len(data) > self._owed:
            return False
        self._owed -= len(data)
        self._write(data)
        return True

    def _say_end(self, trailers: Fields) -> bool:
        """Whether the body is not shorter than it was said to be."""
        self._uploading = False
        if self._chunked:
            self._write(last_chunk(trailers))
        return not self._owed

    def _open(self) -> None:
        """The body is not here yet: its head goes alone."""
        if self._opening and not self._transport.is_closing():
            self._write(b"")

    def _write(self, data: bytes) -> None:
        if self._opening:
            data, self._opening = self._opening + data, b""
        self._transport.write(data)
