"""A listener with a scripted reception behind it, and clients of bare bytes: the doors alone, on real sockets."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sbc.model.errors import Refusal
from sbc.model.http import Fields, Request, Response
from sbc.model.streams import ClientStream
from sbc.telemetry.metrics import QuicTally
from sbc.transports.entrance import DoorTerms, protocols
from sbc.transports.listener import Listener, Security
from sbc.transports.sockets import Sockets, bind_all
from tests.support.wait import PATIENCE, wait_until
from tests.wire.tls import AUTHORITY, client_context


class Taken:
    """A request that came in: Asker, and what it was told."""

    def __init__(self, stream: ClientStream, request: Request, octets: int) -> None:
        self.stream, self.request, self.octets = stream, request, octets
        self.content = bytearray()
        self.told: list[str] = []
        self.trailers: Fields | None = None
        self.on_body: Callable[[bytes], None] = self.content.extend
        self.on_end: Callable[[], None] = lambda: None

    def body(self, data: bytes) -> None:
        assert data and "ended" not in self.told
        self.on_body(data)

    def body_ended(self, trailers: Fields) -> None:
        self.told.append("ended")
        self.trailers = trailers
        self.on_end()

    def client_gone(self) -> None:
        self.told.append("gone")

    def client_slow(self) -> None:
        assert self.stream.congested
        self.told.append("slow")

    def client_ready(self) -> None:
        assert not self.stream.congested
        self.told.append("ready")

    def answer(self, body: bytes = b"", status: int = 200, fields: Fields | None = None) -> None:
        """Answer at once, with a length."""
        self.stream.respond(Response(status, fields or [], len(body)), end=not body)
        if body:
            self.stream.send(body)
            self.stream.finish([])


class Script:
    """Implements Reception. `play` is called with each request; by default it is answered with its own target."""

    def __init__(self, play: Callable[[Taken], None] | None = None) -> None:
        self.play = play or (lambda taken: taken.answer(taken.request.target))
        self.taken: list[Taken] = []
        self.refusals: list[Refusal] = []
        self.abuses: list[str] = []
        self.greeted: list[Any] = []
        self.standing = 0
        self.most = 1000
        self.head = (8192, 50, 10.0)

    def arrived(self) -> bool:
        if self.standing >= self.most:
            return False
        self.standing += 1
        return True

    def departed(self) -> None:
        self.standing -= 1

    def limits(self) -> tuple[int, int, float]:
        return self.head

    def greet(self, doorstep: Any, hello: Any, octets: int) -> None:
        self.greeted.append(hello)
        doorstep.refuse(Refusal(503, "greeted", "that is all"))

    def request(self, stream: ClientStream, request: Request, octets: int) -> Taken:
        taken = Taken(stream, request, octets)
        self.taken.append(taken)
        self.play(taken)
        return taken

    def abused(self, kind: str, client: str, listener: str) -> None:
        self.abuses.append(kind)

    wary = False

    def bars(self, client: str, listener: str, *, proven: bool = True) -> bool:
        return False

    def refused(self, refusal: Any, hello: Any) -> None:
        self.refusals.append(refusal)


class Answer:
    """A whole answer."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes, trailers: dict[str, str]) -> None:
        self.status, self.headers, self.body, self.trailers = status, headers, body, trailers


class Client:
    """One connection of bare bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, *parts: bytes) -> None:
        self.writer.write(b"".join(parts))

    async def answer(self, method: str = "GET") -> Answer:
        """Read one answer. Raises asyncio.IncompleteReadError if it is cut short, ConnectionError if reset."""
        async with asyncio.timeout(PATIENCE):
            status, headers = await self.head()
            if method == "HEAD" or status in (204, 304) or status < 200:
                return Answer(status, headers, b"", {})
            if "content-length" in headers:
                return Answer(status, headers, await self.reader.readexactly(int(headers["content-length"])), {})
            if headers.get("transfer-encoding") == "chunked":
                return Answer(status, headers, *await self._chunks())
            return Answer(status, headers, await self.reader.read(), {})

    async def head(self) -> tuple[int, dict[str, str]]:
        async with asyncio.timeout(PATIENCE):
            first, *lines = (await self.reader.readuntil(b"\r\n\r\n"))[:-4].decode("latin-1").split("\r\n")
        assert first.startswith("HTTP/1.1 "), first
        return int(first.split(" ")[1]), dict(line.split(": ", 1) for line in (each.lower() for each in lines))

    async def _chunks(self) -> tuple[bytes, dict[str, str]]:
        body = b""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            body += await self.reader.readexactly(size)
            assert await self.reader.readexactly(2) == b"\r\n"
        trailers = {}
        while (line := await self.reader.readuntil(b"\r\n")) != b"\r\n":
            name, _, value = line.decode("latin-1").strip().partition(": ")
            trailers[name] = value
        return body, trailers

    async def ended(self) -> bytes:
        """What still comes until the edge closes. Raises ConnectionError if it resets."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read()

    async def was_reset(self) -> bool:
        try:
            await self.ended()
        except ConnectionResetError:
            return True
        return False

    def deaf(self, deaf: bool) -> None:
        """Whether nothing is read from the socket."""
        transport: Any = self.writer.transport
        (transport.pause_reading if deaf else transport.resume_reading)()

    def close(self) -> None:
        self.writer.transport.abort()


class Doorway:
    """The listener and its clients, for the time of an `async with`."""

    def __init__(self, play: Callable[[Taken], None] | None = None, *transports: str,
                 certificate: tuple[str, str] | None = None) -> None:
        self.script = Script(play)
        served = frozenset(transports or ("http1",))
        security = Security((certificate,), "1.2", tuple(protocols(served))) if certificate else None
        self.listener = Listener("door", self.script, security, DoorTerms(served), QuicTally())
        self.tls: ssl.SSLContext | None = client_context() if certificate else None
        self.port = 0
        self.clients: list[Client] = []

    async def __aenter__(self) -> "Doorway":
        self.port = await self.listener.start(bind_all("127.0.0.1", 0, self.listener.terms, Sockets()))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.listener.close()
        for client in self.clients:
            client.close()
        await wait_until(lambda: self.script.standing == 0, "every connection is counted off")

    async def client(self, *first: bytes, receive_buffer: int | None = None) -> Client:
        """Connect and send."""
        sock = socket.socket()
        sock.setblocking(False)
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        client = Client(*await asyncio.open_connection(
            sock=sock, limit=1 << 20, ssl=self.tls, server_hostname="localhost" if self.tls else None))
        self.clients.append(client)
        client.send(*first)
        return client

    async def requests(self, count: int) -> list[Taken]:
        """Wait for so many requests."""
        await wait_until(lambda: len(self.script.taken) >= count, f"{count} requests")
        return self.script.taken


def issued(directory: Path) -> tuple[str, str]:
    """A certificate for localhost, and its key, as files."""
    cert, key = directory / "localhost.crt", directory / "localhost.key"
    leaf = AUTHORITY.issue_cert("localhost")
    cert.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    key.write_bytes(leaf.private_key_pem.bytes())
    return str(cert), str(key)


def get(target: str = "/", *lines: str, method: str = "GET", version: str = "1.1",
        host: str | None = "edge.test") -> bytes:
    """A request head."""
    hosts = [] if host is None else [f"Host: {host}"]
    return "\r\n".join([f"{method} {target} HTTP/{version}", *hosts, *lines, "", ""]).encode("latin-1")
