"""Nodes and trunks of bare bytes, inside the test's own process: for what no honest node would do."""

import asyncio
import base64
import contextlib
import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from tests.support.wait import wait_until

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
Behave = Callable[[str, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What to do with a leg whose request head (text) has been read."""


def accepted(head: str, *lines: str) -> bytes:
    """The honest 101 to a request head."""
    key = next(line.split(":", 1)[1].strip() for line in head.split("\r\n")
               if line.lower().startswith("sec-websocket-key:"))
    accept = base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()
    return "\r\n".join(["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
                        f"Sec-WebSocket-Accept: {accept}", *lines, "", ""]).encode()


class StubNode:
    """Answers probes with 200, and hands every leg to `behave`. Counts the legs."""

    def __init__(self, behave: Behave) -> None:
        self.behave, self.legs, self.heads = behave, 0, list[str]()
        self.port = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                if "upgrade: websocket" in head.lower():
                    break
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            self.legs += 1
            self.heads.append(head)
            await self.behave(head, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def stop(self) -> None:
        """Stop listening and reset what is open."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()


class RawTrunk:
    """A trunk under a test's hand: says what it is told to, and keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self._http: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None

    async def dial(self, url: str, **headers: str) -> None:
        """Open it. Raises aiohttp.ClientError."""
        self._http = aiohttp.ClientSession()
        self._socket = await self._http.ws_connect(url, protocols=["sbc-trunk.v1"], headers=headers)
        self._reader = asyncio.create_task(self._read(self._socket))

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                self.heard.append(json.loads(message.data))

    async def register(self, node: str, url: str, pool: str = "tutors", **more: Any) -> None:
        """Introduce a node and wait for `registered`."""
        await self.send(type="register", node=node, pool=pool, url=url,
                        **({"zone": "", "labels": {}, "capacity": 10, "checkpoints": True} | more))
        await self.hears("registered")

    async def send(self, **message: Any) -> None:
        """One message."""
        await self.text(json.dumps(message))

    async def text(self, text: str) -> None:
        """Any text; a trunk that the edge has closed swallows it."""
        assert self._socket is not None
        with contextlib.suppress(ConnectionError):
            if not self._socket.closed:
                await self._socket.send_str(text)

    async def hears(self, kind: str) -> dict[str, Any]:
        """The first message of this type, waited for."""
        return await wait_until(lambda: next((m for m in self.heard if m["type"] == kind), None), f"trunk says {kind}")

    @property
    def closed(self) -> bool:
        return self._reader is not None and self._reader.done()

    async def close(self) -> None:
        """Hang up; harmless at any time."""
        if self._socket is not None:
            await self._socket.close()
        if self._http is not None:
            await self._http.close()
