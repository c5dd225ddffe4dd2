"""Clients of others whose edge is killed and started again on its store: their sessions go on where they were."""

import asyncio

import httpx
import pytest
from a2a.client import A2ACardResolver
from a2a.client.client import ClientCallContext
from a2a.client.transports.jsonrpc import JsonRpcTransport
from a2a.types import a2a_pb2 as a2a

from tests.support.scene import Scene
from tests.support.wait import PATIENCE, wait_until
from tests.thirdparty.mcp_stage import Stage, User, configuration
from tests.thirdparty.test_a2a import QUESTION, Agent

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


async def restart(scene: Scene) -> None:
    """SIGKILL the edge, and start it again on the same store and the same ports."""
    await scene.edge.kept()
    scene.edge.kill()
    scene.edge.start()
    await scene.edge.ready()
    await scene.edge.sees(*(node for node in scene.nodes.values() if node.running))


async def test_an_mcp_session_outlives_its_edge_and_then_its_owner(tmp_path) -> None:
    stage = Stage(tmp_path)
    try:
        stage.plain("a", "b", module="node_mcp")
        await stage.open(configuration(stage.edge.port) | {"edge": {"store": f"sqlite:{tmp_path / 'sbc.db'}"}})
        async with User(stage.url("mcp")) as user:
            owner = stage.nodes[await user.who()]
            await user.client.subscribe_resource("note://x")
            before = await stage.live()
            await restart(stage)
            # Several requests of a session that has not woken yet.
            said = await asyncio.gather(user.who(), user.who(), user.ask())
            assert said == [owner.name, owner.name, f"me by {owner.name}"]
            assert len(owner.history("subscribed")) == 1, "it had the session all the time, and is told nothing again"
            heir = stage.beside(owner)
            owner.kill()
            assert (await user.who(), await user.ask()) == (heir.name, f"me by {heir.name}")
            assert [fact["uri"] for fact in heir.history("subscribed")] == ["note://x"]
            await restart(stage)
            assert await user.who() == heir.name
            assert await stage.live() == before
    finally:
        await stage.close()


async def test_an_owner_that_went_down_with_the_edge_is_told_all_again(tmp_path) -> None:
    stage = Stage(tmp_path)
    try:
        stage.plain("a", module="node_mcp")
        await stage.open(configuration(stage.edge.port) | {"edge": {"store": f"sqlite:{tmp_path / 'sbc.db'}"}})
        async with User(stage.url("mcp")) as user:
            assert await user.who() == "a"
            await user.client.subscribe_resource("note://x")
            stage.nodes["a"].kill()
            stage.nodes["a"].start()
            await stage.nodes["a"].serving()
            await restart(stage)
            assert await user.who() == "a"
            await wait_until(lambda: len(stage.nodes["a"].history("subscribed")) == 2, "it has heard the prelude")
    finally:
        await stage.close()


async def test_an_a2a_task_is_found_again(scene: Scene) -> None:
    for name in ("a", "b"):
        Agent(scene, name)
    await scene.open({
        "edge": {"store": f"sqlite:{scene.directory / 'sbc.db'}"},
        "listeners": [{"name": "plain", "listen": f"127.0.0.1:{scene.edge.port}", "transports": ["http1"]}],
        "routes": [{"match": {"path": "/agent"}, "agent": "tutor", "protocol": "a2a", "policy": "default"}],
    }, hold="10s")
    url = f"http://127.0.0.1:{scene.edge.port}/agent"
    call = ClientCallContext(service_parameters={"A2A-Version": "1.0"})
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        client = JsonRpcTransport(http, url=url, agent_card=await A2ACardResolver(http, url).get_agent_card())
        task = (await client.send_message(QUESTION, context=call)).task
        session = await scene.only_session()
        await restart(scene)
        assert [row["state"] for row in await scene.edge.sessions()] == ["parked"]
        kept = await client.get_task(a2a.GetTaskRequest(id=task.id), context=call)
        assert kept.status.state == a2a.TASK_STATE_COMPLETED
        row = await scene.edge.session(session)
        assert (row["state"], row["received"]) == ("confirmed", 2)
        # By its context, too; and what is learned after the restart is known after the next one.
        more = a2a.SendMessageRequest(message=a2a.Message(
            message_id="m-2", role=a2a.ROLE_USER, parts=[a2a.Part(text="go")], context_id=task.context_id))
        second = (await client.send_message(more, context=call)).task
        assert second.id != task.id and await scene.only_session() == session
        await restart(scene)
        await client.get_task(a2a.GetTaskRequest(id=second.id), context=call)
        assert (await scene.edge.session(session))["state"] == "confirmed"
