"""What becomes of header fields on their way through the edge: none that belongs to a connection, or that only the
edge may say, is passed on; and a node learns the truth about the client."""

from collections.abc import Set
from urllib.parse import unquote_to_bytes

from sbc.core.fields import ODD, PROPER, form_of, without
from sbc.core.octets import index
from sbc.model.errors import Refusal
from sbc.model.http import Fields, Request, first

HOP_BY_HOP = frozenset({
    b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization", b"te",
    b"trailer", b"transfer-encoding", b"upgrade", b"content-length", b"http2-settings", b"expect", b"host",
})  # fmt: skip
"""RFC 9110 section 7.6.1, what goes with it, and what the framing of each connection says anew."""

FORWARDED = frozenset({b"forwarded", b"x-real-ip"})
OWN = (b"session-", b"x-forwarded-")
"""How the names of fields begin that only the edge may set."""
_OF_NODES = frozenset({b"alt-svc"})
"""RFC 7838: where else a node can be reached is nobody's business; where the edge can, it says itself."""
_SESSION = (b"session-",)
OWN_PARAMETERS = frozenset({b"session", b"received", b"access_token"})
"""Query parameters by which a browser, which cannot set headers, speaks to the edge; no node sees them."""

BETWEEN_EDGES = frozenset({b"sbc-hop", b"sbc-ask"})
"""What edges say to each other (wire/hop.py): from a client, or to a node, it means nothing."""

_DROPPED = HOP_BY_HOP | FORWARDED | BETWEEN_EDGES
_TRAILING = _DROPPED | _OF_NODES | frozenset({
    b"age", b"authorization", b"cache-control", b"content-encoding", b"content-range", b"content-type", b"cookie",
    b"date", b"expires", b"location", b"max-forwards", b"pragma", b"range", b"retry-after", b"set-cookie", b"vary",
    b"www-authenticate",
})  # fmt: skip
"""RFC 9110 section 6.5.1: what says how a message is to be framed, read, sent on or answered has no place behind it."""


def check_fields(fields: Fields, most: int) -> None:
    """Hold a head against its policy, its form, and names that look like ours. Raises Refusal.

    The doors see to the form already, each for its version of HTTP and some by libraries; it costs little to know.
    """
    if len(fields) > most:
        raise Refusal(431, "too_many_headers", f"at most {most} header fields")
    form = form_of(fields)
    if form == PROPER:
        return
    if form == ODD:
        raise Refusal(400, "bad_header", "a header name or value with a character that has no place there")
    if _look_alike(fields):
        # What is no name of ours here is one behind CGI and its heirs (RFC 3875 section 4.1.18), which know no dash.
        raise Refusal(400, "header_look_alike", "a header that looks like one of the edge's")


def _look_alike(fields: Fields) -> bool:
    return any(_is_own(name.replace(b"_", b"-")) for name, _ in fields if b"_" in name)


def _is_own(name: bytes) -> bool:
    return name.startswith(OWN) or name in FORWARDED


def node_fields(request: Request) -> Fields:
    """A client's fields as a node sees them."""
    fields = request.fields
    named = _named(fields)
    kept = without(fields, {*_DROPPED, *named} if named else _DROPPED, OWN)
    if first(fields, b"te") is not None and b"trailers" in _list_of(fields, b"te").lower():
        kept.append((b"te", b"trailers"))  # gRPC asks for it from end to end
    asker = request.client, request.via, request.secure, request.authority
    whence = _told.get(asker)
    if whence is None:
        if len(_told) >= MOST_TOLD:
            _told.clear()
        whence = _told[asker] = _whence(*asker)
    kept += whence
    return kept


MOST_TOLD = 1024
_told: dict[tuple[str, tuple[str, ...], bool, bytes], Fields] = {}
"""What nodes were told of the clients that came: most come again."""


def _whence(client: str, via: tuple[str, ...], secure: bool, host: bytes) -> Fields:
    """What a node is told of the client: who it is, what it asked, and how."""
    scheme = b"https" if secure else b"http"
    quoted = b'"' + host.replace(b'"', b"") + b'"' if b":" in host else host
    chain = address = client.encode("latin-1")
    forwarded = _for(address) + b";proto=" + scheme + (b";host=" + quoted if host else b"")  # RFC 7239 section 4
    for proxy in via:
        address = proxy.encode("latin-1")
        chain += b", " + address
        forwarded += b", " + _for(address)
    told = [(b"forwarded", forwarded), (b"x-forwarded-for", chain), (b"x-forwarded-proto", scheme)]
    return [*told, (b"x-forwarded-host", host)] if host else told  # HTTP/1.0 knows requests without one


def _for(address: bytes) -> bytes:
    return b'for="[' + address + b']"' if b":" in address else b"for=" + address


def client_fields(fields: Fields, hidden: frozenset[bytes]) -> Fields:
    """A node's fields as a client sees them. hidden: names that the policy keeps from clients."""
    shut, named = _shut.get(hidden), _named(fields)
    if shut is None:
        if len(_shut) >= MOST_SHUT:
            _shut.clear()
        shut = _shut[hidden] = HOP_BY_HOP | _OF_NODES | hidden
    return without(fields, {*shut, *named} if named else shut, _SESSION)


MOST_SHUT = 256
_shut: dict[frozenset[bytes], frozenset[bytes]] = {}
"""What a policy hides -> all that its clients do not see."""


def node_trailers(fields: Fields) -> Fields:
    """What a client says behind its request, as a node sees it."""
    return without(fields, _TRAILING, OWN) if fields else fields


def client_trailers(fields: Fields, hidden: frozenset[bytes]) -> Fields:
    """What a node says behind its answer, as a client sees it. hidden: names that the policy keeps from clients."""
    return without(fields, _TRAILING | hidden, OWN) if fields else fields


_QUERY = ord("?")
_NONE: frozenset[bytes] = frozenset()
_USUAL = frozenset({b"keep-alive", b"close", b"Keep-Alive", b"Close", b""})


def _named(fields: Fields) -> Set[bytes]:
    """The fields that `Connection` declares to be hop by hop."""
    if first(fields, b"connection") is None:
        return _NONE
    said = _list_of(fields, b"connection")
    return _NONE if said in _USUAL else {token.strip().lower() for token in said.split(b",")}


def _list_of(fields: Fields, name: bytes) -> bytes:
    """A list that may stand in several lines (RFC 9110 section 5.3)."""
    return b",".join([value for field, value in fields if field == name])


def node_target(target: bytes) -> bytes:
    """Path and query as a node sees them: without the parameters that are meant for the edge."""
    if index(target, _QUERY) < 0:
        return target
    path, mark, query = target.partition(b"?")
    parts = query.split(b"&")
    kept = [part for part in parts if not _is_for_edge(part)]
    if len(kept) == len(parts):
        return target
    return path + mark + b"&".join(kept) if kept else path


def _is_for_edge(parameter: bytes) -> bool:
    name = parameter.partition(b"=")[0]
    return name in OWN_PARAMETERS or (b"%" in name and unquote_to_bytes(name) in OWN_PARAMETERS)
