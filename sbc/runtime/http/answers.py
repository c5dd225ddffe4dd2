"""What the edge itself answers to requests: refusals, and outcomes that cannot be known."""

import orjson

from sbc.model.errors import CloseCode, Outcome, Refusal
from sbc.model.http import Fields, Request, Response
from sbc.model.policy import Access, Policy
from sbc.protocols.protocol import LastWords, Reading, Rejection

_JSON = (b"content-type", b"application/json")
_EXPOSED = b"retry-after, session-outcome, www-authenticate"


def refused(refusal: Refusal, reading: Reading, request: Request, policy: Policy | None) -> tuple[Response, bytes]:
    """The answer to a request that is refused, in its protocol's own form where it has one. policy: None: there is
    none yet."""
    if isinstance(refusal, Rejection):
        response, body = refusal.response, refusal.body
    else:
        own = reading.refusal(refusal)
        response, body = own if own is not None else _plain(refusal)
    response.fields = response.fields + _truth(refusal)
    if policy is not None and policy.access is not None:
        response.fields += _readable(request, policy.access)
    response.length = len(body)
    return response, body


def _plain(refusal: Refusal) -> tuple[Response, bytes]:
    body = orjson.dumps({"error": {"code": refusal.code, "message": refusal.detail}}) + b"\n"
    return Response(refusal.status, [_JSON]), body


def _truth(refusal: Refusal) -> Fields:
    """What is said with every refusal: whether a node was reached, and when to try again."""
    fields = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in refusal.headers]
    if refusal.retry_after is not None:
        fields.append((b"retry-after", str(max(1, round(refusal.retry_after))).encode()))
    return [*fields, (b"session-outcome", refusal.outcome.value.encode())]


def _readable(request: Request, access: Access) -> Fields:
    """What lets a page read the refusal (Fetch Standard, CORS protocol), if pages of its origin may ask at all."""
    origin = request.first(b"origin")
    if origin is None or origin.lower() not in access.origins:
        return []
    return [(b"access-control-allow-origin", origin), (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", _EXPOSED), (b"vary", b"origin")]  # fmt: skip


def turned_away(code: int, reason: str) -> Refusal:
    """What a request is told that was sent to no node, and whose session ends. code: RFC 6455 section 7.4."""
    if code == CloseCode.BAD_GATEWAY:
        return Refusal(503, "no_node", "no node can take the session now", retry_after=5)
    return Refusal(503, "session_over", reason or "the session has ended", retry_after=1)


def unknown(words: LastWords) -> Response:
    """The head of the answer to a request whose outcome is unknown."""
    fields = [(b"content-type", words.content_type), (b"session-outcome", Outcome.UNKNOWN.value.encode())]
    fields += words.fields
    return Response(words.status, fields, len(words.body))
