"""The load: WebSocket clients in a process of their own, which does what it is asked by lines of JSON.

    open     {set, url, ca, n}                     open n connections and keep them under a name
    echo     {set, size, tokens, count, within}    `tokens` messages in flight on every connection
    spread   {set, size, tokens, count, within}    `tokens` messages in flight in all; each answer sends the next
                                                   message on the next connection
    pace     {set, size, rate, count, within}      `rate` messages a second in all, on one connection after another
    sessions {url, ca, size, parallel, count, within}   open, one echo, close
    close    {set}

Every answer must be, byte for byte, the message that was sent; anything else is an error and ends the bench.
"""

import asyncio
import contextlib
import itertools
import ssl
import time
from typing import Any

import uvloop
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from bench.common.asked import answer_questions
from bench.common.certificate import client_context
from bench.common.processes import raise_file_limit

CHUNK = 32
"""Connections opened at a time."""
TICK = 0.001
"""How often paced messages are sent, in seconds."""


class Run:
    """One run of messages over a set of connections: counts them, and ends at the count or the time."""

    def __init__(self, clients: list["Client"], size: int, count: int, tokens: int = 0, spread: bool = False,
                 rate: int = 0) -> None:
        self.clients = clients
        self.message = (b"0123456789abcdef" * (size // 16 + 1))[:size]
        self.tokens = tokens
        self.spread = spread
        self.rate = rate
        self.began = time.perf_counter()
        self.count = count
        self.unsent = count
        self.owed = 0
        self.echoed = 0
        self.turn = itertools.cycle(clients)
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self) -> None:
        """Put the tokens in play."""
        for client in self.clients:
            client.run = self
        if self.rate:
            self.tick()
        elif self.spread:
            for _ in range(self.tokens):
                self.send(next(self.turn))
        else:
            for client in self.clients:
                for _ in range(self.tokens):
                    self.send(client)

    def tick(self) -> None:
        """What is due by now, at an even rate."""
        due = min(self.count, int((time.perf_counter() - self.began) * self.rate) + 1)
        while self.unsent > self.count - due:
            self.send(next(self.turn))
        if self.unsent > 0:
            asyncio.get_running_loop().call_later(TICK, self.tick)

    def send(self, client: "Client") -> None:
        """One message more, unless enough were sent."""
        if self.unsent > 0:
            self.unsent -= 1
            self.owed += 1
            client.transport.send(WSMsgType.TEXT, self.message)

    def answered(self, client: "Client", payload: memoryview) -> None:
        """An answer to one of them."""
        if payload != self.message:
            self.fail("an answer that is not what was sent")
        self.owed -= 1
        self.echoed += 1
        if not self.rate:
            self.send(next(self.turn) if self.spread else client)
        if not self.owed and not self.unsent and not self.over.done():
            self.over.set_result(None)

    def fail(self, why: str) -> None:
        """The run is worth nothing."""
        if not self.over.done():
            self.over.set_exception(ConnectionError(why))


class Client(WSListener):
    """One connection."""

    transport: WSTransport
    run: Run | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.TEXT and self.run is not None:
            self.run.answered(self, frame.get_payload_as_memoryview())
        elif frame.msg_type is WSMsgType.CLOSE:
            # Not graceful: over TLS that would wait for the proxy's close_notify, which Envoy delays by a second.
            transport.disconnect(graceful=False)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if self.run is not None:
            self.run.fail("a connection was closed")


class Load:
    """The sets of connections, by name."""

    def __init__(self) -> None:
        self.sets: dict[str, list[Client]] = {}
        self.contexts: dict[str, ssl.SSLContext] = {}

    async def do(self, question: dict[str, Any]) -> dict[str, Any]:
        """Answer one question."""
        match question.pop("do"):
            case "open":
                return await self.open(**question)
            case "close":
                return await self.close(**question)
            case "echo" | "pace":
                return await self.messages(**question)
            case "spread":
                return await self.messages(spread=True, **question)
            case "sessions":
                return await self.sessions(**question)
            case other:
                raise ValueError(f"no such thing to do: {other}")

    async def connect(self, url: str, ca: str) -> Client:
        context = None
        if url.startswith("wss:"):
            context = self.contexts.setdefault(ca, client_context(ca))
        _, client = await ws_connect(Client, url, ssl_context=context, use_aiofastnet=False,
                                     read_buffer_init_size=8192, websocket_handshake_timeout=15)
        assert isinstance(client, Client)
        return client

    async def open(self, set: str, url: str, ca: str, n: int) -> dict[str, Any]:
        opened = self.sets.setdefault(set, [])
        while n > 0:
            opened += await asyncio.gather(*(self.connect(url, ca) for _ in range(min(n, CHUNK))))
            n -= CHUNK
        return {"open": len(opened)}

    async def close(self, set: str) -> dict[str, Any]:
        clients = self.sets.pop(set, [])
        await asyncio.gather(*(self.leave(client) for client in clients))
        return {"closed": len(clients)}

    async def leave(self, client: Client) -> None:
        """A close handshake, as a client does it."""
        client.run = None
        client.transport.send_close(WSCloseCode.OK)
        async with asyncio.timeout(10):
            await client.transport.wait_disconnected()

    async def messages(self, set: str, within: float, **wanted: Any) -> dict[str, Any]:
        return await self.carry_out(Run(self.sets[set], **wanted), within)

    async def carry_out(self, run: Run, within: float) -> dict[str, Any]:
        def enough() -> None:
            run.unsent = 0
            if not run.owed and not run.over.done():
                run.over.set_result(None)

        timer = asyncio.get_running_loop().call_later(within, enough)
        began = time.perf_counter()
        run.start()
        async with asyncio.timeout(within + 10):
            await run.over
        timer.cancel()
        for client in run.clients:
            client.run = None
        return {"count": run.echoed, "seconds": time.perf_counter() - began}

    async def sessions(self, url: str, ca: str, size: int, parallel: int, count: int,
                       within: float) -> dict[str, Any]:
        began = time.perf_counter()
        left = itertools.count(count, -1)
        done = 0

        async def walk() -> None:
            nonlocal done
            while next(left) > 0 and time.perf_counter() - began < within:
                client = await self.connect(url, ca)
                await self.carry_out(Run([client], size, 1, tokens=1), 10)
                await self.leave(client)
                done += 1

        await asyncio.gather(*(walk() for _ in range(parallel)))
        return {"count": done, "seconds": time.perf_counter() - began}


if __name__ == "__main__":
    raise_file_limit()
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(answer_questions(Load().do))
