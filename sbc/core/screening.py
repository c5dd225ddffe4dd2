"""Judge a hello before a dialog exists: what is malformed, who asks, which session is meant, what a node may see."""

import re
from urllib.parse import parse_qsl, unquote

from sbc.core import forwarding
from sbc.core.fields import without
from sbc.core.forwarding import check_fields
from sbc.core.keys import route_key
from sbc.model.errors import Refusal
from sbc.model.http import Fields, Request, plain_request
from sbc.model.identity import Identity
from sbc.model.ids import at_address
from sbc.model.policy import Limits
from sbc.model.route import Claims, Hello, Route

LONGEST_TARGET = 8 * 1024
_PLAIN = re.compile(r"(?:/(?!\.)[A-Za-z0-9\-._~!$&'()*+,;=:@]*)+(?:\?[!\"$-~]*)?")
"""Most targets: a path in which nothing is encoded, no segment begins with a dot, and any query."""
_HANDSHAKE = (b"sec-websocket-",)
_NO_NAMES: frozenset[bytes] = frozenset()


def check_target(target: str) -> None:
    """Refuse what two parsers might read in two ways. Raises Refusal."""
    if len(target) > LONGEST_TARGET:
        raise Refusal(414, "target_too_long", f"at most {LONGEST_TARGET} bytes")
    if _PLAIN.fullmatch(target):
        return
    if not target.startswith("/") or "#" in target or any(char <= " " or char >= "\x7f" for char in target):
        raise Refusal(400, "bad_target", "the request target has to be a path")
    path = target.partition("?")[0]
    lowered = path.lower()
    if "%2f" in lowered or "%5c" in lowered or "%00" in lowered or "\\" in path:
        raise Refusal(400, "bad_target", "encoded slashes and NUL are not taken in a path")
    if any(segment in (".", "..") for segment in unquote(path).split("/")):
        raise Refusal(400, "bad_target", "dot segments are not taken in a path")


def as_request(hello: Hello) -> Request:
    """A hello as a request is seen, by whatever judges both."""
    asked = plain_request(b"GET", hello.target.encode("latin-1"), hello.host.encode("latin-1"), hello.fields, False,
                          None, "1.1")  # fmt: skip
    asked.client, asked.secure, asked.listener = hello.client, hello.secure, hello.listener
    asked.via, asked.certificate = hello.via, hello.certificate
    return asked


def check_head(hello: Hello, octets: int, limits: Limits) -> None:
    """Hold a head against the limits of its policy, and against names that look like ours. Raises Refusal."""
    if octets > limits.head:
        raise Refusal(431, "head_too_large", f"at most {limits.head} bytes of request head")
    check_fields(hello.fields, limits.headers)


def claims(hello: Hello, asked: Request, route: Route, identity: Identity | None) -> Claims:
    """Who asks, and for which session. asked: the hello as a request; identity: who that is proven to be, if the route
    asks. Raises Refusal."""
    _, _, query = hello.target.partition("?")
    parameters = dict(parse_qsl(query, keep_blank_values=True)) if query else {}
    token = hello.header(b"session-id") or parameters.get("session")
    return Claims(
        principal=identity.principal if identity is not None else at_address(hello.client),
        token=token or None,
        received=_count(hello.header(b"session-received"), parameters.get("received")),
        key=route_key(asked, route.session, None),
        identity=identity,
    )


def _count(header: str | None, parameter: str | None) -> int | None:
    text = header if header is not None else parameter
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise Refusal(400, "bad_received", "Session-Received has to be a whole number of messages")
    return int(text)


def node_target(hello: Hello) -> str:
    """Path and query as a node sees them."""
    if "?" not in hello.target:
        return hello.target
    return forwarding.node_target(hello.target.encode("latin-1")).decode("latin-1")


def node_fields(hello: Hello) -> Fields:
    """The client's fields as a node sees them: none that is meant for the edge, and the truth about the client."""
    asked = as_request(hello)
    # Each leg has a handshake of its own, which leaves the host to us.
    return [(b"host", asked.authority), *without(forwarding.node_fields(asked), _NO_NAMES, _HANDSHAKE)]
