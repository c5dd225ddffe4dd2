"""A refusal as an answer over HTTP/2 and HTTP/3; over HTTP/1.1 the same is written by upgrade.py."""

import orjson

from sbc.model.errors import Refusal
from sbc.model.http import Fields
from sbc.wire.http2.engine import StreamOrders


def answer_refusal(engine: StreamOrders, stream: int, refused: Refusal) -> None:
    """Answer a request by it."""
    fields, body = _answer(refused)
    engine.respond(stream, fields, end=False)
    engine.send(stream, body)
    engine.finish(stream, [])


def _answer(refused: Refusal) -> tuple[Fields, bytes]:
    body = orjson.dumps({"error": {"code": refused.code, "message": refused.detail}}) + b"\n"
    fields = [(b":status", b"%d" % refused.status), (b"content-type", b"application/json"),
              (b"content-length", b"%d" % len(body)), (b"session-outcome", refused.outcome.value.encode())]
    fields += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in refused.headers]
    if refused.retry_after is not None:
        fields.append((b"retry-after", b"%d" % max(1, round(refused.retry_after))))
    return fields, body
