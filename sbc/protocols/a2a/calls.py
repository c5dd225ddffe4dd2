"""What an A2A request asks for, in each of its forms: JSON-RPC or REST, version 1.0 or 0.3.

The method tables are those of the A2A specification, sections 5.3 (1.0) and 3.5.6 (0.3). gRPC is not read: its
requests name their task in protobuf only, and pass as they are.
"""

import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any
from urllib.parse import unquote, unquote_plus

import orjson

from sbc.model.http import Request

MAX_ID = 256
"""Characters of a task's or context's id, as far as it is used as a key; a longer one is no key."""


class Form(Enum):
    """How a call and its answer are written."""

    RPC_1 = "JSON-RPC 1.0"
    RPC_03 = "JSON-RPC 0.3"
    REST_1 = "REST 1.0"
    REST_03 = "REST 0.3"

    @property
    def rpc(self) -> bool:
        return self is Form.RPC_1 or self is Form.RPC_03

    @property
    def old(self) -> bool:
        return self is Form.RPC_03 or self is Form.REST_03


class Verb(Enum):
    """What is asked for."""

    SEND = "send a message"
    STREAM = "send a message, answered as a stream"
    GET = "get a task"
    LIST = "list tasks"
    CANCEL = "cancel a task"
    SUBSCRIBE = "the stream of a task"
    READ_CONFIG = "get or list push notification configurations"
    WRITE_CONFIG = "create a push notification configuration"
    DELETE_CONFIG = "delete a push notification configuration"
    CARD = "the agent card"


@dataclass(frozen=True, slots=True)
class Call:
    """One A2A request. base: the path of a REST call up to the method's own part (with tenant and version)."""

    verb: Verb
    form: Form
    rpc_id: str | int | float | None = None
    base: bytes = b""
    task: str | None = None
    context: str | None = None
    message: str | None = None
    tenant: str | None = None
    """As JSON-RPC 1.0 names it; in REST it is in `base`."""


_RPC = {
    "SendMessage": (Verb.SEND, Form.RPC_1),
    "SendStreamingMessage": (Verb.STREAM, Form.RPC_1),
    "GetTask": (Verb.GET, Form.RPC_1),
    "ListTasks": (Verb.LIST, Form.RPC_1),
    "CancelTask": (Verb.CANCEL, Form.RPC_1),
    "SubscribeToTask": (Verb.SUBSCRIBE, Form.RPC_1),
    "CreateTaskPushNotificationConfig": (Verb.WRITE_CONFIG, Form.RPC_1),
    "GetTaskPushNotificationConfig": (Verb.READ_CONFIG, Form.RPC_1),
    "ListTaskPushNotificationConfigs": (Verb.READ_CONFIG, Form.RPC_1),
    "DeleteTaskPushNotificationConfig": (Verb.DELETE_CONFIG, Form.RPC_1),
    "GetExtendedAgentCard": (Verb.CARD, Form.RPC_1),
    "message/send": (Verb.SEND, Form.RPC_03),
    "message/stream": (Verb.STREAM, Form.RPC_03),
    "tasks/get": (Verb.GET, Form.RPC_03),
    "tasks/list": (Verb.LIST, Form.RPC_03),
    "tasks/cancel": (Verb.CANCEL, Form.RPC_03),
    "tasks/resubscribe": (Verb.SUBSCRIBE, Form.RPC_03),
    "tasks/pushNotificationConfig/set": (Verb.WRITE_CONFIG, Form.RPC_03),
    "tasks/pushNotificationConfig/get": (Verb.READ_CONFIG, Form.RPC_03),
    "tasks/pushNotificationConfig/list": (Verb.READ_CONFIG, Form.RPC_03),
    "tasks/pushNotificationConfig/delete": (Verb.DELETE_CONFIG, Form.RPC_03),
    "agent/getAuthenticatedExtendedCard": (Verb.CARD, Form.RPC_03),
}

_CARDS = (b"/.well-known/agent-card.json", b"/.well-known/agent.json", b"/extendedAgentCard", b"/v1/card")

_ACTIONS = {"subscribe": Verb.SUBSCRIBE, "cancel": Verb.CANCEL}

_CONFIG_PATH = re.compile(rb".*/tasks/([^/]+)/pushNotificationConfigs(?:/[^/]+)?$")

