"""Request heads of HTTP/1.x, read strictly: which lines may stand in them, and how often, and what they ask for.

What follows the empty line behind a head (a body, another request, another protocol) is not touched.
"""

import re

from sbc.core.fields import parted
from sbc.core.octets import number_of
from sbc.core.screening import LONGEST_TARGET, check_target
from sbc.model.errors import Refusal
from sbc.model.http import Fields, Request, plain_request
from sbc.wire.heads import bare_feed, fields_of, head_end, request_line
from sbc.wire.http1 import METHODS, proper_authority

_METHOD = re.compile(rb"[A-Z][A-Z0-9_-]{0,30}(?: |\Z)")
_OTHER_VERSION = re.compile(rb"[A-Z][A-Z0-9_-]{0,30} [!-~\x80-\xff]+ HTTP/[0-9]\.[0-9]\r\n")
_ABSOLUTE = re.compile(rb"https?://([^/?]*)(.*)", re.IGNORECASE)
_BLANK = frozenset({b"", b"\r", b"\r\n"})
"""What may stand before a head, and is none yet."""
_LONGEST_LINE = LONGEST_TARGET + 64
_LONGEST_NUMBER = 18
"""Digits of a length: none that a 64-bit reader would take for another."""


class RequestReader:
    """Reads one request head after another, in whatever pieces they come."""

    __slots__ = ("_begun", "_host", "_max_fields", "_max_octets", "_target", "chunked", "expects", "octets",
                 "persists", "raw", "request", "upgrade")

    request: Request
    """The head that was read last; what is known of its connection is for the caller to put in."""
    raw: Fields
    """All of its fields."""
    octets: int
    """Its size."""
    chunked: bool
    expects: bool
    """Whether the client waits for a 100 before it sends the body (RFC 9110 section 10.1.1)."""
    persists: bool
    """Whether the client is ready to use the connection again (RFC 9112 section 9.3)."""
    upgrade: bool
    """Whether it asks for WebSocket on this connection. Another upgrade is as good as none (RFC 9110 section 7.8)."""

    def __init__(self, max_octets: int, max_fields: int) -> None:
        self._max_octets = max_octets
        self._max_fields = max_fields
        self._begun = b""
        """A head that is not whole yet."""
        self._host: bytes | None = None
        self._target = b""
        """The last ones, which were proper."""

    @property
    def begun(self) -> bool:
        """Whether a part of a head is here."""
        return self._begun not in _BLANK

    def read(self, data: bytes, at: int) -> int:
        """Read a head from `data[at:]`: where it ends in `data`, or -1 if it is not whole yet. Raises Refusal."""
        begun, start = self._begun, at
        if begun:
            data, at = begun + data[start:], 0
        # RFC 9112 section 2.2: an empty line that old clients send behind a body.
        blank = 2 if data.startswith(b"\r\n", at) else 0
        end = head_end(data, max(at + blank, len(begun) - 3))
        if end < 0:
            self._begin(begun, data[at:], blank)
            return -1
        at += blank
        if end - at > self._max_octets:
            raise self._too_large(data[at:end])
        self._begun = b""
        self._judge(data[at:end])
        return end - len(begun) + start if begun else end

    def _begin(self, begun: bytes, all_here: bytes, blank: int) -> None:
        """Keep the beginning of a head; what will never be one is refused at once. begun: what was here before; blank:
        how much of what is here is an empty line."""
        head = all_here[blank:]
        if len(head) > self._max_octets:
            raise self._too_large(head)
        if head and all_here != b"\r" and not _METHOD.match(head):
            raise _malformed("no method")
        if bare_feed(begun, all_here[len(begun) :]):
            raise _malformed("a line that ends in a bare LF")
        if b"\r\n" in head and b"\r\n" not in begun[blank:] and request_line(head) is None:
            raise _no_line(head)
        self._begun = all_here

    def _too_large(self, head: bytes) -> Refusal:
        if b"\r\n" not in head[:_LONGEST_LINE]:
            return Refusal(414, "target_too_long", f"at most {LONGEST_TARGET} bytes")
        return Refusal(431, "head_too_large", f"at most {self._max_octets} bytes of request head")

    # What was read.

    def _judge(self, head: bytes) -> None:
        line = request_line(head)
        if line is None:
            raise _no_line(head)
        method, target, modern, at = line
        if method not in METHODS:
            raise Refusal(501, "unknown_method", "a method that nobody here knows")
        fields = fields_of(head, at)
        if fields is None:
            raise _malformed("not a proper header line")
        self.octets, self.raw = len(head), fields
        if len(fields) > self._max_fields:
            raise Refusal(431, "too_many_headers", f"at most {self._max_fields} header fields")
        request = plain_request(method, target, b"", fields, False, None, "1.1" if modern else "1.0")
        self._sort(request, fields)
        self._aim(request)
        self.request = request

    def _sort(self, request: Request, fields: Fields) -> None:
        """Take what is the connection's out of the fields. Raises Refusal."""
        old = request.version == "1.0"
        self.chunked = self.expects = self.upgrade = False
        self.persists = not old
        special: dict[bytes, bytes] = {}
        kept, told = parted(fields, _SPECIAL)
        for field in told:
            name = field[0]
            if name in _LISTS:
                kept.append(field)
            if name not in special:
                special[name] = field[1]
            elif name in _LISTS:  # a list in two lines is one list (RFC 9110 section 5.3)
                special[name] += b"," + field[1]
            else:
                raise Refusal(400, "duplicate_header", f"more than one {name.decode()} header")
        request.fields = kept
        host = special.get(b"host")
        # RFC 9112 section 3.2: exactly one Host, and it names a host and maybe a port.
        if host is None or host != self._host:  # most clients name one host all the time
            if not (old if host is None else proper_authority(host)):
                raise Refusal(400, "bad_host", "exactly one proper Host header is needed")
            self._host = host
        request.authority = host or b""
        if len(special) > (host is not None):
            self._sort_out(request, special, old)

    def _sort_out(self, request: Request, special: dict[bytes, bytes], old: bool) -> None:
        if (connection := special.get(b"connection")) is not None:
            tokens = _tokens(connection)
            self.persists = b"close" not in tokens and (not old or b"keep-alive" in tokens)
            upgrade = special.get(b"upgrade", b"")
            self.upgrade = not old and b"upgrade" in tokens and b"websocket" in _tokens(upgrade)
        if (coding := special.get(b"transfer-encoding")) is not None:
            # RFC 9112 section 6.1: a framing that HTTP/1.0 does not have is a sign of smuggling.
            if old:
                raise Refusal(400, "transfer_coding", "HTTP/1.0 has no transfer codings")
            if coding.lower() != b"chunked":
                raise Refusal(501, "transfer_coding", "chunked is the only transfer coding here")
            if b"content-length" in special:
                raise _malformed("a length and chunks")
            self.chunked = request.bodied = True
        elif (length := special.get(b"content-length")) is not None:
            octets = number_of(length, _LONGEST_NUMBER)
            if octets < 0:
                raise _malformed("not a proper length")
            request.length, request.bodied = octets, octets > 0
        if (expected := special.get(b"expect")) is not None and not old:
            if expected.lower() != b"100-continue":
                raise Refusal(417, "expectation", "only 100-continue can be expected here")
            self.expects = request.bodied

    def _aim(self, request: Request) -> None:
        """Bring the target into origin form (RFC 9112 section 3.2). Raises Refusal."""
        if request.method == b"CONNECT":
            raise Refusal(405, "method", "there are no tunnels here", headers=[("Allow", _ALLOWED)])
        target = request.target
        if target == b"*" and request.method == b"OPTIONS":
            return
        if not target.startswith(b"/"):
            absolute = _ABSOLUTE.fullmatch(target)
            if absolute is not None:
                # RFC 9112 section 3.2.2 has the target win; whoever sends two hosts means mischief.
                if absolute[1].lower() != request.authority.lower():
                    raise Refusal(400, "bad_host", "the target names another host than the Host header")
                path = absolute[2] or (b"*" if request.method == b"OPTIONS" else b"/")
                request.target = target = b"/" + path if path.startswith(b"?") else path
                if target == b"*":
                    return
        if target != self._target:  # an agent has few
            check_target(target.decode("latin-1"))
            self._target = target
        else:
            request.target = self._target  # the one that has been looked up before


_LISTS = frozenset({b"connection", b"upgrade"})
_SPECIAL = _LISTS | {b"host", b"content-length", b"transfer-encoding", b"expect"}
_ALLOWED = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


def _tokens(value: bytes) -> list[bytes]:
    return [token.strip() for token in value.lower().split(b",")]


def _no_line(head: bytes) -> Refusal:
    """What is wrong with a request line."""
    if not _METHOD.match(head):
        return _malformed("no method")
    if _OTHER_VERSION.match(head) and request_line(head) is None:
        return Refusal(505, "version", "HTTP/1.1 is spoken here")
    if head[: head.index(b" ")] not in METHODS:
        return Refusal(501, "unknown_method", "a method that nobody here knows")
    return _malformed("not a proper request line")


def _malformed(why: str) -> Refusal:
    return Refusal(400, "malformed", f"not a proper HTTP/1.1 request: {why}")
