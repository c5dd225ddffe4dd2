"""What a policy adds to the heads of its requests, and takes out, on their way to nodes."""

from dataclasses import replace

from sbc.model.http import Request
from sbc.model.policy import Rewrite
from sbc.model.route import Hello


def rewrite(request: Request, by: Rewrite) -> None:
    """The request as the policy lets nodes see it. Its keys and proofs have to be read by then, or stay in it."""
    request.fields = [field for field in request.fields if field[0] not in by.removed]
    request.fields += by.added


def rewritten(hello: Hello, by: Rewrite) -> Hello:
    """The same of a WebSocket's hello."""
    kept = [(name, value) for name, value in hello.headers if name.encode("latin-1") not in by.removed]
    added = [(name.decode(), value.decode()) for name, value in by.added]
    return replace(hello, headers=(*kept, *added))
