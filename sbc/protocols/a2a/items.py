"""What A2A answers with, in each of its forms: a task, a message, an update of a task's status or of an artifact.

    JSON-RPC 1.0   {"jsonrpc": "2.0", "id": 1, "result": {"statusUpdate": {...}}}
    JSON-RPC 0.3   {"jsonrpc": "2.0", "id": 1, "result": {"kind": "status-update", ...}}
    REST           {"statusUpdate": {...}}
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

import orjson

from sbc.protocols.a2a.calls import Call, Form, ident, loads
from sbc.protocols.events import make_event

Json = dict[str, Any]


class Kind(Enum):
    """What an item is; the value is its name in 1.0 and in REST."""

    TASK = "task"
    MESSAGE = "message"
    STATUS = "statusUpdate"
    ARTIFACT = "artifactUpdate"
    FAULT = "error"
    """The agent's own error: its last word."""


@dataclass(frozen=True, slots=True)
class Item:
    kind: Kind
    body: Json

    @property
    def task(self) -> str | None:
        """The task that it is about."""
        return ident(self.body, "id") if self.kind is Kind.TASK else ident(self.body, "taskId")

    @property
    def context(self) -> str | None:
        return ident(self.body, "contextId")

    @property
    def status(self) -> Json:
        """The status that it tells; empty: none."""
        status = self.body.get("status") if self.kind in (Kind.TASK, Kind.STATUS) else None
        return status if isinstance(status, dict) else {}

    @property
    def closes(self) -> bool:
        """Whether nothing follows it: a terminal or an interrupted state, a message, an error."""
        match self.kind:
            case Kind.MESSAGE | Kind.FAULT:
                return True
            case Kind.TASK | Kind.STATUS:
                return self.body.get("final") is True or rests(self.status)
            case _:
                return False


_KINDS_1 = {kind.value: kind for kind in (Kind.TASK, Kind.MESSAGE, Kind.STATUS, Kind.ARTIFACT)}

_KINDS_03 = {"task": Kind.TASK, "message": Kind.MESSAGE, "status-update": Kind.STATUS,
             "artifact-update": Kind.ARTIFACT}

_NAMES_03 = {kind: name for name, kind in _KINDS_03.items()}

_REST_STATES = frozenset({"completed", "failed", "canceled", "cancelled", "rejected", "input_required",
                          "auth_required"})


def rests(status: Json) -> bool:
    """Whether a status is one in which streams end: terminal, or interrupted (A2A 1.0 section 4.1.3)."""
    state = status.get("state")
    return isinstance(state, str) and state.removeprefix("TASK_STATE_").replace("-", "_").lower() in _REST_STATES


def read_item(form: Form, data: bytes) -> Item | None:
    """What an answer, or an event of a streamed one, says; None: nothing that is known here."""
    said = loads(data)
    if not isinstance(said, dict):
        return None
    if isinstance(fault := said.get("error"), dict):
        return Item(Kind.FAULT, fault)
    result = said.get("result") if form.rpc else said
    if not isinstance(result, dict):
        return None
    if form is Form.RPC_03:
        kind = _KINDS_03.get(kind_03(result))
        return Item(kind, result) if kind else None
    for name, kind in _KINDS_1.items():
        if isinstance(body := result.get(name), dict):
            return Item(kind, body)
    return None


def kind_03(result: Json) -> str:
    """The kind of an item in 0.3, where old agents leave it out."""
    kind = result.get("kind")
    if isinstance(kind, str):
        return kind
    if "artifact" in result:
        return "artifact-update"
    if "messageId" in result:
        return "message"
    return "status-update" if "taskId" in result else "task" if "status" in result else ""


def read_task(form: Form, data: bytes) -> Item | None:
    """The task that an answer to a question for it holds."""
    said = loads(data)
    if isinstance(said, dict) and form.rpc:
        said = said.get("result")
    return Item(Kind.TASK, said) if isinstance(said, dict) and isinstance(said.get("status"), dict) else None


def event_of(call: Call, item: Item) -> bytes:
    """An item as an event of the stream that answers a call. Raises TypeError: it is nested too deeply."""
    if item.kind is Kind.FAULT:
        return fault_event(call, fault_of(call, item.body))
    named = {**item.body, "kind": _NAMES_03[item.kind]} if call.form is Form.RPC_03 else {item.kind.value: item.body}
    return make_event(orjson.dumps(_answer(call, "result", named) if call.form.rpc else named))


def fault_of(call: Call, fault: Json) -> bytes:
    """An error as the body of an answer."""
    return orjson.dumps(_answer(call, "error", fault) if call.form.rpc else {"error": fault})


def fault_event(call: Call, fault: bytes) -> bytes:
    """An error (`fault_of`) as an event. In 0.3 those have no name, and some clients skip events that have one."""
    return make_event(fault, b"" if call.form is Form.RPC_03 else b"error")


def status_update(call: Call, task: Json, status: Json, metadata: Json) -> Item:
    """The update that would have brought a task this status."""
    body: Json = {"taskId": task.get("id"), "contextId": task.get("contextId"), "status": status}
    # Gone in 1.0, required in 0.3; protobuf's JSON, and so REST, leaves out what is false.
    if call.form is Form.RPC_03 or (call.form.old and rests(status)):
        body["final"] = rests(status)
    return Item(Kind.STATUS, {**body, "metadata": metadata} if metadata else body)


def _answer(call: Call, member: str, value: Json) -> Json:
    return {"jsonrpc": "2.0", "id": call.rpc_id, member: value}
