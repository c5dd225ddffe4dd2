"""The edge's side of a node, written by hand from docs/DESIGN.md sections 5.3 and 5.4, for the tests of the SDK."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from sbc.sdk import Node
from tests.support.wait import PATIENCE, wait_until

Message = dict[str, Any]
NodeLeg = aiohttp.ClientWebSocketResponse


class Edge:
    """Listens for trunks, remembers what nodes say, and says what the test wants."""

    def __init__(self, http: aiohttp.ClientSession, name: str) -> None:
        self.http = http
        self.name = name
        self.trunks: list[web.WebSocketResponse] = []
        self.authorizations: list[str | None] = []
        self.heard: list[Message] = []
        self.heartbeat = 0.05
        self.refuses = False
        self.one_trunk = False
        """Close the former trunk when a node opens another one."""
        self.trunk_url = ""
        self.leg_url = ""

    async def accept(self, request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(protocols=["sbc-trunk.v1"])
        await ws.prepare(request)
        assert ws.ws_protocol == "sbc-trunk.v1"
        self.authorizations.append(request.headers.get("Authorization"))
        async for frame in ws:
            message = frame.json()
            self.heard.append(message)
            if message["type"] == "register":
                if self.refuses:
                    await ws.send_json({"type": "error", "message": "no such pool"})
                    await ws.close(code=1008)
                    break
                former = self.trunks[-1:] if self.one_trunk else []
                self.trunks.append(ws)
                await ws.send_json({"type": "registered", "edge": self.name, "heartbeat": self.heartbeat})
                for trunk in former:
                    await trunk.close(code=1001, message=b"another trunk of the same node")
        return ws

    async def tell(self, kind: str, **fields: Any) -> None:
        """One trunk message to the node."""
        await self.trunks[-1].send_json({"type": kind, **fields})

    async def word(self, kind: str, count: int = 1) -> Message:
        """The node's `count`th message of this kind."""
        def found() -> list[Message]:
            words = [message for message in self.heard if message["type"] == kind]
            return words if len(words) >= count else []
        return (await wait_until(found, f"{kind} number {count}"))[count - 1]

    async def invite(self, session: str, epoch: int = 1, *, role: str = "owner", checkpoint: Message | None = None,
                     output: str = "continue") -> Message:
        """Invite the node; its answer."""
        before = len(self.heard)
        await self.tell("invite", session=session, epoch=epoch, role=role, agent="chatter", checkpoint=checkpoint,
                        manifest={"pool": "p", "migration": {"output": output}})
        return await wait_until(
            lambda: next((word for word in self.heard[before:] if word["type"] in ("accept", "decline")), None),
            "an answer to the invitation")

    @asynccontextmanager
    async def leg(self, session: str, epoch: int = 1, *, role: str = "owner",
                  resume: tuple[int, int, int] | None = None, **headers: str) -> AsyncIterator[NodeLeg]:
        """An open node leg. resume: received, sent, delivered."""
        sent = {"Session-Id": session, "Session-Epoch": str(epoch), "Session-Class": "interactive",
                "Session-Agent": "chatter", "Session-Role": role, **headers}
        if resume is not None:
            sent["Session-Resume"] = "received={}, sent={}, delivered={}, cause=failover".format(*resume)
        async with self.http.ws_connect(self.leg_url, headers=sent, max_msg_size=0) as ws:
            yield ws


@asynccontextmanager
async def listening(name: str = "edge-1") -> AsyncIterator[Edge]:
    """An edge that waits for nodes."""
    async with aiohttp.ClientSession() as http:
        edge = Edge(http, name)
        app = web.Application()
        app.router.add_get("/trunk", edge.accept)
        async with running(app) as port:
            edge.trunk_url = f"ws://127.0.0.1:{port}/trunk"
            yield edge


@asynccontextmanager
async def running(app: web.Application) -> AsyncIterator[int]:
    """An aiohttp application at work; its port."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def joined(edge: Edge, node: Node) -> AsyncIterator[None]:
    """The node serves, and its trunk stands."""
    async with running(node.app()) as port:
        edge.leg_url = f"http://127.0.0.1:{port}/any/path?q=1"
        await wait_until(lambda: edge.trunks, "the trunk")
        yield


async def words(ws: aiohttp.ClientWebSocketResponse, count: int) -> list[str | bytes]:
    """The next messages of the node."""
    async with asyncio.timeout(PATIENCE):
        return [(await ws.receive()).data for _ in range(count)]


async def closed(ws: aiohttp.ClientWebSocketResponse) -> int | None:
    """The node's close code, once it closes."""
    message = await ws.receive(timeout=PATIENCE)
    assert message.type is aiohttp.WSMsgType.CLOSE, message
    return message.data
