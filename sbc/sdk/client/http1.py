"""WebSocket over HTTP/1.1: an Upgrade on a connection of its own (RFC 6455 section 4.1)."""

import asyncio
import base64
import hashlib
import os
from collections.abc import Callable, Mapping

from sbc.sdk.client.contract import refusal
from sbc.sdk.client.stream import ANSWER_OCTETS, CROWDED_OCTETS, ByteStream, Origin, Transport

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_END = b"\r\n\r\n"


class Http1Connection(asyncio.Protocol):
    """Carries one WebSocket. Implements Connection."""

    transport = Transport.HTTP1

    def __init__(self, tcp: asyncio.Transport, origin: Origin) -> None:
        self.tcp = tcp
        self._origin = origin
        self._stream: _Upgraded | None = None
        self._head = bytearray()
        self._lost = False
        self._arrived = asyncio.Event()

    async def open(self, path: str, fields: Mapping[str, str]) -> ByteStream:
        key = base64.b64encode(os.urandom(16))
        own = {"host": self._origin.authority, "connection": "Upgrade", "upgrade": "websocket",
               "sec-websocket-version": "13", "sec-websocket-key": key.decode()}
        lines = (f"{name}: {value}\r\n" for name, value in (own | dict(fields)).items())
        self.tcp.write(f"GET {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode("latin-1"))
        status, answered, rest = await self._answer()
        if status != 101:
            raise refusal(status, answered, await self._body(answered, rest))
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest()).decode()
        if answered.get("sec-websocket-accept") != accept:
            raise ConnectionError("the answer is not to this hello")
        self._stream = _Upgraded(self.tcp, answered)
        self._stream.fed(rest)
        if self._lost:
            self._stream.ended()
        return self._stream

    async def _answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, fields and what follows. Raises ConnectionError."""
        while True:
            await self._until(lambda: _END in self._head)
            head, _, rest = bytes(self._head).partition(_END)
            first, *lines = head.decode("latin-1").split("\r\n")
            version, _, words = first.partition(" ")
            if version != "HTTP/1.1" or not words[:3].isdigit():
                raise ConnectionError(f"not HTTP/1.1: {first[:80]!r}")
            self._head = bytearray(rest)
            status = int(words[:3])
            if status == 101 or status >= 200:
                pairs = (line.partition(":") for line in lines)
                return status, {name.lower(): value.strip() for name, _, value in pairs}, rest

    async def _body(self, fields: Mapping[str, str], rest: bytes) -> bytes:
        """What a refusal says, as far as its length is told."""
        length = fields.get("content-length", "")
        if length.isdigit() and len(rest) < min(int(length), ANSWER_OCTETS):
            await self._until(lambda: len(self._head) >= min(int(length), ANSWER_OCTETS))
        return bytes(self._head)

    async def _until(self, there: Callable[[], bool]) -> None:
        while not there():
            if self._lost or len(self._head) > ANSWER_OCTETS:
                raise ConnectionError("no answer to the hello, or a very long one")
            self._arrived.clear()
            await self._arrived.wait()

    def abort(self) -> None:
        self.tcp.abort()

    # What the loop tells.

    def data_received(self, data: bytes) -> None:
        """Something came."""
        if self._stream is None:
            self._head += data
            self._arrived.set()
        else:
            self._stream.fed(data)
            if self._stream.waiting > CROWDED_OCTETS:
                self.tcp.pause_reading()

    def connection_lost(self, _fault: Exception | None) -> None:
        """It is over."""
        self._lost = True
        self._arrived.set()
        if self._stream is not None:
            self._stream.ended()

    def pause_writing(self) -> None:
        """What is written piles up."""
        if self._stream is not None:
            self._stream.writable.clear()

    def resume_writing(self) -> None:
        """It does no longer."""
        if self._stream is not None:
            self._stream.writable.set()


class _Upgraded(ByteStream):
    """The connection after its 101."""

    def __init__(self, tcp: asyncio.Transport, fields: Mapping[str, str]) -> None:
        super().__init__(Transport.HTTP1, fields)
        self._tcp = tcp

    def write(self, data: bytes) -> None:
        if not self._tcp.is_closing():
            self._tcp.write(data)

    def abort(self) -> None:
        self._tcp.abort()

    def _taken(self, _octets: int) -> None:
        if not self._tcp.is_closing():
            self._tcp.resume_reading()
