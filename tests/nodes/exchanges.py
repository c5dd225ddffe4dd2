"""What the tests of node legs share: an exchange that notes what it is told, nodes of bare bytes, a pool with tasks."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from sbc.model.http import Fields, Request, Response
from sbc.model.ids import NodeId, PoolName
from sbc.model.node import Node
from sbc.model.streams import Answerer, NodeStream
from sbc.nodes.pool import Pool
from tests.support.wait import wait_until

Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def node_at(url: str, name: str = "a") -> Node:
    return Node(NodeId(f"pool/{name}"), PoolName("pool"), url)


def get(target: bytes = b"/", method: bytes = b"GET", **more: Any) -> Request:
    return Request(method, target, b"edge.test", more.pop("fields", []), **more)


class Heard(Answerer):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.interim: list[tuple[int, Fields]] = []
        self.response: Response | None = None
        self.body = b""
        self.trailers: Fields | None = None
        self.failure: tuple[str, bool, bool] | None = None
        """Why, sent, reached."""
        self.stream: NodeStream
        self.on: dict[str, Callable[[], None]] = {}
        """What to do when told so."""
        self.opening = False

    def _note(self, what: str) -> None:
        assert not self.opening or what == "sent", f"{what} from within an order"
        assert not self.over, f"{what} after {self.told}"
        self.told.append(what)
        if what in self.on:
            self.on[what]()

    @property
    def over(self) -> bool:
        return bool(self.told) and self.told[-1] in ("ended", "answered whole", "failed")

    def sent(self) -> None:
        self._note("sent")

    def informed(self, status: int, fields: Fields) -> None:
        self.interim.append((status, fields))
        self._note("informed")

    def answered(self, response: Response, *, end: bool, body: bytes = b"") -> None:
        self.response = response
        self._note("answered whole" if end and not body else "answered")
        if body and "answered" not in self.on:
            self.answer_body(body)
            if end and "body" not in self.on:
                self.answer_ended([])

    def answer_body(self, data: bytes) -> None:
        assert data
        self.body += data
        self._note("body")

    def answer_ended(self, trailers: Fields) -> None:
        self.trailers = trailers
        self._note("ended")

    def node_failed(self, reason: str, *, sent: bool, reached: bool) -> None:
        self.failure = (reason, sent, reached)
        self._note("failed")

    def node_slow(self) -> None:
        self._note("slow")

    def node_ready(self) -> None:
        self._note("ready")

    async def end(self) -> "Heard":
        """This, once it is over."""
        await wait_until(lambda: self.over, f"the end of an exchange, after {self.told}")
        return self

    async def status(self) -> int:
        """The answer's status, once the exchange is over; it must not have failed."""
        await self.end()
        assert self.failure is None, self.failure
        assert self.response is not None
        return self.response.status


class Asking:
    """A pool, and its tasks."""

    def __init__(self, engine: str = "auto") -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self.spawned = 0
        self.pool = Pool(self.spawn, engine)

    def spawn(self, _name: str, work: Awaitable[None]) -> None:
        self.spawned += 1
        task = asyncio.ensure_future(work)
        self.tasks.add(task)  # type: ignore[arg-type]
        task.add_done_callback(self.tasks.discard)  # type: ignore[arg-type]

    def ask(self, node: Node, request: Request, body: bytes | None = None) -> Heard:
        """Open an exchange; body: all of it at once."""
        heard = Heard()
        heard.opening = True
        heard.stream = self.pool.open(node, request, heard)
        if body is not None:
            heard.stream.send(body)
            heard.stream.finish([])
        heard.opening = False
        return heard

    async def close(self) -> None:
        self.pool.close()
        for task in tuple(self.tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


class RawNode:
    """A node of bare bytes: each connection is handed to `behave`."""

    def __init__(self, behave: Behave) -> None:
        self.behave = behave
        self.connections = 0
        self.node: Node
        self._server: asyncio.Server
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self, tls: Any = None) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        port = self._server.sockets[0].getsockname()[1]
        self.node = node_at(f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await self.behave(reader, writer)
        writer.close()
        self._writers.discard(writer)

    async def stop(self) -> None:
        self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()


@contextlib.asynccontextmanager
async def raw_node(behave: Behave, tls: Any = None) -> AsyncIterator[RawNode]:
    """A raw node for the time of a test."""
    node = RawNode(behave)
    await node.start(tls)
    try:
        yield node
    finally:
        await node.stop()


async def read_head(reader: asyncio.StreamReader) -> str:
    return (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection by a RST."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def answering(*answers: bytes, then: str = "wait") -> Behave:
    """Each request head gets the next of `answers`, then: wait | close | reset."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await read_head(reader)
            writer.write(answer)
            await writer.drain()
        if then == "wait":
            await reader.read()
        elif then == "reset":
            reset(writer)

    return behave
