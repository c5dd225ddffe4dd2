"""What carries a client's requests: aiohttp on HTTP/1.1, httpx on HTTP/2, tests/support/h3_client.py on HTTP/3."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import httpx
from h2.exceptions import H2Error

from tests.chaos.carriers import OPEN_WITHIN, Unreached
from tests.support.answer import Answer as H3Answer
from tests.support.h3_client import H3Client

LOOK = 0.02
"""Seconds between two looks at what has come over HTTP/3."""
PING = 1.0
"""Seconds after which a client over HTTP/3 that only hears shows where it is."""


class Broken(Exception):
    """The answer did not come whole."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """In lower case."""
    pieces: AsyncIterator[bytes]
    """Raises Broken."""

    async def read(self) -> bytes:
        """All of it. Raises Broken."""
        return b"".join([piece async for piece in self.pieces])


class Asking(Protocol):
    """The connections of one client."""

    def ask(self, method: str, edge: str, path: str, headers: Mapping[str, str],
            body: Any = None) -> AbstractAsyncContextManager[Answer]:
        """body: as JSON. Raises Unreached if no connection was made; Broken."""


@contextlib.asynccontextmanager
async def asking(transport: str, ca_file: str) -> AsyncIterator[Asking]:
    """The way that one client asks."""
    async with AsyncExitStack() as stack:
        match transport:
            case "http1":
                timeout = aiohttp.ClientTimeout(total=None, sock_connect=OPEN_WITHIN)
                yield _Http1(await stack.enter_async_context(
                    aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), timeout=timeout)))
            case "http2":
                asks = _Http2(ca_file)
                stack.push_async_callback(asks.close)
                yield asks
            case _:
                made = _Http3(ca_file)
                stack.callback(made.close)
                yield made


class _Http1:
    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    @contextlib.asynccontextmanager
    async def ask(self, method: str, edge: str, path: str, headers: Mapping[str, str],
                  body: Any = None) -> AsyncGenerator[Answer]:
        try:
            async with self._http.request(method, f"http://{edge}:8080{path}", headers=headers, json=body) as answer:
                yield Answer(answer.status, {name.lower(): value for name, value in answer.headers.items()},
                             answer.content.iter_any())
        except aiohttp.ClientConnectorError as fault:
            raise Unreached(repr(fault)[:200]) from None
        except (aiohttp.ClientError, OSError) as fault:
            raise Broken(repr(fault)[:200]) from None


class _Http2:
    """Connections that are left when an answer does not come whole: the library would ask over them again."""

    def __init__(self, ca_file: str) -> None:
        self._trusts = ssl.create_default_context(cafile=ca_file)
        self._http = self._made()

    def _made(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(http1=False, http2=True, verify=self._trusts, trust_env=False,
                                 timeout=httpx.Timeout(None, connect=OPEN_WITHIN))

    async def close(self) -> None:
        await self._http.aclose()

    @contextlib.asynccontextmanager
    async def ask(self, method: str, edge: str, path: str, headers: Mapping[str, str],
                  body: Any = None) -> AsyncGenerator[Answer]:
        http = self._http
        try:
            async with http.stream(method, f"https://{edge}:8443{path}", headers=dict(headers), json=body) as answer:
                yield Answer(answer.status_code, dict(answer.headers), answer.aiter_raw())
        except (httpx.ConnectError, httpx.ConnectTimeout) as fault:
            raise Unreached(repr(fault)[:200]) from None
        # After a GOAWAY that library takes no data, and httpx does not know.
        except (httpx.HTTPError, httpx.StreamError, H2Error, OSError) as fault:
            await self._leave(http)
            raise Broken(repr(fault)[:200]) from None
        except BaseException:
            await self._leave(http)
            raise

    async def _leave(self, http: httpx.AsyncClient) -> None:
        self._http = self._made()
        with contextlib.suppress(httpx.HTTPError, H2Error, OSError, RuntimeError):
            await http.aclose()


class _Http3:
    """A connection to each edge, for as long as it is good."""

    def __init__(self, ca_file: str) -> None:
        self._trust = Path(ca_file).read_bytes()
        self._connections: dict[str, H3Client] = {}

    def close(self) -> None:
        for edge in list(self._connections):
            self._drop(edge)

    @contextlib.asynccontextmanager
    async def ask(self, method: str, edge: str, path: str, headers: Mapping[str, str],
                  body: Any = None) -> AsyncGenerator[Answer]:
        client = await self._connected(edge)
        try:
            more = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
            stream = client.ask(path.encode(), method=method.encode(), end=body is None, more=more)
            if body is not None:
                client.send(stream, json.dumps(body).encode(), end=True)
            came = client.answers[stream]
            await _until(client, came, lambda: bool(came.fields))
            yield Answer(came.status, {name.decode(): value.decode() for name, value in came.fields.items()},
                         _pieces(client, came))
            if not came.over:
                client.reset(stream)
        except BaseException:
            self._drop(edge)
            raise

    async def _connected(self, edge: str) -> H3Client:
        client = self._connections.get(edge)
        if client is None or client.closing:
            self._drop(edge)
            client = H3Client("qh3", trust=self._trust, name=edge)
            client.begin(8443, edge, "0.0.0.0")
            try:
                async with asyncio.timeout(OPEN_WITHIN):
                    await _until(client, H3Answer(), lambda: client.shaken)
            except (Broken, TimeoutError) as fault:
                client.drop()
                raise Unreached(repr(fault)[:200]) from None
            self._connections[edge] = client
        return client

    def _drop(self, edge: str) -> None:
        if (client := self._connections.pop(edge, None)) is not None:
            client.close()


async def _pieces(client: H3Client, answer: H3Answer) -> AsyncIterator[bytes]:
    at = 0
    while True:
        await _until(client, answer, lambda at=at: len(answer.body) > at or answer.complete)
        if len(answer.body) == at:
            return
        piece = bytes(answer.body[at:])
        at += len(piece)
        yield piece


async def _until(client: H3Client, answer: H3Answer, there: Callable[[], bool]) -> None:
    """Wait, and tell the edge now and then where the client is. Raises Broken if it will never be."""
    loop = asyncio.get_running_loop()
    due = loop.time() + PING
    while not there():
        if client.closed is not None or answer.reset is not None:
            raise Broken(f"closed: {client.closed}, reset: {answer.reset}")
        if client.shaken and loop.time() >= due:
            client.ping()
            due += PING
        await asyncio.sleep(LOOK)
