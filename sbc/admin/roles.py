"""Who asks at the operators' door, and what he may do: bearer tokens (RFC 6750) with a role each.

The configuration has digests alone. Tokens are random, so a plain SHA-256 of one can be guessed no better than the
token; all digests are compared, each in constant time, so that the time an answer takes tells nothing of them.
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sbc.config import AdminToken, Role
from sbc.model.errors import Refusal
from sbc.telemetry import logs

OPEN = frozenset({"/healthz", "/readyz"})
"""What anybody may ask: whoever watches the process has no token."""
READING = frozenset({"GET", "HEAD"})
"""The methods that change nothing."""

_CHALLENGE = "Bearer realm=\"sbc admin\""
_log = logs.get("sbc.admin")

Tokens = Callable[[], Sequence[AdminToken]]
"""The tokens in force: a reload may change them."""


def doorkeeper(tokens: Tokens) -> Middleware:
    """A middleware that refuses with 401 who shows no token of those, with 403 whose role is not enough.

    Without any token nobody is asked for one.
    """

    @web.middleware
    async def kept(request: web.Request, handler: Handler) -> web.StreamResponse:
        known = tokens()
        if known and request.path not in OPEN:
            _admit(request, known)
        return await handler(request)

    return kept


def _admit(request: web.Request, known: Sequence[AdminToken]) -> None:
    shown = request.headers.getall("Authorization", [])
    if not shown:
        raise _unknown("show a token (Authorization: Bearer; the command line takes it from SBC_ADMIN_TOKEN)")
    token = _whose(shown, known)
    if token is None:
        raise _unknown("this token is not known here", "invalid_token")
    if request.method in READING:
        return
    if token.role is not Role.OPERATE:
        raise Refusal(403, "role", f"{token.name} may look, and may not give orders",
                      headers=[("WWW-Authenticate", f'{_CHALLENGE}, error="insufficient_scope"')])  # fmt: skip
    _log.info("admin_order", by=token.name, method=request.method, path=request.path)


def _whose(shown: Sequence[str], known: Sequence[AdminToken]) -> AdminToken | None:
    scheme, _, secret = shown[0].partition(" ")
    if len(shown) > 1 or scheme.lower() != "bearer":
        return None
    digest = hashlib.sha256(secret.strip(" ").encode("utf-8", "surrogateescape")).hexdigest()
    matches = [token for token in known if hmac.compare_digest(token.sha256, digest)]
    return matches[0] if matches else None


def _unknown(why: str, error: str = "") -> Refusal:
    challenge = f'{_CHALLENGE}, error="{error}"' if error else _CHALLENGE
    return Refusal(401, "unauthorized", why, headers=[("WWW-Authenticate", challenge)])
