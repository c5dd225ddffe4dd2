"""Errors in A2A's own forms: JSON-RPC errors, and google.rpc.Status for REST (A2A 1.0 sections 9.5 and 11.6).

What became of a request is said in the details, which the official SDKs give to their callers: `outcome` is `unknown`
or `not-sent`, as in the header Session-Outcome. An outcome that is unknown is answered over JSON-RPC with the status
200 of all JSON-RPC errors there: many clients, and layers below them, send a request again by themselves on a 502, and
read no body with it.
"""

from http import HTTPStatus
from typing import Any

import orjson

from sbc.model.errors import Outcome, Refusal
from sbc.model.http import Response
from sbc.protocols.a2a.calls import Call, Form
from sbc.protocols.a2a.items import fault_event, fault_of
from sbc.protocols.protocol import LastWords

_INTERNAL = -32603
_INVALID = -32600
_TASK_NOT_FOUND = -32001

_LOST = "the agent was lost; it may have acted on this"

_NAMES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ABORTED",
    413: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}
"""google.rpc.Code by HTTP status."""

_TYPES = {400: "InvalidRequestError", 404: "TaskNotFoundError", 413: "InvalidRequestError"}
"""What 0.3 clients look for at the top of an error over REST."""

_REASONS = {400: "INVALID_REQUEST", 404: "TASK_NOT_FOUND", 413: "INVALID_REQUEST"}


def unknown(call: Call, task: str | None, *, begun: bool) -> LastWords:
    """The outcome is unknown. task: the one that it is about, as far as it was said. begun: events went before."""
    body = _body(call, HTTPStatus.BAD_GATEWAY, _INTERNAL, _LOST, Outcome.UNKNOWN, task)
    if begun:
        return LastWords(fault_event(call, body), True)
    return LastWords(body, True, status=HTTPStatus.OK if call.form.rpc else HTTPStatus.BAD_GATEWAY)


def refused(call: Call, refusal: Refusal) -> tuple[Response, bytes]:
    """A refusal, with its own HTTP status: nothing was sent, so what sends again on 429 and 503 does right."""
    code = {400: _INVALID, 413: _INVALID, 404: _TASK_NOT_FOUND}.get(refusal.status, _INTERNAL)
    body = _body(call, refusal.status, code, refusal.detail, refusal.outcome, call.task)
    return Response(refusal.status, [(b"content-type", b"application/json")], len(body)), body


def _body(call: Call, status: int, code: int, message: str, outcome: Outcome, task: str | None) -> bytes:
    facts = {"outcome": outcome.value} | ({"taskId": task} if task else {})
    if call.form is Form.RPC_03:
        return fault_of(call, {"code": code, "message": message, "data": facts})
    detail: dict[str, Any] = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": _REASONS.get(status, "INTERNAL_ERROR"),
        "domain": "a2a-protocol.org", "metadata": facts,
    }
    if call.form.rpc:
        return fault_of(call, {"code": code, "message": message, "data": [detail]})
    fault = {"code": status, "status": _NAMES.get(status, "INTERNAL"), "message": message, "details": [detail]}
    if call.form is Form.REST_1:
        return fault_of(call, fault)
    return orjson.dumps({"error": fault, "type": _TYPES.get(status, "InternalError"), "message": message})
