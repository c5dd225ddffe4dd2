"""What carries a client's WebSocket: HTTP/1.1 by a library that knows of no sessions, HTTP/2 and HTTP/3 by the SDK.

Over HTTP/3 a connection outlives a change of its client's address.
"""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from sbc.sdk.client import Refused as SdkRefused
from sbc.sdk.client import Transport, Unreachable
from sbc.sdk.client.stream import ByteStream, read_url
from sbc.sdk.client.ways import Ways
from sbc.sdk.client.websocket import WebSocket

OPEN_WITHIN = 4.0
MOST = 2**20
TRANSPORTS = ("http1", "http2", "http3")


class Refused(Exception):
    """The edge has said no. status: of HTTP."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status} {body}")
        self.status, self.body = status, body


class Unreached(Exception):
    """No edge has answered."""


class Socket(Protocol):
    """An open WebSocket."""

    fields: Mapping[str, str]
    """Of the answer, in lower case."""

    @property
    def ended(self) -> tuple[int, str]:
        """The code and the reason of its close; 1006 without one."""

    async def receive(self) -> str | None:
        """The next message; None: it is closed or lost."""

    async def send(self, text: str) -> None:
        """Raises ConnectionError."""

    async def ping(self) -> None:
        """Ask for a sign of life, and wait for it. Raises ConnectionError."""

    async def close(self, code: int) -> None: ...

    def abort(self) -> None: ...


async def dial(transport: str, edge: str, path: str, fields: Mapping[str, str], ca_file: str) -> Socket:
    """Raises Refused or Unreached."""
    try:
        async with asyncio.timeout(OPEN_WITHIN):
            if transport == "http1":
                return await _Library.dial(f"ws://{edge}:8080{path}", fields)
            return await _Sdk.dial(Transport.HTTP2 if transport == "http2" else Transport.HTTP3,
                                   f"https://{edge}:8443{path}", fields, ca_file)
    except InvalidStatus as refused:
        body = (refused.response.body or b"").decode(errors="replace")
        raise Refused(refused.response.status_code, body[:300]) from None
    except SdkRefused as refused:
        raise Refused(refused.status, refused.reason) from None
    except (OSError, TimeoutError, InvalidHandshake, ConnectionClosed, Unreachable) as fault:
        raise Unreached(repr(fault)[:200]) from None


class _Library:
    def __init__(self, socket: ClientConnection) -> None:
        assert socket.response is not None
        self.fields = {name.lower(): value for name, value in socket.response.headers.raw_items()}
        self._socket = socket

    @classmethod
    async def dial(cls, url: str, fields: Mapping[str, str]) -> "_Library":
        return cls(await connect(url, additional_headers=fields, compression=None, proxy=None, open_timeout=None,
                                 close_timeout=1, ping_interval=None, max_size=MOST))

    @property
    def ended(self) -> tuple[int, str]:
        return self._socket.close_code or 1006, self._socket.close_reason or ""

    async def receive(self) -> str | None:
        try:
            return str(await self._socket.recv())
        except ConnectionClosed:
            return None

    async def send(self, text: str) -> None:
        try:
            await self._socket.send(text)
        except ConnectionClosed as closed:
            raise ConnectionError(str(closed)) from None

    async def ping(self) -> None:
        try:
            await (await self._socket.ping())
        except ConnectionClosed as closed:
            raise ConnectionError(str(closed)) from None

    async def close(self, code: int) -> None:
        await self._socket.close(code)

    def abort(self) -> None:
        self._socket.transport.abort()


class _Sdk:
    def __init__(self, stream: ByteStream) -> None:
        self.fields = stream.fields
        self._socket = WebSocket(stream, MOST, self._note_pong)
        self._ponged = asyncio.Event()

    @classmethod
    async def dial(cls, transport: Transport, url: str, fields: Mapping[str, str], ca_file: str) -> "_Sdk":
        origin, path = read_url(url)
        named = {name.lower(): value for name, value in fields.items()}
        return cls(await Ways(origin, ca_file, [transport]).open(path, named))

    @property
    def ended(self) -> tuple[int, str]:
        return self._socket.close_code, self._socket.close_reason

    async def receive(self) -> str | None:
        message = await self._socket.receive()
        if message is None:
            self._ponged.set()
        return None if message is None else str(message)

    async def send(self, text: str) -> None:
        await self._socket.send(text)

    async def ping(self) -> None:
        self._ponged.clear()
        self._socket.ping(b"")
        await self._ponged.wait()

    def _note_pong(self, _payload: bytes) -> None:
        self._ponged.set()

    async def close(self, code: int) -> None:
        """Whoever closes does not wait for an answer: the bytes are on their way."""
        self._socket.close(code, "")
        await asyncio.sleep(0.05)
        self._socket.abort()

    def abort(self) -> None:
        self._socket.abort()
