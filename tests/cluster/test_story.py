"""What users see when an edge is killed: clients of others, before two edges and three nodes, in the midst of answers.

A payment over MCP (the official client, a server on sbc.sdk that reports checkpoints), a task over A2A (the official
SDK on both sides), and a chat over a WebSocket (websockets, a node on sbc.sdk): each conversation goes on at the edge
that is left, behind the same address, with nothing said twice and nothing missing.
"""

import asyncio
import contextlib
from typing import Any

import httpx
import pytest
from a2a.client import A2ACardResolver
from a2a.client.client import ClientCallContext
from a2a.client.transports.jsonrpc import JsonRpcTransport
from a2a.types import a2a_pb2 as a2a

from tests.cluster.test_edges_one_store import beside, on
from tests.support.balancer import Balancer
from tests.support.edge import Edge
from tests.support.node_a2a import LOG
from tests.support.oracle import exactly_once
from tests.support.redis import Redis, needs_redis
from tests.support.returning import Returner
from tests.support.scene import Scene
from tests.support.wait import wait_until
from tests.thirdparty.mcp_stage import User
from tests.thirdparty.test_a2a import QUESTION, Agent

pytestmark = [needs_redis, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
STEPS = 12


def at(scene: Scene, edge: Edge, redis: Redis, name: str) -> dict[str, Any]:
    """The configuration of an edge."""
    steps = {"name": "steps", "url": f"http://127.0.0.1:{scene.nodes['steps'].port}"}
    return {
        "edge": on(redis, name),
        "trunk": {"listen": f"127.0.0.1:{edge.trunk}", "advertise": edge.trunk_url},
        "listeners": [{"name": "plain", "listen": f"127.0.0.1:{edge.port}", "transports": ["http1", "websocket"]}],
        "pools": {"tutors": {"nodes": []}, "payments": {"nodes": []}, "steps": {"nodes": [steps]}},
        "agents": {"tutor": {"durability": "sync"}, "payments": {"pool": "payments", "durability": "sync"},
                   "steps": {"pool": "steps", "durability": "sync"}},
        "routes": [{"match": {"path": "/mcp"}, "agent": "payments", "protocol": "mcp", "policy": "default"},
                   {"match": {"path": "/agent"}, "agent": "steps", "protocol": "a2a", "policy": "default"},
                   {"match": {"path": "/"}, "agent": "tutor", "protocol": "opaque", "policy": "default"}],
    }


class Task:
    """A task over A2A, followed to its end: who is cut off subscribes to it again."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._call = ClientCallContext(service_parameters={"A2A-Version": "1.0"})
        self.id, self.log, self.state, self.cut = "", "", 0, 0

    async def run(self) -> None:
        async with httpx.AsyncClient(timeout=20) as http:
            card = await A2ACardResolver(http, self._url).get_agent_card()
            client = JsonRpcTransport(http, url=self._url, agent_card=card)
            with contextlib.suppress(Exception):
                await self._follow(client.send_message_streaming(QUESTION, context=self._call))
            while self.state != a2a.TASK_STATE_COMPLETED:
                self.cut += 1
                await asyncio.sleep(0.1)
                with contextlib.suppress(Exception):
                    await self._follow(client.subscribe(a2a.SubscribeToTaskRequest(id=self.id), context=self._call))
                with contextlib.suppress(Exception):
                    self._take(await client.get_task(a2a.GetTaskRequest(id=self.id), context=self._call))

    async def _follow(self, stream: Any) -> None:
        async for event in stream:
            match event.WhichOneof("payload"):
                case "task":
                    self._take(event.task)
                case "status_update":
                    self.state = event.status_update.status.state
                case "artifact_update":
                    text = "".join(part.text for part in event.artifact_update.artifact.parts)
                    self.log = self.log + text if event.artifact_update.append else text

    def _take(self, task: a2a.Task) -> None:
        """The whole of it."""
        self.id, self.state = task.id, task.status.state
        self.log = "".join(part.text for artifact in task.artifacts for part in artifact.parts)


async def test_every_conversation_goes_on_when_its_edge_is_killed_in_the_midst(
    scene: Scene, other: Edge, redis: Redis,
) -> None:
    scene.trunk("chat", module="node_sdk")
    scene.trunk("pay", module="node_mcp_sdk")
    Agent(scene, "steps")
    await beside(scene, other, at(scene, other, redis, "two"), at(scene, scene.edge, redis, "one"))
    async with Balancer((scene.edge.port, other.port)) as way:
        place = f"http://127.0.0.1:{way.port}"
        async with User(f"{place}/mcp") as user:
            chat, task = Returner(f"ws://127.0.0.1:{way.port}/"), Task(f"{place}/agent")
            await chat.open()
            assert await user.call("pay", "first", count=1, pause=0) == "payment 1"
            asking = asyncio.create_task(user.call("pay", "second", count=STEPS, pause=0.1))
            following = asyncio.create_task(task.run())
            await chat.say(STEPS, every=0.1)
            await asyncio.gather(user.reached("second", 3), chat.has(3), wait_until(lambda: task.log, "the task began"))
            scene.edge.kill()
            assert await asking == "payment 2"
            assert user.progress["second"] == [*range(1, STEPS + 1)]
            assert await user.call("pay", "third", count=1, pause=0) == "payment 3"
            assert (await chat.ended())[0] == 1006
            await chat.come_back(other)
            await chat.say(2)
            await chat.answered()
            exactly_once(chat)
            assert (chat.lost, chat.forgotten) == ([], 0)
            await following
            assert (task.log, task.cut > 0) == (LOG, True)
            await chat.close()
    paid = scene.nodes["pay"].history("paid")
    assert [fact["number"] for fact in paid] == sorted({fact["number"] for fact in paid}), "each was made once"
    assert len(paid) == 3
    assert "Traceback" not in other.log()
