"""What several protocols have to know of bodies: which can be read at all, and JSON objects in them."""

from dataclasses import replace
from typing import Any

import orjson

from sbc.model.http import Request, Response

EVENT_STREAM = b"text/event-stream"
JSON_TYPE = (b"content-type", b"application/json")


def unencoded(request: Request) -> Request:
    """The request, so that its answer can be read: a node that is asked for no content coding may choose any (RFC
    9110 section 12.5.3)."""
    fields = [field for field in request.fields if field[0] != b"accept-encoding"]
    return replace(request, fields=[*fields, (b"accept-encoding", b"identity")])


def asks_for_events(request: Request) -> bool:
    """Whether a client says that it expects a stream of events, as EventSource always does (HTML section 9.2.3)."""
    return any(name == b"accept" and EVENT_STREAM in value.lower() for name, value in request.fields)


def is_event_stream(response: Response) -> bool:
    """Whether an answer is a stream of events: what EventSource takes for one (HTML section 9.2.3)."""
    kind = response.first(b"content-type") or b""
    return response.status == 200 and kind.partition(b";")[0].strip().lower() == EVENT_STREAM


def json_object(body: bytes | None) -> dict[str, Any]:
    """The JSON object that a body is; an empty one if it is none. What is wrong with a body, its node says best."""
    try:
        value = orjson.loads(body or b"")
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
