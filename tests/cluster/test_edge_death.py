"""An edge is killed with `durability: sync`: at another one all goes on, and nothing is lost or doubled."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web as server
from websockets.exceptions import ConnectionClosed

from tests.cluster.test_edges_one_store import LEASE, beside, on
from tests.support.asking import Stream, asking, web
from tests.support.edge import Edge, free_port
from tests.support.oracle import exactly_once
from tests.support.redis import Redis, needs_redis
from tests.support.returning import Returner
from tests.support.scene import Scene
from tests.support.wait import wait_until

pytestmark = needs_redis
EVENTS = {"Accept": "text/event-stream"}
CLIENTS = 24
LATEST = 4.0
"""Seconds after its return within which a client is served; on a machine of its own it is well below 2
(`python -m bench.edge_death`). On a busy one it may be longer by some times what it took all of them to come first."""


async def talk_on(client: Returner, other: Edge, until: asyncio.Event, waits: list[float]) -> None:
    """Say something all the time, here and there; `waits`: how long it took to be answered at the other edge."""
    waited = 0.0
    while not until.is_set():
        try:
            await client.say(random.randint(1, 3))
            await asyncio.sleep(random.uniform(0.01, 0.05))
        except ConnectionClosed:
            assert not waited, "it was cut off twice"
            began, had = time.monotonic(), len(client.heard)
            await client.come_back(other)
            await client.has(min(had + 1, client.owed))
            waited = time.monotonic() - began
            waits.append(waited)


async def test_every_client_goes_on_at_the_other_edge_and_nothing_is_lost_or_doubled(
    scene: Scene, other: Edge, redis: Redis,
) -> None:
    scene.trunk("a", "b", module="node_sdk")

    def at(edge: Edge, name: str) -> dict[str, Any]:
        return {"edge": on(redis, name), "trunk": {"listen": f"127.0.0.1:{edge.trunk}", "advertise": edge.trunk_url},
                "agents": {"tutor": {"durability": "sync", "migration": {"output": "regenerate"}}}}
    await beside(scene, other, at(other, "two"), at(scene.edge, "one"))
    clients = [Returner(scene.edge.url) for _ in range(CLIENTS)]
    began = time.monotonic()
    await asyncio.gather(*(client.open() for client in clients))
    opening = time.monotonic() - began
    enough, waits = asyncio.Event(), list[float]()
    talking = [asyncio.create_task(talk_on(client, other, enough, waits)) for client in clients]
    await asyncio.sleep(random.uniform(0.5, 1.0))
    scene.edge.kill()
    await wait_until(lambda: len(waits) == CLIENTS or any(task.done() for task in talking), "all are served again")
    await asyncio.sleep(1)  # they talk on
    enough.set()
    await asyncio.gather(*talking)
    print("served after", sorted(round(one, 2) for one in waits), "opened in", round(opening, 2))
    for client in clients:
        await client.answered()
        exactly_once(client)
        assert (client.lost, client.forgotten) == ([], 0)
        await client.close()
    assert len(waits) == CLIENTS and max(waits) < min(LATEST + 5 * opening, LEASE - 5)
    assert await other.metric("sbc_claims_total", outcome="granted") == CLIENTS
    assert await other.metric("sbc_unstored_messages_total") == 0


class McpNode:
    """As much of MCP (2025-06-18) as it takes: a session by `initialize`, and who answers."""

    def __init__(self, name: str) -> None:
        self.name, self.port = name, free_port()
        self.methods: list[str] = []
        self._sessions: set[str] = set()

    async def start(self) -> None:
        app = server.Application()
        app.router.add_get("/healthz", self._well)
        app.router.add_post("/{tail:.*}", self._post)
        self.runner = server.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self.runner.setup()
        await server.TCPSite(self.runner, "127.0.0.1", self.port).start()

    async def _well(self, _: server.Request) -> server.Response:
        return server.Response(text="well\n")

    async def _post(self, request: server.Request) -> server.Response:
        said = await request.json()
        self.methods.append(said["method"])
        key = request.headers.get("Mcp-Session-Id", "")
        if said["method"] == "initialize":
            key = f"{self.name}-{len(self._sessions)}"
            self._sessions.add(key)
            result: dict[str, Any] = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                                      "serverInfo": {"name": self.name, "version": "1"}}
        elif key not in self._sessions:
            return server.json_response({"error": "no such session"}, status=404)
        elif "id" not in said:
            return server.Response(status=202)
        else:
            result = {"content": [{"type": "text", "text": self.name}]}
        answer = {"jsonrpc": "2.0", "id": said["id"], "result": result}
        return server.json_response(answer, headers={"Mcp-Session-Id": key})


@pytest.fixture
async def mcp_nodes() -> AsyncIterator[dict[str, McpNode]]:
    nodes = {name: McpNode(name) for name in "ab"}
    for node in nodes.values():
        await node.start()
    yield nodes
    for node in nodes.values():
        await node.runner.cleanup()


class McpClient:
    """One session of MCP, at any edge."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http, self._key = http, ""

    async def say(self, edge: Edge, method: str, **more: Any) -> Any:
        headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}
        headers |= {"Mcp-Session-Id": self._key} if self._key else {}
        async with self._http.post(f"http://127.0.0.1:{edge.port}/mcp", headers=headers,
                                   json={"jsonrpc": "2.0", "method": method, **more}) as answer:
            self._key = self._key or answer.headers.get("Mcp-Session-Id", "")
            body = await answer.read()
            if answer.status != 503:
                assert answer.status in (200, 202), (answer.status, body)
                return json.loads(body) if body else None
        await asyncio.sleep(1)  # as the edge asks for: on a busy machine the death of the other one is not certain yet
        return await self.say(edge, method, **more)

    async def begin(self, edge: Edge) -> None:
        await self.say(edge, "initialize", id=0, params={
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}})
        await self.say(edge, "notifications/initialized")

    async def who(self, edge: Edge, number: int) -> str:
        """Which node answers."""
        called = await self.say(edge, "tools/call", id=number, params={"name": "who"})
        return str(called["result"]["content"][0]["text"])


