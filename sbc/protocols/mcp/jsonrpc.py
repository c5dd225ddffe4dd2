"""JSON-RPC 2.0 as MCP uses it: messages read for what a proxy has to know of them, and errors written.

A body is read once and never judged beyond its shape: what a method's parameters ought to be is the node's affair.
Batches are of MCP 2025-03-26 (and of JSON-RPC 2.0 section 6); an id is a string or a whole number.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any, Final

import orjson

from sbc.model.errors import Outcome, Refusal, SbcError
from sbc.model.http import Fields, Response
from sbc.protocols.bodies import JSON_TYPE, is_event_stream
from sbc.protocols.events import event_data, make_event

Id = str | int

NO_PARAMS: Final[Mapping[str, Any]] = {}
_SURELY_FLAT: Final = 200
"""Brackets, at most: such a text is not nested too deeply for orjson to write."""


class Code(IntEnum):
    """Errors that the edge itself answers with. MCP leaves -32000 to -32019 to implementations; -32001 and -32002
    mean something to some clients already."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    HEADER_MISMATCH = -32020
    """MCP 2026-07-28: a mirrored header is missing or says something else than the body."""
    OUTCOME_UNKNOWN = -32010
    """The node was lost; it may have acted on the request."""
    NOT_SENT = -32011
    """No node was asked; the request may be made again."""


class Kind(Enum):
    REQUEST = "request"
    NOTIFICATION = "notification"
    RESPONSE = "response"


class Malformed(SbcError):
    """Not what JSON-RPC can be: `code` and what is wrong."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Message:
    """One message. whole: all of it, as it was read."""

    kind: Kind
    id: Id | None
    """None: a notification, or an error that answers nothing in particular."""
    method: str
    """Empty for a response."""
    params: Mapping[str, Any]
    whole: dict[str, Any]

    @property
    def result(self) -> Mapping[str, Any]:
        """The result of a response; empty if it is an error."""
        return _mapping(self.whole.get("result"))


def read(body: bytes | None) -> tuple[list[Message], bool]:
    """The messages of a body, and whether they came as a batch. Raises Malformed."""
    value = _parsed(body or b"")
    if isinstance(value, list):
        if not value:
            raise Malformed(Code.INVALID_REQUEST, "an empty batch")
        return [message(each) for each in value], True
    return [message(value)], False


def message(value: Any) -> Message:
    """What a JSON value is as a message. Raises Malformed."""
    if not isinstance(value, dict):
        raise Malformed(Code.INVALID_REQUEST, "a message has to be an object")
    method = value.get("method")
    identity = value.get("id")
    named = isinstance(identity, str | int) and not isinstance(identity, bool)
    if isinstance(method, str):
        if "id" in value and not named:
            raise Malformed(Code.INVALID_REQUEST, "an id has to be a string or a whole number of 64 bits")
        kind = Kind.REQUEST if named else Kind.NOTIFICATION
        return Message(kind, identity, method, _mapping(value.get("params")), value)
    if "result" in value or "error" in value:
        return Message(Kind.RESPONSE, identity if named else None, "", NO_PARAMS, value)
    raise Malformed(Code.INVALID_REQUEST, "neither a request nor a notification nor a response")


def in_event(event: bytes) -> list[Message]:
    """The messages that an event carries; none if it carries none, or nothing that can be read."""
    data = event_data(event)
    if not data:
        return []
    try:
        return read(data)[0]
    except Malformed:
        return []


def in_answer(response: Response, body: bytes) -> list[Message]:
    """The messages of a whole answer, JSON or a stream of events; none if there are none."""
    if is_event_stream(response):
        # An event's end is a blank line, however lines end.
        plain = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return [each for event in plain.split(b"\n\n") for each in in_event(event + b"\n\n")]
    try:
        return read(body)[0]
    except Malformed:
        return []


def event(value: Any) -> bytes:
    """A message as an event, as MCP servers name it."""
    return make_event(orjson.dumps(value), b"message")


def with_data(old: bytes, values: list[dict[str, Any]]) -> bytes:
    """The event with these messages in the place of those that it carried."""
    kept = [line for line in old.splitlines() if line and line.partition(b":")[0] != b"data"]
    data = orjson.dumps(values[0] if len(values) == 1 else values)
    return b"\n".join([*kept, b"data: " + data, b"", b""])


def error(identity: Id | None, code: Code, text: str, **said: Any) -> dict[str, Any]:
    """An error response; said: its data, if any."""
    fault: dict[str, Any] = {"code": int(code), "message": text}
    if said:
        fault["data"] = said
    return {"jsonrpc": "2.0", "id": identity, "error": fault}


def errors(ids: Iterable[Id], code: Code, text: str, *, batch: bool = False, **said: Any) -> bytes:
    """The body that answers each of these requests with the same error."""
    each = [error(identity, code, text, **said) for identity in ids]
    if batch and each:
        return orjson.dumps(each)
    return orjson.dumps(each[0] if each else error(None, code, text, **said))


def refusal(refused: Refusal, ids: Iterable[Id], *, batch: bool = False) -> tuple[Response, bytes]:
    """A refusal as an answer to these requests."""
    known = refused.outcome is Outcome.NOT_SENT
    code = Code.NOT_SENT if refused.status >= 500 or refused.status == 429 else Code.INVALID_REQUEST
    body = errors(ids, code if known else Code.OUTCOME_UNKNOWN, refused.detail, batch=batch,
                  outcome=refused.outcome.value, reason=refused.code)  # fmt: skip
    fields: Fields = [JSON_TYPE, (b"session-outcome", refused.outcome.value.encode())]
    fields += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in refused.headers]
    if refused.retry_after is not None:
        fields.append((b"retry-after", b"%d" % max(1, math.ceil(refused.retry_after))))
    return Response(refused.status, fields, len(body)), body


def _parsed(body: bytes) -> Any:
    try:
        value = orjson.loads(body)
        if body.count(b"[") + body.count(b"{") > _SURELY_FLAT:
            orjson.dumps(value)  # reads four times as deep as it writes, and any message may have to be written again
    except orjson.JSONDecodeError as fault:
        raise Malformed(Code.PARSE_ERROR, f"not JSON: {fault}") from None
    except TypeError:
        raise Malformed(Code.INVALID_REQUEST, "nested too deeply") from None
    return value


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else NO_PARAMS
