"""What a policy adds to the heads of its requests, and takes out, on their way to nodes."""

from dataclasses import replace

from sbc.model.http import Fields, Request
from sbc.model.policy import Rewrite
from sbc.model.route import Hello


def rewrite(request: Request, by: Rewrite) -> None:
    """The request as the policy lets nodes see it. Its keys and proofs have to be read by then, or stay in it."""
    request.fields = _rewritten(request.fields, by)


def rewritten(hello: Hello, by: Rewrite) -> Hello:
    """The same of a WebSocket's hello."""
    return replace(hello, fields=_rewritten(hello.fields, by))


def _rewritten(fields: Fields, by: Rewrite) -> Fields:
    return [*(field for field in fields if field[0] not in by.removed), *by.added]
