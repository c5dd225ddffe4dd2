"""A real A2A agent: the official SDK's server over HTTP, which does one task in steps that the test allows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.context import ServerCallContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes.agent_card_routes import create_agent_card_routes
from a2a.server.routes.jsonrpc_routes import create_jsonrpc_routes
from a2a.server.routes.rest_routes import create_rest_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import a2a_pb2 as a2a
from starlette.applications import Starlette

from sbc.model.http import Request
from sbc.protocols.events import Scanner
from tests.support.wait import PATIENCE, wait_until

STEPS = 6


class Steps(AgentExecutor):
    """Says a message and a chunk of an artifact at each step."""

    def __init__(self) -> None:
        self.allowed = asyncio.Semaphore(0)
        self.done = 0

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        message = context.message
        assert message is not None
        await event_queue.enqueue_event(a2a.Task(
            id=context.task_id, context_id=context.context_id, history=[message],
            status=a2a.TaskStatus(state=a2a.TASK_STATE_SUBMITTED)))
        updater = TaskUpdater(event_queue, context.task_id or "", context.context_id or "")
        for step in range(STEPS):
            await self.allowed.acquire()
            said = updater.new_agent_message([a2a.Part(text=f"step {step}")])
            await updater.start_work(said)
            await updater.add_artifact([a2a.Part(text=f"{step},")], artifact_id="log", append=step > 0)
            self.done = step + 1
        await updater.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        raise NotImplementedError

    def allow(self, steps: int) -> None:
        for _ in range(steps):
            self.allowed.release()


class Kept(InMemoryTaskStore):
    """What an agent keeps of its tasks, and whether one has ended: that is later than its last step."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = False

    async def save(self, task: a2a.Task, context: ServerCallContext) -> None:
        await super().save(task, context)
        self.ended = self.ended or task.status.state == a2a.TASK_STATE_COMPLETED


def card(url: str) -> a2a.AgentCard:
    return a2a.AgentCard(
        name="steps", description="does steps", version="1", default_input_modes=["text/plain"],
        default_output_modes=["text/plain"], capabilities=a2a.AgentCapabilities(streaming=True),
        skills=[a2a.AgentSkill(id="s", name="s", description="s", tags=["t"])],
        supported_interfaces=[a2a.AgentInterface(url=f"{url}/agent", protocol_binding=binding, protocol_version="1.0")
                              for binding in ("JSONRPC", "HTTP+JSON")])


@asynccontextmanager
async def served(steps: Steps, store: InMemoryTaskStore) -> AsyncIterator[str]:
    """The agent on a port of its own: its URL."""
    told = card("http://node.internal:9000")
    handler = DefaultRequestHandler(agent_executor=steps, task_store=store, agent_card=told)
    routes = [*create_jsonrpc_routes(handler, "/agent", enable_v0_3_compat=True),
              *create_agent_card_routes(told, card_url="/agent/.well-known/agent-card.json"),
              *create_rest_routes(handler, enable_v0_3_compat=True, path_prefix="/agent")]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), port=0, log_level="error", lifespan="off",
                                           timeout_graceful_shutdown=0))
    serving = asyncio.create_task(server.serve())
    try:
        await wait_until(lambda: server.started, "the agent is up")
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        await serving


class Asked:
    """A request as the edge sends it to a node, and the events of its answer."""

    def __init__(self, url: str, request: Request, body: bytes) -> None:
        self.response: httpx.Response | None = None
        self._client = httpx.AsyncClient(timeout=PATIENCE)
        self._request = self._client.build_request(
            request.method.decode(), url + request.target.decode(), content=body or None,
            headers=[(name.decode(), value.decode()) for name, value in request.fields])

    async def __aenter__(self) -> "Asked":
        self.response = await self._client.send(self._request, stream=True)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.response is not None
        await self.response.aclose()
        await self._client.aclose()

    async def events(self) -> AsyncIterator[bytes]:
        assert self.response is not None
        scanner = Scanner(1 << 20)
        async for data in self.response.aiter_bytes():
            for event in scanner.feed(data):
                yield event
