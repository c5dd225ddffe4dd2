"""HTTP/1.1 as it is written, to clients and to nodes (RFC 9112): heads, chunks, interim answers.

Nothing that was received is passed on as it came: every head is made anew from its parts, and a part that could break
the line it stands in is mended first, wherever it comes from. How heads are read: request_head.py; bodies: bodies.py.
"""

import re
from enum import Enum
from http import HTTPStatus

from sbc.core.fields import lines_of, unbroken
from sbc.core.octets import decimal
from sbc.model.http import Fields, Request, Response

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BODIED = frozenset({b"POST", b"PUT", b"PATCH"})
_UNSAFE = re.compile(rb"[\r\n\0]")
_NAME = rb"(?:[A-Za-z0-9\-._~!$&'()*+;=]|%[0-9A-Fa-f]{2}){1,255}"
_AUTHORITY = re.compile(rb"(?:\[[0-9A-Fa-f:.]{2,45}\]|" + _NAME + rb")(?::[0-9]{0,5})?")
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


METHODS = frozenset(b"""
    ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK M-SEARCH MERGE MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY
    OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK
    UNLOCK UNSUBSCRIBE
""".split())
"""Those that are registered (RFC 9110 section 16.1.1) or well known, whatever version of HTTP they come by."""


class Framing(Enum):
    """How a client knows where the body of an answer ends (RFC 9112 section 6.3)."""

    NONE = "none"
    """There is no body, whatever the head says of its length: to HEAD, with 204 and 304."""
    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"
    """The connection is closed behind it: all that HTTP/1.0 has for a body of unknown length."""


NONE, LENGTH, CHUNKED, CLOSE = Framing.NONE, Framing.LENGTH, Framing.CHUNKED, Framing.CLOSE
"""The same, looked up once."""


def is_token(name: bytes) -> bool:
    """Whether this can be a method or the name of a field (RFC 9110 section 5.6.2)."""
    return _TOKEN.fullmatch(name) is not None


def proper_authority(authority: bytes) -> bool:
    """Whether this is one host and maybe a port, as Host and :authority have to be: no userinfo, no list, not empty."""
    return _AUTHORITY.fullmatch(authority) is not None


def request_head(request: Request) -> bytes:
    """The head of a request to a node. A body without a length is to be sent in chunks."""
    method, target, authority = request.method, request.target, request.authority
    if not (unbroken(method) and unbroken(target) and unbroken(authority)):
        raise ValueError("a line break in a request line")
    if request.length is not None:
        last = b"content-length: " + decimal(request.length) + b"\r\n\r\n"
    elif request.bodied:
        last = b"transfer-encoding: chunked\r\n\r\n"
    else:
        # RFC 9110 section 8.6: a method that usually has a body says so if there is none.
        last = b"content-length: 0\r\n\r\n" if method in _BODIED else b"\r\n"
    return b"".join(
        [method, b" ", target, b" HTTP/1.1\r\nhost: ", authority, b"\r\n", field_lines(request.fields), last])


def framing_of(response: Response, *, end: bool, to_head: bool, old: bool) -> Framing:
    """How the body of an answer is framed. to_head: it answers HEAD; old: to a client of HTTP/1.0."""
    if to_head or response.status in (204, 304):
        return NONE
    if end or response.length is not None:
        return LENGTH
    return CLOSE if old else CHUNKED


def response_head(
    response: Response, framing: Framing, *, end: bool, connection: bytes, body: bytes = b""
) -> bytes:
    """The head of an answer to a client, and what of its body goes out along with it. end: there is no body;
    connection: a whole Connection line, or nothing."""
    length = response.length
    if framing is LENGTH:
        length = 0 if end or length is None else length
    elif framing is not NONE or response.status == 204:
        length = None
    # With NONE (RFC 9110 section 8.6): to HEAD and with 304 the length of what is not sent; never with 204.
    parts = [_status_line(response.status), field_lines(response.fields)]
    if length is not None:
        parts += [b"content-length: ", decimal(length), b"\r\n"]
    elif framing is CHUNKED:
        parts.append(b"transfer-encoding: chunked\r\n")
    parts += [connection, b"\r\n", body]
    return b"".join(parts)


def interim_head(status: int, fields: Fields) -> bytes:
    """An interim answer (RFC 9110 section 15.2)."""
    return b"%b%b\r\n" % (_status_line(status), field_lines(fields))


def chunk(data: bytes) -> bytes:
    """A piece of a body as one chunk. Not for an empty piece: that would be the end."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def last_chunk(trailers: Fields) -> bytes:
    """What ends a body that is sent in chunks."""
    return b"0\r\n%b\r\n" % field_lines(trailers) if trailers else b"0\r\n\r\n"


def _status_line(status: int) -> bytes:
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %03d \r\n" % status


def field_lines(fields: Fields) -> bytes:
    """Fields as they stand in a head."""
    lines = lines_of(fields)
    if lines is not None:
        return lines
    # RFC 9110 section 5.5: what came over another version of HTTP, or out of a body, can hold more than a line may.
    return b"".join([b"%b: %b\r\n" % (name, _UNSAFE.sub(b" ", value)) for name, value in fields if is_token(name)])
