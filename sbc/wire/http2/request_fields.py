"""The fields of a request as they come over HTTP/2, and the Request that they are (RFC 9113 section 8.3).

An engine has seen to the form of names and values. What is refused here is what two readers could take for different
things once it is written as HTTP/1.1: no such request comes as far as a node.
"""

from sbc.core.screening import check_target
from sbc.model.errors import Refusal
from sbc.model.http import Fields, Request
from sbc.wire.http1 import is_token, proper_authority

_LONGEST_NUMBER = 18
"""Digits of a length: none that a 64-bit reader would take for another."""
_OWN = frozenset({b"host", b"content-length", b"expect", b"cookie"})
"""Fields that stand elsewhere in a Request, or otherwise."""


def octets_of(fields: Fields) -> int:
    """The size of a head, as HTTP/1.1 would have it, in bytes."""
    return sum([len(name) + len(value) + 4 for name, value in fields])


def read_request(fields: Fields, end: bool) -> tuple[Request, bool]:
    """The request, and whether its client waits for a 100 (RFC 9110 section 10.1.1). end: no body follows.

    Raises Refusal.
    """
    pseudo: dict[bytes, bytes] = {}
    special: dict[bytes, bytes] = {}
    kept: Fields = []
    for field in fields:
        name, value = field
        if name.startswith(b":"):
            pseudo[name] = value
        elif name not in _OWN:
            kept.append(field)
        elif name not in special:
            special[name] = value
        elif name == b"cookie":  # RFC 9113 section 8.2.3: crumbs of one cookie
            special[name] += b"; " + value
        else:
            raise Refusal(400, "duplicate_header", f"more than one {name.decode()} header")
    if b"cookie" in special:
        kept.append((b"cookie", special[b"cookie"]))
    request = Request(pseudo[b":method"], pseudo.get(b":path", b""), _authority(pseudo, special), kept,
                      bodied=not end, protocol=pseudo.get(b":protocol"), version="2")
    _aim(request, pseudo.get(b":scheme", b""))
    if (length := special.get(b"content-length")) is not None:
        if not length.isdigit() or len(length) > _LONGEST_NUMBER:
            raise _malformed("not a proper length")
        request.length = int(length)
    return request, _expects(special) and request.bodied


def _authority(pseudo: dict[bytes, bytes], special: dict[bytes, bytes]) -> bytes:
    # RFC 9113 section 8.3.1: Host is what a gateway made :authority of, so they are the same.
    host = special.get(b"host")
    authority = pseudo.get(b":authority", host)
    if authority is None or not proper_authority(authority):
        raise Refusal(400, "bad_host", "exactly one proper :authority is needed")
    if host is not None and host.lower() != authority.lower():
        raise Refusal(400, "bad_host", "Host is not :authority")
    return authority


def _aim(request: Request, scheme: bytes) -> None:
    if not is_token(request.method):
        raise _malformed("no method")
    if request.method == b"CONNECT" and request.protocol is None:
        raise Refusal(405, "method", "there are no tunnels here",
                      headers=[("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")])
    if scheme not in (b"https", b"http"):
        raise _malformed("neither http nor https")
    if request.target != b"*" or request.method != b"OPTIONS":
        check_target(request.target.decode("latin-1"))


def _expects(special: dict[bytes, bytes]) -> bool:
    expected = special.get(b"expect")
    if expected is not None and expected.lower() != b"100-continue":
        raise Refusal(417, "expectation", "only 100-continue can be expected here")
    return expected is not None


def _malformed(why: str) -> Refusal:
    return Refusal(400, "malformed", f"not a proper HTTP/2 request: {why}")
