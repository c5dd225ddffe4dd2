"""What A2A clients and agents write, built with the official SDK's types."""

import json
from typing import Any

from a2a.compat.v0_3 import conversions, proto_utils
from a2a.server.tasks.task_manager import append_artifact_to_task
from a2a.types import a2a_pb2 as a2a
from google.protobuf.json_format import MessageToDict, ParseDict

from sbc.model.http import Request
from sbc.protocols.a2a.calls import Form
from sbc.protocols.events import Scanner, event_data

STATES = a2a.TaskState
CONTEXT = "ctx-1"
TASK = "task-1"

Event = a2a.Task | a2a.Message | a2a.TaskStatusUpdateEvent | a2a.TaskArtifactUpdateEvent


def post(body: Any, path: str = "/agent", version: str = "1.0", **fields: str) -> tuple[Request, bytes]:
    """A request of a client."""
    said = {"content-type": "application/json", "a2a-version": version} | fields
    text = json.dumps(body).encode()
    return Request(b"POST", path.encode(), b"edge.example", [(n.encode(), v.encode()) for n, v in said.items()],
                   True, len(text)), text


def get(path: str, version: str = "1.0", method: str = "GET") -> Request:
    return Request(method.encode(), path.encode(), b"edge.example", [(b"a2a-version", version.encode())])


def rpc(method: str, params: Any, rpc_id: Any = 7) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": rpc_id, "method": method, "params": params}


def message(text: str, message_id: str, role: int = a2a.ROLE_AGENT) -> a2a.Message:
    return a2a.Message(message_id=message_id, context_id=CONTEXT, task_id=TASK, role=role,
                       parts=[a2a.Part(text=text)])


def task(state: int, *artifacts: a2a.Artifact, at: int = 0, history: tuple[a2a.Message, ...] = (),
         said: a2a.Message | None = None) -> a2a.Task:
    return a2a.Task(id=TASK, context_id=CONTEXT, status=status_of(state, at, said), artifacts=artifacts,
                    history=history)


def status_of(state: int, at: int, said: a2a.Message | None = None) -> a2a.TaskStatus:
    status = a2a.TaskStatus(state=state, message=said)
    status.timestamp.FromSeconds(1_760_000_000 + at)
    return status


def status(state: int, at: int, said: a2a.Message | None = None) -> a2a.TaskStatusUpdateEvent:
    return a2a.TaskStatusUpdateEvent(task_id=TASK, context_id=CONTEXT, status=status_of(state, at, said))


def artifact(name: str, *texts: str) -> a2a.Artifact:
    return a2a.Artifact(artifact_id=name, parts=[a2a.Part(text=text) for text in texts])


def chunk(name: str, *texts: str, append: bool = True, last: bool = False) -> a2a.TaskArtifactUpdateEvent:
    return a2a.TaskArtifactUpdateEvent(task_id=TASK, context_id=CONTEXT, artifact=artifact(name, *texts),
                                       append=append, last_chunk=last)


def streamed(event: Event) -> a2a.StreamResponse:
    match event:
        case a2a.Task():
            return a2a.StreamResponse(task=event)
        case a2a.Message():
            return a2a.StreamResponse(message=event)
        case a2a.TaskStatusUpdateEvent():
            return a2a.StreamResponse(status_update=event)
        case _:
            return a2a.StreamResponse(artifact_update=event)


def result(form: Form, event: Event) -> Any:
    """An item as the SDK's servers write it in this form."""
    if form is Form.RPC_03:
        return conversions.to_compat_stream_response(streamed(event), 7).result.model_dump(
            mode="json", by_alias=True, exclude_none=True)
    if form is Form.REST_03:
        compat = conversions.to_compat_stream_response(streamed(event), 7).result
        return MessageToDict(proto_utils.ToProto.stream_response(compat))
    return MessageToDict(streamed(event))


def bare(form: Form, event: a2a.Task) -> Any:
    """A task as the answer to the question for it."""
    if form is Form.RPC_03:
        return result(form, event)
    return result(form, event)["task"]


def answer(form: Form, value: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 7, "result": value} if form.rpc else value).encode()


def sse(form: Form, event: Event) -> bytes:
    return b"data: " + answer(form, result(form, event)) + b"\r\n\r\n"


def fault(form: Form, code: int = -32004, text: str = "This operation is not supported") -> bytes:
    if form.rpc:
        return json.dumps({"jsonrpc": "2.0", "id": 7, "error": {"code": code, "message": text}}).encode()
    return json.dumps({"error": {"code": 400, "status": "FAILED_PRECONDITION", "message": text}}).encode()


def results(form: Form, stream: bytes | None) -> list[Any]:
    """What a client finds in events."""
    said = [json.loads(event_data(event) or b"") for event in Scanner(1 << 20).feed(stream or b"")]
    if form.rpc:
        assert all(item["jsonrpc"] == "2.0" and item["id"] == 7 for item in said)
        return [item["result"] if "result" in item else {"error": item["error"]} for item in said]
    return said


class Client:
    """A client of version 1.0 that keeps a task as the SDK's does."""

    def __init__(self) -> None:
        self.task = a2a.Task(id=TASK)
        self.gaps = 0
        self.messages: list[str] = []

    def take(self, stream: bytes | None) -> None:
        for item in results(Form.RPC_1, stream):
            told = ParseDict(item, a2a.StreamResponse())
            match told.WhichOneof("payload"):
                case "task":
                    self.task.CopyFrom(told.task)
                case "status_update":
                    self.task.status.CopyFrom(told.status_update.status)
                    self._count(told.status_update)
                    if told.status_update.status.message.message_id:
                        self.messages.append(told.status_update.status.message.message_id)
                case "artifact_update":
                    append_artifact_to_task(self.task, told.artifact_update)
                    self._count(told.artifact_update)
                case kind:
                    raise AssertionError(kind)

    def text(self, name: str) -> str:
        return "".join(part.text for kept in self.task.artifacts if kept.artifact_id == name for part in kept.parts)

    def _count(self, update: a2a.TaskStatusUpdateEvent | a2a.TaskArtifactUpdateEvent) -> None:
        if "sbc/gap" in update.metadata.fields:
            self.gaps += 1
