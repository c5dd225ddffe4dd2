"""The bytes of an opened WebSocket, the same whatever carries them: HTTP/1.1, HTTP/2, HTTP/3."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol
from urllib.parse import urlsplit

ANSWER_WITHIN = 15.0
"""Seconds that an edge may take to answer a hello: it asks nodes first."""
ANSWER_OCTETS = 64 * 1024
"""The longest head of an answer, and of what an answer that refuses may say."""
CROWDED_OCTETS = 256 * 1024
"""What waits beyond that stops the other side, or the caller."""


class Transport(Enum):
    """The names are those of ALPN."""

    HTTP1 = "http/1.1"
    HTTP2 = "h2"
    HTTP3 = "h3"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an edge is."""

    secure: bool
    host: str
    port: int

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


def read_url(url: str) -> tuple[Origin, str]:
    """Where a URL leads, and its path with the query. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
        raise ValueError(f"not a URL of an edge: {url!r}")
    secure = parts.scheme in ("https", "wss")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Origin(secure, parts.hostname, parts.port or (443 if secure else 80)), path


class Unfit(ConnectionError):
    """The other side of a connection does not take WebSockets on it."""


class Connection(Protocol):
    """A connection to an edge, for one WebSocket."""

    transport: Transport

    async def open(self, path: str, fields: Mapping[str, str]) -> "ByteStream":
        """Ask for a WebSocket. fields: header fields with names in lower case. Raises Refused, Unfit or another
        ConnectionError."""

    def abort(self) -> None:
        """Drop it, with whatever is on it."""


class ByteStream:
    """Both directions of a WebSocket. Who carries it calls `fed` and `ended`, and overrides what is left open."""

    def __init__(self, transport: Transport, fields: Mapping[str, str]) -> None:
        """fields: of the answer."""
        self.transport = transport
        self.fields = fields
        self.over = False
        """Whether nothing comes any more."""
        self.writable = asyncio.Event()
        self.writable.set()
        self._came = bytearray()
        self._arrived = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many bytes came and were not read."""
        return len(self._came)

    async def read(self) -> bytes:
        """What came; empty at the end, be it orderly or not."""
        while not self._came:
            if self.over:
                return b""
            self._arrived.clear()
            await self._arrived.wait()
        data = bytes(self._came)
        self._came.clear()
        self._taken(len(data))
        return data

    async def drain(self) -> None:
        """Wait until what was written is on its way, or may wait. Raises ConnectionError when it is lost."""
        await self.writable.wait()
        if self.over:
            raise ConnectionError("the connection is gone")

    def write(self, data: bytes) -> None:
        """Send; at the end of the stream it goes nowhere."""
        raise NotImplementedError

    def abort(self) -> None:
        """Drop it, and the connection that carries it."""
        raise NotImplementedError

    def _taken(self, octets: int) -> None:
        """So much of what came was read."""
        raise NotImplementedError

    # For who carries it.

    def fed(self, data: bytes) -> None:
        """Something came."""
        self._came += data
        self._arrived.set()

    def ended(self) -> None:
        """Nothing comes any more."""
        self.over = True
        self._arrived.set()
        self.writable.set()
