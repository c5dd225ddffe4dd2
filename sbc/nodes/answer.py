"""Reads the answers of a node over HTTP/1.1, strictly: what one read brought is taken apart, nothing is told yet.

httptools (llhttp) refuses most of what could be read in two ways; what it lets pass is refused here. A node that is
caught at it is a `Fault`: no later byte of its connection can be trusted.
"""

import re

import httptools

from sbc.model.errors import SbcError
from sbc.model.http import Fields, Response

LONGEST_HEAD = 32 * 1024
MOST_FIELDS = 100
MOST_INTERIM = 16
"""How many interim answers (1xx) one request may have."""

_PATIENCE = re.compile(rb"timeout=([0-9]{1,6})")

_FRAMING = frozenset({b"host", b"content-length", b"transfer-encoding", b"keep-alive"})
"""Fields that speak of the connection and its framing alone."""


class Fault(SbcError):
    """What the node sends is no proper HTTP/1.1."""


class AnswerReader:
    """One answer after the other. What a read brought stands in the attributes until it is taken."""

    __slots__ = ("_chunked", "_fields", "_head_request", "_heading", "_interim", "_length", "_modern", "_octets",
                 "_parser", "_unread", "body", "close_framed", "complete", "fault", "interim", "keep", "patience",
                 "response", "trailers")

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.expect(head=False)

    def expect(self, *, head: bool) -> None:
        """The answer to a request comes next. head: to HEAD, so that it has no body whatever its fields say."""
        self._head_request = head
        self._heading = True
        self._modern = False
        """Whether the answer is certainly of HTTP/1.1."""
        self._interim = 0
        self._octets = 0
        """How long the fields of this head are together; trailers count too."""
        self._unread = 0
        """How much came since the last of the body: of a head, of trailers, of the framing of chunks."""
        self._fields: Fields = []
        self._length: int | None = None
        self._chunked = False
        self.interim: list[tuple[int, Fields]] = []
        """Interim answers, other than 100."""
        self.response: Response | None = None
        self.body: list[bytes] = []
        self.trailers: Fields = []
        self.complete = False
        self.close_framed = False
        """Whether only the end of the connection ends the answer."""
        self.keep = False
        """Whether the connection may carry another exchange, as far as the node says."""
        self.patience: int | None = None
        """For how many seconds the node says that it keeps an idle connection."""
        self.fault = ""
        """What came behind a complete answer, or broke one."""

    def read(self, data: bytes) -> None:
        """Take in what the connection brought."""
        if self._unread == 0 and self._heading:
            self._modern = data.startswith(b"HTTP/1.1 ")
        self._unread += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.fault = self.fault or f"garbage from the node: {error}"
        if self.fault:
            self.keep = False
        elif not self.complete:
            if self._unread > 2 * LONGEST_HEAD:
                self.fault = "endless answer head"
        elif self._head_request:
            # llhttp has no way to be told that this answer had no body, and would wait for it.
            self._parser = httptools.HttpResponseParser(self)

    def take_body(self) -> bytes:
        """What there is of the body."""
        body = self.body[0] if len(self.body) == 1 else b"".join(self.body)
        self.body.clear()
        return body

    def _refuse(self, fault: str) -> None:
        self.fault = fault
        raise Fault(fault)  # the parser reads no further

    # httptools calls these.

    def on_message_begin(self) -> None:
        if self.complete:
            self._refuse("bytes after the answer")
        self._octets = 0
        self._fields = []
        self._length = None

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.complete:
            self._refuse("bytes after the answer")
        self._octets += len(name) + len(value) + 4
        if self._octets > LONGEST_HEAD or len(self._fields) >= MOST_FIELDS:
            self._refuse("endless answer head")
        name = name.lower()
        if name not in _FRAMING:
            self._fields.append((name, value.strip()))
        elif self._heading:
            self._frame(name, value)

    def _frame(self, name: bytes, value: bytes) -> None:
        if name == b"content-length":
            self._length = int(value)  # llhttp has refused all but one row of digits
        elif name == b"transfer-encoding":
            # RFC 9112 section 6.1: what else there may be cannot be told to a client, or read in one way.
            if self._chunked or value.strip().lower() != b"chunked":
                self._refuse("a transfer coding other than chunked")
            self._chunked = True
        elif name == b"keep-alive" and (said := _PATIENCE.search(value)):
            self.patience = int(said[1])

    def on_headers_complete(self) -> None:
        parser = self._parser
        status = parser.get_status_code()
        if status < 200:
            self._inform(status)
            return
        if self._modern or parser.get_http_version() == "1.1":
            # To HEAD the parser waits for the end of the connection if no length is told.
            self.keep = not _says_close(self._fields) if self._head_request else parser.should_keep_alive()
        elif self._chunked or parser.get_http_version() != "1.0":
            self._refuse("an answer of a version that it cannot have")
        self.response = Response(status, self._fields, self._length)
        self._fields = []
        self._octets = 0
        self._heading = False
        if self._head_request:
            self.complete = True
        else:
            self.close_framed = not self._chunked and self._length is None and status not in (204, 304)

    def _inform(self, status: int) -> None:
        self._interim += 1
        if status <= 101 and status != 100:
            self._refuse("switched protocols unasked" if status == 101 else "a status that is none")
        if self._interim > MOST_INTERIM:
            self._refuse("too many interim answers")
        if status != 100:
            self.interim.append((status, self._fields))
        self._unread = 0
        self._modern = False

    def on_body(self, data: bytes) -> None:
        if self.complete:
            self._refuse("a body where there can be none")
        self._unread = 0
        self.body.append(data)

    def on_message_complete(self) -> None:
        if not self._heading:
            self.complete = True
            self.trailers = self._fields


def _says_close(fields: Fields) -> bool:
    """RFC 9112 section 9.6."""
    return any(name == b"connection" and b"close" in value.lower() for name, value in fields)
