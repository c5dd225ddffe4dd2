"""A refusal as an answer over HTTP/2; over HTTP/1.1 the same is written by upgrade.py."""

import orjson

from sbc.model.errors import Refusal
from sbc.model.http import Fields


def refusal_answer(refused: Refusal) -> tuple[Fields, bytes]:
    """The head and the body of the answer."""
    body = orjson.dumps({"error": {"code": refused.code, "message": refused.detail}}) + b"\n"
    fields = [(b":status", b"%d" % refused.status), (b"content-type", b"application/json"),
              (b"content-length", b"%d" % len(body)), (b"session-outcome", refused.outcome.value.encode())]
    fields += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in refused.headers]
    if refused.retry_after is not None:
        fields.append((b"retry-after", b"%d" % max(1, round(refused.retry_after))))
    return fields, body
