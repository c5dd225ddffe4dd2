"""Judge a hello before a dialog exists: what is malformed, who asks, which session is meant, what a node may see."""

import re
from urllib.parse import parse_qsl, quote, unquote

from sbc.model.errors import Refusal
from sbc.model.ids import PrincipalId
from sbc.model.policy import Limits
from sbc.model.route import Claims, Hello, KeySource, Route, SessionKey

LONGEST_TARGET = 8 * 1024
LONGEST_KEY = 256

OWN_PARAMETERS = frozenset({"session", "received", "access_token"})
"""Query parameters by which a browser, which cannot set headers, speaks to the edge; no node sees them."""

HOP_BY_HOP = frozenset({
    "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer",
    "transfer-encoding", "upgrade", "content-length", "http2-settings",
})  # fmt: skip
"""RFC 9110 section 7.6.1, and what goes with it."""

FORWARDED = frozenset({"forwarded", "x-real-ip"})


_PLAIN = re.compile(r"(?:/(?!\.)[A-Za-z0-9\-._~!$&'()*+,;=:@]*)+(?:\?[!\"$-~]*)?")
"""Most targets: a path in which nothing is encoded, no segment begins with a dot, and any query."""


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


def check_head(hello: Hello, octets: int, limits: Limits) -> None:
    """Hold a head against the limits of its policy, and against names that look like ours. Raises Refusal."""
    if octets > limits.head:
        raise Refusal(431, "head_too_large", f"at most {limits.head} bytes of request head")
    if len(hello.headers) > limits.headers:
        raise Refusal(431, "too_many_headers", f"at most {limits.headers} header fields")
    for name, _ in hello.headers:
        if "_" in name and _is_own(name.replace("_", "-")):
            raise Refusal(400, "header_look_alike", "a header that looks like one of the edge's")


def _is_own(name: str) -> bool:
    return name.startswith(("session-", "x-forwarded-")) or name in FORWARDED


def claims(hello: Hello, route: Route) -> Claims:
    """Who asks, and for which session. Raises Refusal."""
    parameters = dict(parse_qsl(hello.target.partition("?")[2], keep_blank_values=True))
    token = hello.header("session-id") or parameters.get("session")
    return Claims(
        principal=PrincipalId(f"address:{hello.client}"),
        token=token or None,
        received=_count(hello.header("session-received"), parameters.get("received")),
        key=_key(hello, route.session, parameters),
    )


def _count(header: str | None, parameter: str | None) -> int | None:
    text = header if header is not None else parameter
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise Refusal(400, "bad_received", "Session-Received has to be a whole number of messages")
    return int(text)


def _key(hello: Hello, key: SessionKey, parameters: dict[str, str]) -> str | None:
    found: str | None = None
    match key.source:
        case KeySource.NONE | KeySource.BODY | KeySource.CLAIM:
            return None
        case KeySource.HEADER:
            found = hello.header(key.name.lower())
        case KeySource.QUERY:
            found = parameters.get(key.name)
        case KeySource.COOKIE:
            found = _cookie(hello, key.name)
        case KeySource.PATH:
            segments = hello.path.strip("/").split("/")
            found = segments[int(key.name)] if int(key.name) < len(segments) else None
    if found is not None and len(found) > LONGEST_KEY:
        raise Refusal(400, "session_key", f"a session key has at most {LONGEST_KEY} characters")
    return found or None


def _cookie(hello: Hello, name: str) -> str | None:
    for pair in (hello.header("cookie") or "").split(";"):
        key, _, value = pair.strip().partition("=")
        if key == name:
            return value
    return None


def node_target(hello: Hello) -> str:
    """Path and query as a node sees them."""
    path, mark, query = hello.target.partition("?")
    if not any(part.partition("=")[0] in OWN_PARAMETERS for part in query.split("&")):
        return hello.target
    kept = [part for part in query.split("&") if part.partition("=")[0] not in OWN_PARAMETERS]
    return path + mark + "&".join(kept) if kept else path


def node_headers(hello: Hello) -> list[tuple[str, str]]:
    """The client's headers as a node sees them: none that is meant for the edge, and the truth about the client."""
    named = {
        token.strip().lower() for name, value in hello.headers if name == "connection" for token in value.split(",")
    }
    dropped = HOP_BY_HOP | FORWARDED | (named - {"host"})
    kept = [
        (name, value) for name, value in hello.headers
        if name not in dropped and not name.startswith(("session-", "x-forwarded-", "sec-websocket-"))
    ]  # fmt: skip
    scheme = "https" if hello.secure else "http"
    address = f'"[{hello.client}]"' if ":" in hello.client else hello.client
    kept.append(("Forwarded", f"for={address};proto={scheme};host={_quoted(hello.host)}"))  # RFC 7239 section 4
    kept += [("X-Forwarded-For", hello.client), ("X-Forwarded-Proto", scheme), ("X-Forwarded-Host", hello.host)]
    return kept


def _quoted(host: str) -> str:
    return f'"{quote(host, safe=":[].-_~")}"' if ":" in host else host