_CONFIGS = {b"GET": Verb.READ_CONFIG, b"POST": Verb.WRITE_CONFIG, b"DELETE": Verb.DELETE_CONFIG}


def call_of(request: Request, body: bytes | None) -> Call | None:
    """What a request asks for; None: nothing that A2A knows."""
    content_type = request.first(b"content-type") or b""
    if content_type.lower().startswith(b"application/grpc"):
        return None
    return _rest(request, body) or (_rpc(body) if body and request.method == b"POST" else None)


def _rpc(body: bytes) -> Call | None:
    said = loads(body)
    if not isinstance(said, dict) or not isinstance(method := said.get("method"), str) or method not in _RPC:
        return None
    verb, form = _RPC[method]
    rpc_id = said.get("id")
    if isinstance(rpc_id, bool) or not isinstance(rpc_id, str | int | float):
        rpc_id = None
    params = said.get("params")
    if not isinstance(params, dict):
        params = {}
    tenant = ident(params, "tenant")
    if verb in (Verb.SEND, Verb.STREAM):
        return _with_message(Call(verb, form, rpc_id, tenant=tenant), params.get("message"))
    # Of the calls about configurations, `id` is the configuration's in 1.0 and the task's in 0.3.
    named = ident(params, "taskId", "task_id")
    if named is None and (form is Form.RPC_03 or verb in (Verb.GET, Verb.CANCEL, Verb.SUBSCRIBE)):
        named = ident(params, "id")
    return Call(verb, form, rpc_id, task=named, context=ident(params, "contextId", "context_id"), tenant=tenant)


def _rest(request: Request, body: bytes | None) -> Call | None:
    method, path, form = request.method, request.path, _rest_form(request)
    base, _, last = path.rpartition(b"/")
    if method == b"POST" and last in (b"message:send", b"message:stream"):
        said = loads(body or b"")
        message = said.get("message") if isinstance(said, dict) else None
        return _with_message(Call(Verb.SEND if last == b"message:send" else Verb.STREAM, form, base=base), message)
    if method in (b"GET", b"HEAD") and path.endswith(_CARDS):
        return Call(Verb.CARD, form)
    if method == b"GET" and last == b"tasks":
        return Call(Verb.LIST, form, base=base, context=_short(_asked(request, "contextId")))
    segments = path.split(b"/")
    if len(segments) > 2 and segments[-2] == b"tasks":
        return _about_task(method, form, b"/".join(segments[:-2]), unquote(last.decode("latin-1")))
    if (found := _CONFIG_PATH.match(path)) and method in _CONFIGS:
        return Call(_CONFIGS[method], form, task=_short(unquote(found[1].decode("latin-1"))))
    return None


def _about_task(method: bytes, form: Form, base: bytes, named: str) -> Call | None:
    task, colon, action = named.rpartition(":")
    if colon and action in _ACTIONS and (method == b"POST" or (method == b"GET" and action == "subscribe")):
        return Call(_ACTIONS[action], form, base=base, task=_short(task))
    return Call(Verb.GET, form, base=base, task=_short(named)) if method == b"GET" else None


def _rest_form(request: Request) -> Form:
    """A2A 1.0 section 3.6: the version is in a header or the query, and none means 0.3."""
    version = request.first(b"a2a-version")
    if version is None:
        version = _asked(request, "A2A-Version").encode()
    return Form.REST_03 if version in (b"", b"0.3") else Form.REST_1


def _asked(request: Request, name: str) -> str:
    """The first value of a name in the query."""
    for pair in request.target.partition(b"?")[2].split(b"&"):
        key, _, value = pair.partition(b"=")
        if key == name.encode():
            return unquote_plus(value.decode("latin-1"))
    return ""


def _short(value: str) -> str | None:
    return value if 0 < len(value) <= MAX_ID else None


def _with_message(call: Call, message: Any) -> Call:
    if not isinstance(message, dict):
        return call
    return replace(call, task=ident(message, "taskId", "task_id"), context=ident(message, "contextId", "context_id"),
                   message=ident(message, "messageId", "message_id"))


def ident(of: dict[str, Any], *names: str) -> str | None:
    """The first of these members that can be an id."""
    for name in names:
        value = of.get(name)
        if isinstance(value, str) and 0 < len(value) <= MAX_ID:
            return value
    return None


def loads(text: bytes) -> Any:
    """JSON, or None if it is none."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
