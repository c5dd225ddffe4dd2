"""The edge with HTTP/3, for tests with real processes; and HTTP/3 in the place of aiohttp, so that the clients of
tests/support/asking.py ask over it as they are."""

import contextlib
import json as jsons
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from tests.support.asking import asking
from tests.support.h3_client import H3Client
from tests.support.scene import Scene
from tests.wire.tls import AUTHORITY

ENGINES = ["qh3", "aioquic"]
EVERYTHING = ["http1", "websocket", "http2", "quic"]


def secure(scene: Scene, changes: dict[str, Any] | None = None, *, engine: str = "auto",
           address: str = "127.0.0.1") -> dict[str, Any]:
    """`changes` with one listener that serves everything, over TLS and QUIC, in the place of any other."""
    issued = AUTHORITY.issue_cert("localhost", address, "edge.test")
    cert, key = scene.directory / "edge.crt", scene.directory / "edge.key"
    issued.cert_chain_pems[0].write_to_path(str(cert))
    issued.private_key_pem.write_to_path(str(key))
    AUTHORITY.cert_pem.write_to_path(ca_file(scene))
    changes = changes or {}
    return changes | {
        "edge": {"quic_engine": engine} | changes.get("edge", {}),
        "listeners": [{"name": "secure", "listen": f"{address}:{scene.edge.port}", "transports": EVERYTHING,
                       "tls": {"certificates": [{"cert": str(cert), "key": str(key)}]}}]}


def ca_file(scene: Scene) -> str:
    """Whose certificates `secure` uses."""
    return str(scene.directory / "ca.pem")


def trusted() -> bytes:
    """The same, as PEM."""
    return AUTHORITY.cert_pem.bytes()


class Answering:
    """One request, and its answer as aiohttp's ClientResponse has it, as far as tests/support/asking.py needs it."""

    def __init__(self, client: H3Client, method: str, address: str, headers: dict[str, str], body: bytes) -> None:
        parts = urlsplit(address)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        more = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        self._client = client
        self._stream = client.ask(path.encode(), method=method.encode(), end=not body, more=more)
        if body:
            client.send(self._stream, body, end=True)
        self._answer = client.answers[self._stream]
        self.status = 0
        self.headers: dict[str, str] = {}
        self.content_type = ""
        self.content = self

    async def __aenter__(self) -> "Answering":
        await self._comes(lambda: self._answer.fields or self._answer.over)
        if not self._answer.fields:
            raise aiohttp.ClientPayloadError("reset before its head")
        self.status = self._answer.status
        self.headers = {name.decode(): value.decode() for name, value in self._answer.fields.items()}
        self.content_type = self.headers.get("content-type", "").partition(";")[0]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, fault: BaseException | None,
                        trace: TracebackType | None) -> None:
        pass

    async def _comes(self, done: Any) -> None:
        try:
            await self._client.until(done, f"an answer on stream {self._stream}")
        except AssertionError as fault:
            raise aiohttp.ClientPayloadError(str(fault)) from None

    async def iter_any(self) -> AsyncIterator[bytes]:
        """The body, as it comes. Raises aiohttp.ClientPayloadError if it is not whole."""
        answer, at = self._answer, 0
        while True:
            await self._comes(lambda at=at: len(answer.body) > at or answer.over)
            piece = bytes(answer.body[at:])
            at += len(piece)
            if piece:
                yield piece
            elif answer.reset is not None:
                raise aiohttp.ClientPayloadError(f"reset: {answer.reset}")
            elif answer.complete:
                return

    def close(self) -> None:
        """Give it up."""
        self._client.reset(self._stream)
        self._answer.reset = self._answer.reset or 0


class Http3:
    """One connection, in the place of an aiohttp.ClientSession."""

    def __init__(self, client: H3Client) -> None:
        self.client = client

    def request(self, method: str, address: str, *, headers: dict[str, str] | None = None, data: Any = b"",
                json: Any = None) -> Answering:
        """Ask."""
        body = jsons.dumps(json).encode() if json is not None else data.encode() if isinstance(data, str) else data
        return Answering(self.client, method, address, headers or {}, body)


@contextlib.asynccontextmanager
async def asking_over(transport: str, scene: Scene) -> AsyncIterator[Any]:
    """A client in the place of `asking()`: over HTTP/1.1, or over HTTP/3 by the library named."""
    if transport == "http1":
        async with asking() as http:
            yield http
        return
    client = await H3Client.connect(scene.edge.port, transport, trust=trusted())
    try:
        yield Http3(client)
    finally:
        client.close()