async def test_sessions_of_requests_go_on_with_what_their_protocol_remembers_and_all_that_clients_were_given(
    scene: Scene, other: Edge, redis: Redis, mcp_nodes: dict[str, McpNode],
) -> None:
    scene.plain("a", module="node_http")
    changes = web(scene)
    changes["agents"] = {"tutor": {"durability": "sync"},
                         "tools": {"pool": "tools", "durability": "sync"}}
    changes["pools"] = {"tools": {"nodes": [{"name": name, "url": f"http://127.0.0.1:{node.port}"}
                                            for name, node in mcp_nodes.items()]}}
    changes["routes"].append({"match": {"path": "/mcp"}, "agent": "tools", "protocol": "mcp"})
    door = changes["listeners"][0] | {"listen": f"127.0.0.1:{other.port}"}
    await beside(scene, other, changes | {"listeners": [door], "edge": on(redis, "two")},
                 changes | {"edge": on(redis, "one")})
    path = "/events?count=5000&every=0.002"
    async with asking() as http:
        mcp = McpClient(http)
        await mcp.begin(scene.edge)
        owner = mcp_nodes[await mcp.who(scene.edge, 1)]
        streams = [Stream.opened(http, "GET", f"http://127.0.0.1:{scene.edge.port}{path}",
                                 headers={"X-Chat": f"c{number}", **EVENTS}) for number in range(4)]
        for stream in streams:
            await stream.has(random.randint(5, 60))
        scene.edge.kill()
        assert await mcp.who(other, 2) == owner.name
        assert owner.methods.count("initialize") == 1, "it is not told anything again"
        await owner.runner.cleanup()
        heir = next(node for node in mcp_nodes.values() if node is not owner)
        assert await mcp.who(other, 3) == heir.name
        assert heir.methods == ["initialize", "notifications/initialized", "tools/call"]
        for number, stream in enumerate(streams):
            assert await stream.ended() == "cut"
            had = len(stream.events)
            assert [event.json["i"] for event in stream.events] == list(range(1, had + 1))
            back = {"X-Chat": f"c{number}", "Last-Event-ID": stream.events[had // 2].identity, **EVENTS}
            again = Stream.opened(http, "GET", f"http://127.0.0.1:{other.port}{path}", headers=back)
            assert await again.ended() == "cut", "its node was cut off with the edge"
            numbers = [event.json["i"] for event in again.events]
            assert numbers == list(range(had // 2 + 2, had // 2 + 2 + len(numbers))) and numbers[-1] >= had
