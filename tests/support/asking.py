"""Clients that ask over HTTP: streams of events as clients see them, and the configuration that such tests share."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.support.scene import Scene
from tests.support.wait import PATIENCE, wait_until

HEADER = {"header": "X-Chat"}


def web(scene: Scene, *, protocol: str = "sse", session: dict[str, Any] | None = None, path: str = "/",
        limits: dict[str, Any] | None = None, **migration: Any) -> dict[str, Any]:
    """Changes to the configuration: one listener for HTTP, one route. `migration` goes into the agent's manifest."""
    port = scene.edge.port
    route = {"match": {"path": path}, "agent": "tutor", "protocol": protocol, "policy": "default"}
    return {
        "listeners": [{"name": "plain", "listen": f"127.0.0.1:{port}", "transports": ["http1", "http2", "websocket"]}],
        "agents": {"tutor": {"migration": migration}},
        "policies": {"default": {"limits": limits or {}}},
        "routes": [route | ({"session": session} if session is not None else {"session": HEADER})],
    }


def url(scene: Scene, path: str) -> str:
    return f"http://127.0.0.1:{scene.edge.port}{path}"


@contextlib.asynccontextmanager
async def asking(address: str = "127.0.0.1") -> AsyncIterator[aiohttp.ClientSession]:
    """A client that keeps its connections, and no cookies."""
    connector = aiohttp.TCPConnector(local_addr=(address, 0), limit=0)
    timeout = aiohttp.ClientTimeout(total=None, sock_read=PATIENCE)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(),
                                     timeout=timeout) as http:
        yield http


@dataclass(slots=True)
class Heard:
    """One event."""

    data: str
    name: str = ""
    identity: str = ""

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.data))


@dataclass(slots=True)
class Stream:
    """The answer to one request, read as it comes."""

    events: list[Heard] = field(default_factory=list)
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    """All of it, if it is no event stream."""
    end: str = ""
    """`whole`, `cut`; empty as long as it goes on."""
    unfinished: bytes = b""
    """Of an event whose end has not come."""
    _task: "asyncio.Task[None] | None" = None
    _answer: aiohttp.ClientResponse | None = None

    @classmethod
    def opened(cls, http: aiohttp.ClientSession, method: str, address: str, **how: Any) -> "Stream":
        """Ask, and read on beside everything else."""
        stream = cls()
        stream._task = asyncio.create_task(stream._read(http, method, address, how))
        return stream

    async def _read(self, http: aiohttp.ClientSession, method: str, address: str, how: dict[str, Any]) -> None:
        try:
            async with http.request(method, address, **how) as answer:
                self._answer = answer
                self.status, self.headers = answer.status, {k.lower(): v for k, v in answer.headers.items()}
                streams = answer.content_type == "text/event-stream"
                async for piece in answer.content.iter_any():
                    self._feed(piece) if streams else self._add(piece)
            self.end = "whole"
        except (aiohttp.ClientError, OSError):
            self.end = "cut"

    def _add(self, piece: bytes) -> None:
        self.body += piece

    def _feed(self, piece: bytes) -> None:
        *whole, self.unfinished = (self.unfinished + piece).split(b"\n\n")
        for text in whole:
            fields = dict(line.split(": ", 1) for line in text.decode().split("\n") if ": " in line and line[0] != ":")
            if "data" in fields:
                self.events.append(Heard(fields["data"], fields.get("event", ""), fields.get("id", "")))

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))

    @property
    def node(self) -> str:
        """Who spoke last."""
        return str(self.events[-1].json["node"])

    async def has(self, count: int) -> None:
        """Wait until so many events came."""
        await wait_until(lambda: len(self.events) >= count or self.end, f"{count} events")
        assert len(self.events) >= count, f"{self.end} after {len(self.events)} of {count} events: {self}"

    async def ended(self) -> str:
        """Wait for its end: `whole` or `cut`."""
        await wait_until(lambda: self.end, f"the end of an answer: {len(self.events)} events")
        return self.end

    async def leave(self) -> None:
        """Close the connection in the middle."""
        assert self._answer is not None and self._task is not None
        self._answer.close()
        await asyncio.wait([self._task])
