"""The fields of a request as they come over HTTP/2 and HTTP/3, and the Request that they are (RFC 9113 section 8.3,
RFC 9114 section 4.3).

An engine has seen to the form of names and values. What is refused here is what two readers could take for different
things once it is written as HTTP/1.1: no such request comes as far as a node. There is a compiled twin.
"""

from functools import lru_cache

from sbc.core.screening import check_target
from sbc.model.errors import Refusal
from sbc.model.http import Fields, Request
from sbc.wire.http1 import METHODS, is_token, proper_authority

_LONGEST_NUMBER = 18
"""Digits of a length: none that a 64-bit reader would take for another."""
_SPECIAL = frozenset({
    b":method", b":scheme", b":authority", b":path", b":protocol", b"host", b"content-length", b"expect", b"cookie",
})  # fmt: skip
"""Fields that stand elsewhere in a Request, or otherwise."""
_SHORT = 256
"""Octets of a target or an authority that is known again: the same ones come all the time."""


def _check_target(target: bytes) -> None:
    """Raises Refusal."""
    check_target(target.decode("latin-1"))


_known_authority = lru_cache(maxsize=256)(proper_authority)
_check_known = lru_cache(maxsize=256)(_check_target)


def octets_of(fields: Fields) -> int:
    """The size of a head, as HTTP/1.1 would have it, in bytes."""
    octets = 4 * len(fields)
    for field in fields:
        octets += len(field[0]) + len(field[1])
    return octets


def check_size(fields: Fields, octets: int, limits: tuple[int, int, float]) -> None:
    """Raise Refusal for a head that is too large. limits: Reception.limits()."""
    if octets > limits[0]:
        raise Refusal(431, "head_too_large", f"at most {limits[0]} bytes of request head")
    if len(fields) > limits[1]:
        raise Refusal(431, "too_many_headers", f"at most {limits[1]} header fields")


def read_request(fields: Fields, end: bool, version: str) -> tuple[Request, bool]:
    """The request, and whether its client waits for a 100 (RFC 9110 section 10.1.1). end: no body follows.
    version: by which version of HTTP it came.

    Raises Refusal.
    """
    special: dict[bytes, bytes] = {}
    kept: Fields = []
    for field in fields:
        name = field[0]
        if name not in _SPECIAL:
            kept.append(field)
        elif name not in special:
            special[name] = field[1]
        elif name == b"cookie":  # RFC 9113 section 8.2.3: crumbs of one cookie
            special[name] += b"; " + field[1]
        else:
            raise Refusal(400, "duplicate_header", f"more than one {name.decode()} header")
    if b"cookie" in special:
        kept.append((b"cookie", special[b"cookie"]))
    request = Request(special[b":method"], special.get(b":path", b""), _authority(special), kept,
                      bodied=not end, protocol=special.get(b":protocol"), version=version)
    _aim(request, special.get(b":scheme", b""))
    if (length := special.get(b"content-length")) is not None:
        if not length.isdigit() or len(length) > _LONGEST_NUMBER:
            raise _malformed("not a proper length")
        request.length = int(length)
    return request, _expects(special) and request.bodied


def _authority(special: dict[bytes, bytes]) -> bytes:
    # RFC 9113 section 8.3.1: Host is what a gateway made :authority of, so they are the same.
    host = special.get(b"host")
    authority = special.get(b":authority", host)
    if authority is None or not (_known_authority if len(authority) <= _SHORT else proper_authority)(authority):
        raise Refusal(400, "bad_host", "exactly one proper :authority is needed")
    if host is not None and host.lower() != authority.lower():
        raise Refusal(400, "bad_host", "Host is not :authority")
    return authority


def _aim(request: Request, scheme: bytes) -> None:
    if request.method not in METHODS:
        if not is_token(request.method):
            raise _malformed("no method")
        raise Refusal(501, "unknown_method", "a method that nobody here knows")
    if request.method == b"CONNECT" and request.protocol is None:
        raise Refusal(405, "method", "there are no tunnels here",
                      headers=[("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")])
    if scheme not in (b"https", b"http"):
        raise _malformed("neither http nor https")
    if request.target != b"*" or request.method != b"OPTIONS":
        (_check_known if len(request.target) <= _SHORT else _check_target)(request.target)


def _expects(special: dict[bytes, bytes]) -> bool:
    expected = special.get(b"expect")
    if expected is not None and expected.lower() != b"100-continue":
        raise Refusal(417, "expectation", "only 100-continue can be expected here")
    return expected is not None


def _malformed(why: str) -> Refusal:
    return Refusal(400, "malformed", f"not a proper request: {why}")
