"""What becomes of header fields on their way through the edge: none that belongs to a connection, or that only the
edge may say, is passed on; and a node learns the truth about the client."""

from collections.abc import Collection

from sbc.model.errors import Refusal
from sbc.model.http import Fields, Request

HOP_BY_HOP = frozenset({
    b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization", b"te",
    b"trailer", b"transfer-encoding", b"upgrade", b"content-length", b"http2-settings", b"expect", b"host",
})  # fmt: skip
"""RFC 9110 section 7.6.1, what goes with it, and what the framing of each connection says anew."""

FORWARDED = frozenset({b"forwarded", b"x-real-ip"})
OWN = (b"session-", b"x-forwarded-")
"""How the names of fields begin that only the edge may set."""

_DROPPED = HOP_BY_HOP | FORWARDED


def check_fields(request: Request, most: int) -> None:
    """Hold a head against its policy, and against names that look like ours. Raises Refusal."""
    if len(request.fields) > most:
        raise Refusal(431, "too_many_headers", f"at most {most} header fields")
    for name, _ in request.fields:
        if b"_" in name and _is_own(name.replace(b"_", b"-")):
            raise Refusal(400, "header_look_alike", "a header that looks like one of the edge's")


def _is_own(name: bytes) -> bool:
    return name.startswith(OWN) or name in FORWARDED


def node_fields(request: Request) -> Fields:
    """A client's fields as a node sees them."""
    named = _named(request.fields)
    kept = [
        field for field in request.fields
        if field[0] not in _DROPPED and not field[0].startswith(OWN) and field[0] not in named
    ]  # fmt: skip
    te = request.first(b"te")
    if te is not None and b"trailers" in te.lower():
        kept.append((b"te", b"trailers"))  # gRPC asks for it from end to end
    scheme = b"https" if request.secure else b"http"
    client = request.client.encode("latin-1")
    address = b'"[' + client + b']"' if b":" in client else client
    host = request.authority
    quoted = b'"' + host.replace(b'"', b"") + b'"' if b":" in host else host
    kept.append((b"forwarded", b"for=" + address + b";proto=" + scheme + b";host=" + quoted))  # RFC 7239 section 4
    kept.append((b"x-forwarded-for", client))
    kept.append((b"x-forwarded-proto", scheme))
    kept.append((b"x-forwarded-host", host))
    return kept


def client_fields(fields: Fields, hidden: Collection[bytes]) -> Fields:
    """A node's fields as a client sees them. hidden: names that the policy keeps from clients."""
    named = _named(fields)
    return [
        field for field in fields
        if field[0] not in HOP_BY_HOP and field[0] not in hidden and field[0] not in named
        and not field[0].startswith(b"session-")
    ]  # fmt: skip


_NONE: frozenset[bytes] = frozenset()
_USUAL = frozenset({b"keep-alive", b"close", b"Keep-Alive", b"Close", b""})


def _named(fields: Fields) -> Collection[bytes]:
    """The fields that `Connection` declares to be hop by hop."""
    for name, value in fields:
        if name == b"connection" and value not in _USUAL:
            break
    else:
        return _NONE
    return {
        token.strip().lower() for name, value in fields if name == b"connection" for token in value.split(b",")
    }  # fmt: skip


def node_target(target: bytes, own: Collection[bytes]) -> bytes:
    """Path and query as a node sees them: without the parameters that are meant for the edge."""
    path, mark, query = target.partition(b"?")
    if not mark or not any(part.partition(b"=")[0] in own for part in query.split(b"&")):
        return target
    kept = [part for part in query.split(b"&") if part.partition(b"=")[0] not in own]
    return path + mark + b"&".join(kept) if kept else path
