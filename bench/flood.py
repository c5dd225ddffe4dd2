"""A flood, and the node that takes it, in a process of its own that does what it is asked by lines of JSON.

    where   {}                     the node's port: it answers a WebSocket handshake and reads on; requests it answers
    begin   {port, path, kind}     one session that says as much as it can: kind 4096 or 64, the size of its messages;
                                   or `requests`: many at a time on one connection (HTTP/1.1, pipelined), and on the
                                   next one when a proxy has enough of it
    end     {}                     how much that was

It runs at the lowest priority: what others on its core feel is what the proxy does to them, not what this does.
"""

import asyncio
import base64
import contextlib
import hashlib
import os
import re
import time
from collections.abc import Callable
from typing import Any, cast

import uvloop

from bench.common.asked import answer_questions

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
AT_A_TIME = 64
"""Requests."""
BLOCK = 64 * 1024
"""Bytes that are written at once."""


class Sink(asyncio.Protocol):
    """The node's side of a connection."""

    def __init__(self) -> None:
        self.head = b""
        self.flooded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.flooded:
            return
        self.head += data
        *heads, self.head = self.head.split(b"\r\n\r\n")
        for head in heads:
            key = re.search(rb"(?i)\r\nsec-websocket-key: *(\S+)", head)
            if key is None:
                self.transport.write(ANSWER)
            else:
                self.flooded = True
                accept = base64.b64encode(hashlib.sha1(key[1] + GUID).digest())
                self.transport.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                     b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")


class Flood(asyncio.Protocol):
    """The client's side."""

    def __init__(self, path: str, kind: int | str) -> None:
        self.path = path.encode()
        self.requests = kind == "requests"
        self.message = b"" if self.requests else _frame(int(kind))
        self.block = self.message * max(1, BLOCK // max(1, len(self.message)))
        self.sent = 0
        self.answered = 0
        self.open = self.writing = False
        self.fault = ""
        self.gone: Callable[[], None] = lambda: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self.requests:
            self.ask(AT_A_TIME)
            return
        self.transport.write(b"GET " + self.path + b" HTTP/1.1\r\nHost: bench.test\r\nUpgrade: websocket\r\n"
                             b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                             b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")

    def ask(self, times: int) -> None:
        self.sent += times
        request = b"GET " + self.path + b" HTTP/1.1\r\nHost: bench.test\r\nX-Session: flood\r\n\r\n"
        self.transport.write(request * times)

    def data_received(self, data: bytes) -> None:
        if self.requests:
            done = data.count(b"HTTP/1.1 200")
            self.answered += done
            if done and not self.transport.is_closing():
                self.ask(done)
            elif b"HTTP/1.1 " in data:
                self.fault = data[:200].decode(errors="replace")
        elif not self.open:
            if not data.startswith(b"HTTP/1.1 101"):
                self.fault = data[:200].decode(errors="replace")
                self.transport.close()
                return
            self.open = self.writing = True
            self.write()

    def connection_lost(self, error: Exception | None) -> None:
        self.gone()

    def write(self) -> None:
        if self.writing and not self.transport.is_closing():
            self.transport.write(self.block)
            self.sent += len(self.block) // len(self.message)
            asyncio.get_running_loop().call_soon(self.write)

    def pause_writing(self) -> None:
        self.writing = False

    def resume_writing(self) -> None:
        self.writing = True
        self.write()


def _frame(size: int) -> bytes:
    """A binary message of a client, its mask all zeros."""
    length = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + size.to_bytes(2, "big")
    return b"\x82" + length + bytes(4) + b"x" * size


class Work:
    """What the bench asks for."""

    def __init__(self) -> None:
        self.flood: Flood | None = None
        self.began = 0.0
        self.before = 0
        """Requests that were answered on former connections."""
        self.again: asyncio.Task[None] | None = None

    async def do(self, question: dict[str, Any]) -> dict[str, Any]:
        match question.pop("do"):
            case "where":
                server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
                return {"port": server.sockets[0].getsockname()[1]}
            case "begin":
                self.before, self.began = 0, time.perf_counter()
                await self.open(**question)
                return {}
            case "end":
                return {"a_second": self.end() / (time.perf_counter() - self.began)}
            case other:
                raise ValueError(f"no such thing to do: {other}")

    async def open(self, port: int, path: str, kind: int | str) -> None:
        def gone() -> None:
            if flood.requests and flood.answered and self.flood is flood:
                self.before += flood.answered
                self.again = asyncio.get_running_loop().create_task(self.open(port, path, kind))

        self.flood = flood = Flood(path, kind)
        flood.gone = gone
        await asyncio.get_running_loop().create_connection(lambda: flood, "127.0.0.1", port)

    def end(self) -> int:
        flood, self.flood = self.flood, None
        assert flood is not None
        lost = not flood.requests and flood.transport.is_closing()
        flood.transport.abort()
        if flood.fault or lost:
            raise ConnectionError(f"the flood was not let in: {flood.fault}")
        return self.before + flood.answered if flood.requests else flood.sent


if __name__ == "__main__":
    os.nice(19)
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(answer_questions(Work().do))
