"""An A2A agent by the official SDK, as a process. It keeps its tasks in files that all such agents share, and goes on
with a task that nobody works on any more as soon as somebody subscribes to it."""

import argparse
import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvicorn
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.context import ServerCallContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes.agent_card_routes import create_agent_card_routes
from a2a.server.routes.jsonrpc_routes import create_jsonrpc_routes
from a2a.server.routes.rest_routes import create_rest_routes
from a2a.server.tasks import TaskUpdater
from a2a.server.tasks.task_manager import append_artifact_to_task
from a2a.server.tasks.task_store import TaskStore
from a2a.types import a2a_pb2 as a2a
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

STEPS = 8
STEP = 0.06
LOG = "".join(f"{step}," for step in range(STEPS))


class Files(TaskStore):
    """One file a task."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(exist_ok=True)

    async def save(self, task: a2a.Task, context: ServerCallContext | None = None) -> None:
        draft = self._directory / f"{task.id}.{os.getpid()}"
        draft.write_bytes(task.SerializeToString())
        draft.replace(self._directory / task.id)

    async def get(self, task_id: str, context: ServerCallContext | None = None) -> a2a.Task | None:
        file = self._directory / task_id
        return a2a.Task.FromString(file.read_bytes()) if file.exists() else None

    async def delete(self, task_id: str, context: ServerCallContext | None = None) -> None:
        (self._directory / task_id).unlink(missing_ok=True)

    async def list(self, params: a2a.ListTasksRequest, context: ServerCallContext | None = None) -> Any:
        return a2a.ListTasksResponse()


class Steps(AgentExecutor):
    """Does the task the first time."""

    def __init__(self, name: str, working: set[str]) -> None:
        self._name = name
        self._working = working

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        task, message = context.task_id or "", context.message
        assert message is not None
        self._working.add(task)
        await event_queue.enqueue_event(a2a.Task(
            id=task, context_id=context.context_id, history=[message],
            status=a2a.TaskStatus(state=a2a.TASK_STATE_SUBMITTED)))
        updater = TaskUpdater(event_queue, task, context.context_id or "")
        for step in range(STEPS):
            await asyncio.sleep(STEP)
            await updater.start_work(updater.new_agent_message([a2a.Part(text=f"{self._name} {step}")]))
            await updater.add_artifact([a2a.Part(text=f"{step},")], artifact_id="log", append=step > 0)
        await updater.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        raise NotImplementedError


class Going(DefaultRequestHandler):
    """Goes on with tasks that another process has begun."""

    def __init__(self, name: str, store: Files, card: a2a.AgentCard) -> None:
        self._working: set[str] = set()
        self._files = store
        super().__init__(agent_executor=Steps(name, self._working), task_store=store, agent_card=card)

    async def on_subscribe_to_task(self, params: a2a.SubscribeToTaskRequest,
                                   context: ServerCallContext) -> AsyncIterator[Any]:
        task = await self._files.get(params.id)
        if task is None or params.id in self._working or task.status.state == a2a.TASK_STATE_COMPLETED:
            async for event in super().on_subscribe_to_task(params, context):
                yield event
            return
        self._working.add(task.id)
        yield task
        for step in range(len(task.artifacts[0].parts) if task.artifacts else 0, STEPS):
            await asyncio.sleep(STEP)
            chunk = a2a.TaskArtifactUpdateEvent(
                task_id=task.id, context_id=task.context_id, append=step > 0,
                artifact=a2a.Artifact(artifact_id="log", parts=[a2a.Part(text=f"{step},")]))
            append_artifact_to_task(task, chunk)
            await self._files.save(task)
            yield chunk
        task.status.CopyFrom(a2a.TaskStatus(state=a2a.TASK_STATE_COMPLETED))
        task.status.timestamp.GetCurrentTime()
        await self._files.save(task)
        yield a2a.TaskStatusUpdateEvent(task_id=task.id, context_id=task.context_id, status=task.status)


def main() -> None:
    options = argparse.ArgumentParser()
    for option in ("--name", "--port", "--history"):
        options.add_argument(option, required=True)
    said = options.parse_args()
    interfaces = [a2a.AgentInterface(url=f"http://node.internal:{said.port}/agent", protocol_binding=binding,
                                     protocol_version="1.0") for binding in ("JSONRPC", "HTTP+JSON")]
    card = a2a.AgentCard(
        name="steps", description="does steps", version="1", default_input_modes=["text/plain"],
        default_output_modes=["text/plain"], capabilities=a2a.AgentCapabilities(streaming=True),
        skills=[a2a.AgentSkill(id="s", name="s", description="s", tags=["t"])], supported_interfaces=interfaces)
    handler = Going(said.name, Files(Path(said.history).parent / "tasks"), card)
    routes = [Route("/healthz", lambda _: PlainTextResponse("ok")),
              *create_jsonrpc_routes(handler, "/agent", enable_v0_3_compat=True),
              *create_agent_card_routes(card, card_url="/agent/.well-known/agent-card.json"),
              *create_rest_routes(handler, enable_v0_3_compat=True, path_prefix="/agent")]
    uvicorn.run(Starlette(routes=routes), port=int(said.port), log_level="warning")


if __name__ == "__main__":
    main()
