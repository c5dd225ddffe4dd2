"""The official A2A SDK on both sides of the edge; its agent is killed in the middle of a stream."""

import asyncio
import sys

import httpx
import pytest
from a2a.client import A2ACardResolver
from a2a.client.client import ClientCallContext
from a2a.client.transports.jsonrpc import JsonRpcTransport
from a2a.client.transports.rest import RestTransport
from a2a.compat.v0_3.jsonrpc_transport import CompatJsonRpcTransport
from a2a.compat.v0_3.rest_transport import CompatRestTransport
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import InternalError

from tests.support.edge import free_port
from tests.support.node_a2a import LOG
from tests.support.nodes import NodeProcess
from tests.support.scene import Scene
from tests.support.wait import PATIENCE, wait_until

QUESTION = a2a.SendMessageRequest(
    message=a2a.Message(message_id="m-1", role=a2a.ROLE_USER, parts=[a2a.Part(text="go")]))


class Agent(NodeProcess):
    """tests.support.node_a2a as a process."""

    def __init__(self, scene: Scene, name: str) -> None:
        super().__init__(scene.directory, name, free_port(), edge=None)
        self._command = [sys.executable, "-m", "tests.support.node_a2a", *self._command[3:]]
        scene.nodes[name] = self
        self.start()


async def opened(scene: Scene) -> tuple[httpx.AsyncClient, str, a2a.AgentCard]:
    """The edge before two agents; an HTTP client, the URL of the agent, and its card."""
    for name in ("a", "b"):
        Agent(scene, name)
    await scene.open({
        "listeners": [{"name": "plain", "listen": f"127.0.0.1:{scene.edge.port}", "transports": ["http1"]}],
        "routes": [{"match": {"path": "/agent"}, "agent": "tutor", "protocol": "a2a", "policy": "default"}],
    }, hold="10s")
    http, url = httpx.AsyncClient(timeout=PATIENCE), f"http://127.0.0.1:{scene.edge.port}/agent"
    return http, url, await A2ACardResolver(http, url).get_agent_card()


@pytest.mark.parametrize("transport", [JsonRpcTransport, RestTransport, CompatJsonRpcTransport, CompatRestTransport])
async def test_the_agent_is_killed_in_the_middle_of_a_stream(scene: Scene, transport) -> None:
    http, url, card = await opened(scene)
    assert {place.url for place in card.supported_interfaces} == {url}
    version = {} if transport.__module__.startswith("a2a.compat") else {"A2A-Version": "1.0"}
    call, client = ClientCallContext(service_parameters=version), transport(http, card, url)
    log, owner, task, states = "", "", "", []
    async for event in client.send_message_streaming(QUESTION, context=call):
        match event.WhichOneof("payload"):
            case "task":
                task = event.task.id
            case "status_update":
                states.append(event.status_update.status.state)
                for part in event.status_update.status.message.parts:
                    owner = part.text.split()[0]
            case "artifact_update":
                update = event.artifact_update
                text = "".join(part.text for part in update.artifact.parts)
                log = log + text if update.append else text
                assert not update.metadata.fields
                if text == "2,":
                    scene.nodes[owner].kill()
    assert log == LOG
    assert states[-1] == a2a.TASK_STATE_COMPLETED
    kept = await client.get_task(a2a.GetTaskRequest(id=task), context=call)
    assert "".join(part.text for part in kept.artifacts[0].parts) == LOG
    await http.aclose()


@pytest.mark.parametrize("transport", [JsonRpcTransport, RestTransport])
async def test_the_agent_is_killed_before_it_answers(scene: Scene, transport) -> None:
    http, url, card = await opened(scene)
    call = ClientCallContext(service_parameters={"A2A-Version": "1.0"})

    def owner() -> str:
        kept = [a2a.Task.FromString(file.read_bytes()) for file in (scene.directory / "tasks").glob("*")
                if "." not in file.name]
        said = [part.text for task in kept for part in task.status.message.parts]
        return said[0].split()[0] if said else ""

    asked = asyncio.create_task(transport(http, card, url).send_message(QUESTION, context=call))
    scene.nodes[await wait_until(owner, "the agent is at work")].kill()
    with pytest.raises(InternalError, match="it may have acted on this") as raised:
        await asked
    assert raised.value.data == {"outcome": "unknown"}
    await http.aclose()
