"""A WebSocket client of bare bytes: for what no well-behaved library would send."""

import asyncio
import base64
import os
import ssl
import struct
from typing import NamedTuple

from tests.support.wait import PATIENCE

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MASK = b"\x11\x22\x33\x44"


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True,
          length: int | None = None, width: int | None = None) -> bytes:
    """One frame, RFC 6455 5.2. `length` claims another length; `width` (7, 16, 64 bits) how it is written."""
    size = len(payload) if length is None else length
    if width is None:
        width = 7 if size < 126 else 16 if size < 65536 else 64
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if masked else 0
    head += {7: lambda: bytes([bit | size]), 16: lambda: struct.pack("!BH", bit | 126, size),
             64: lambda: struct.pack("!BQ", bit | 127, size)}[width]()
    if not masked:
        return head + payload
    return head + MASK + bytes(byte ^ MASK[at % 4] for at, byte in enumerate(payload))


async def unmasked_payload(reader: asyncio.StreamReader) -> bytes | None:
    """The payload of the next frame of a client; None at the end of the stream."""
    try:
        size = (await reader.readexactly(2))[1] & 0x7F
        if size > 125:
            size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8))
        mask, masked = await reader.readexactly(4), await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return bytes(byte ^ mask[at % 4] for at, byte in enumerate(masked))


def close_frame(code: int | None, reason: bytes = b"") -> bytes:
    """A masked close frame; without a code, an empty one."""
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


def upgrade(path: str = "/", *lines: str, without: str = "", host: str = "edge.test") -> bytes:
    """An honest upgrade, with `lines` added and every header whose name starts with `without` left out."""
    key = base64.b64encode(os.urandom(16)).decode()
    usual = [f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}",
             "Sec-WebSocket-Version: 13"]
    kept = [line for line in usual if not without or not line.lower().startswith(without.lower())]
    return "\r\n".join([f"GET {path} HTTP/1.1", *kept, *lines, "", ""]).encode("latin-1")


class Answer(NamedTuple):
    """The head of an HTTP answer."""

    status: int
    headers: dict[str, str]


class Frame(NamedTuple):
    opcode: int
    payload: bytes
    fin: bool

    @property
    def code(self) -> int | None:
        """The close code, of a close frame that has one."""
        return struct.unpack("!H", self.payload[:2])[0] if len(self.payload) >= 2 else None


class RawClient:
    """A TCP connection to the edge. Every read has a deadline; the end of the stream is an answer too: None."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, port: int, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> "RawClient":
        """Connect from `address`."""
        name = "localhost" if tls else None
        return cls(*await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0), ssl=tls,
                                                  server_hostname=name))

    @classmethod
    async def opened(cls, port: int, *lines: str, path: str = "/") -> "RawClient":
        """With the upgrade done. Raises AssertionError if it is refused."""
        client = await cls.connect(port)
        await client.send(upgrade(path, *lines))
        answer = await client.head()
        assert answer is not None and answer.status == 101, answer
        return client

    async def send(self, *parts: bytes) -> None:
        """Write; an edge that has hung up already is for the reads to find out."""
        try:
            self.writer.write(b"".join(parts))
            await self.writer.drain()
        except ConnectionError:
            pass

    async def head(self, patience: float = PATIENCE) -> Answer | None:
        """The head of the answer; None if the connection ended without one."""
        async with asyncio.timeout(patience):
            try:
                text = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            except (asyncio.IncompleteReadError, ConnectionError):
                return None
        first, *lines = text[:-4].split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return Answer(int(first.split(" ")[1]), headers)

    async def frame(self, patience: float = PATIENCE) -> Frame | None:
        """The next frame of the edge; None at the end of the stream."""
        async with asyncio.timeout(patience):
            try:
                first, second = await self.reader.readexactly(2)
                assert not second & 0x80, "a server must not mask (RFC 6455 5.1)"
                size = second & 0x7F
                if size == 126:
                    size = struct.unpack("!H", await self.reader.readexactly(2))[0]
                elif size == 127:
                    size = struct.unpack("!Q", await self.reader.readexactly(8))[0]
                return Frame(first & 0x0F, await self.reader.readexactly(size), bool(first & 0x80))
            except (asyncio.IncompleteReadError, ConnectionError):
                return None

    async def close_code(self, patience: float = PATIENCE) -> int | None:
        """Read on to the edge's close frame, past any others: its code. None if the stream ended without one."""
        while (got := await self.frame(patience)) is not None:
            if got.opcode == CLOSE:
                return got.code
        return None

    async def ended(self, patience: float = PATIENCE) -> bool:
        """Whether the edge ends the connection in time; what it still sends is thrown away."""
        try:
            async with asyncio.timeout(patience):
                while await self.reader.read(65536):
                    pass
        except TimeoutError:
            return False
        except ConnectionError:
            pass
        return True

    def abort(self) -> None:
        """Reset the connection."""
        self.writer.transport.abort()
