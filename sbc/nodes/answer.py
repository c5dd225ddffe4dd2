"""Reads the answers of a node over HTTP/1.1, strictly: what one read brought is taken apart, nothing is told yet.

Heads are read as those of requests are (wire/heads.py). Bodies in chunks are left to httptools (llhttp), which is told
of each by a head of our own. A node that sends what could be read in two ways is caught at it with a `fault`: no later
byte of its connection can be trusted.
"""

import re
from typing import NoReturn

import httptools

from sbc.core.fields import parted
from sbc.core.octets import cut, number_of
from sbc.model.errors import SbcError
from sbc.model.http import Fields, Response, first, plain_response
from sbc.wire.heads import bare_feed, fields_of, head_end, status_line

LONGEST_HEAD = 32 * 1024
MOST_FIELDS = 100
MOST_INTERIM = 16
"""How many interim answers (1xx) one request may have."""
LONGEST_NUMBER = 18
"""Digits of a length."""
_SIZE_DIGITS = 6
"""Of a chunk that is taken without the parser."""
_LAST_CHUNK = b"0\r\n\r\n"

_PATIENCE = re.compile(rb"timeout=([0-9]{1,6})")

_FRAMING = frozenset({b"host", b"content-length", b"transfer-encoding", b"keep-alive"})
"""Fields that speak of the connection and its framing alone."""
BEGINNING = b"HTTP/1."
_CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


class Fault(SbcError):
    """What the node sends is no proper HTTP/1.1."""


class AnswerReader:
    """One answer after the other. What a read brought stands in the attributes until it is taken."""

    __slots__ = ("_begun", "_between", "_chunk_over", "_chunked", "_chunks", "_head_request", "_heading", "_interim",
                 "_left", "_length", "_octets", "_parsing", "_unread", "body", "close_framed", "complete", "fault",
                 "interim", "keep", "patience", "response", "trailers")

    def __init__(self) -> None:
        self._chunks: httptools.HttpResponseParser | None = None
        self.interim: list[tuple[int, Fields]] = []
        """Interim answers, other than 100."""
        self.body: list[bytes] = []
        self.expect(head=False)

    def expect(self, *, head: bool) -> None:
        """The answer to a request comes next. head: to HEAD, so that it has no body whatever its fields say."""
        self._head_request = head
        self._heading = True
        self._begun = b""
        """A head that is not whole yet."""
        self._interim = 0
        self._left = 0
        """How much of a body whose length was told is still to come."""
        self._octets = self._unread = 0
        """How long the trailers are together, and how much of the framing of chunks came since the last of the body."""
        self._length: int | None = None
        self._chunked = False
        self._between = False
        """Whether the next byte begins a chunk."""
        self._chunk_over = False
        """Whether the last that the parser of chunks came to was the end of one."""
        self._parsing = False
        """Whether that parser has seen anything of this answer."""
        if self.interim:
            self.interim.clear()
        self.response: Response | None = None
        if self.body:
            self.body.clear()
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
        at = seen = 0
        if self._begun:
            seen = max(0, len(self._begun) - 3)
            data, self._begun = self._begun + data, b""
        try:
            while self._heading and at < len(data):
                end = head_end(data, max(at, seen))
                if end < 0:
                    self._begin(data[at:])
                    return
                self._read_head(data[at:end])
                at = end
            if at < len(data):
                self._read_body(data[at:] if at else data)
        except Fault:
            self.keep = False

    def take_body(self) -> bytes:
        """What there is of the body."""
        if len(self.body) == 1:
            return self.body.pop()
        body = b"".join(self.body)
        self.body.clear()
        return body

    def _refuse(self, fault: str) -> NoReturn:
        self.fault = fault
        raise Fault(fault)  # nothing is read any further

    # The head.

    def _begin(self, piece: bytes) -> None:
        """Keep the beginning of a head; what will never be one is refused at once."""
        if not piece.startswith(BEGINNING[: len(piece)]) or bare_feed(b"", piece):
            self._refuse("garbage from the node: not an answer")
        if len(piece) > LONGEST_HEAD:
            self._refuse("endless answer head")
        self._begun = piece

    def _read_head(self, head: bytes) -> None:
        line = status_line(head)
        fields = fields_of(head, line[2]) if line is not None else None
        if line is None or fields is None:
            self._refuse("garbage from the node: not a proper head of an answer")
        if len(head) > LONGEST_HEAD or len(fields) > MOST_FIELDS:
            self._refuse("endless answer head")
        kept, framing = parted(fields, _FRAMING)
        if line[0] >= 200:
            for field in framing:
                self._frame(field[0], field[1])
        if line[0] < 200:
            self._inform(line[0], kept)
        else:
            self._respond(line[0], line[1], kept)

    def _frame(self, name: bytes, value: bytes) -> None:
        if name == b"content-length":
            # RFC 9112 section 6.3: two lengths, or a length and chunks, are read in one way by some and not by others.
            length = number_of(value, LONGEST_NUMBER)
            if self._length is not None or self._chunked or length < 0:
                self._refuse("not a proper length")
            self._length = length
        elif name == b"transfer-encoding":
            # RFC 9112 section 6.1: what else there may be cannot be told to a client, or read in one way.
            if self._chunked or self._length is not None or value.lower() != b"chunked":
                self._refuse("a transfer coding other than chunked")
            self._chunked = True
        elif name == b"keep-alive" and (said := _PATIENCE.search(value)):
            self.patience = int(said[1])

    def _inform(self, status: int, fields: Fields) -> None:
        self._interim += 1
        if status <= 101 and status != 100:
            self._refuse("switched protocols unasked" if status == 101 else "a status that is none")
        if self._interim > MOST_INTERIM:
            self._refuse("too many interim answers")
        if status != 100:
            self.interim.append((status, fields))

    def _respond(self, status: int, modern: bool, fields: Fields) -> None:
        """The head of the answer itself. modern: of HTTP/1.1."""
        length = self._length
        if self._chunked and not modern:
            self._refuse("an answer of a version that it cannot have")
        self.response = plain_response(status, fields, length)
        self._heading = False
        if self._head_request or status == 204 or status == 304 or length == 0:
            self.complete = True
        elif self._chunked:
            self._between = True
        elif length is None:
            self.close_framed = True
        else:
            self._left = length
        self.keep = modern and not self.close_framed and not _says_close(fields)

    # The body.

    def _read_body(self, data: bytes) -> None:
        if self._chunked and not self.complete:
            self._read_chunks(data)
        elif self.close_framed:
            self.body.append(data)
        elif len(data) < self._left:
            self.body.append(data)
            self._left -= len(data)
        else:
            left, self._left = self._left, 0
            if left:
                self.body.append(data if len(data) == left else data[:left])
            self.complete = True
            if len(data) > left:
                self._refuse("bytes after the answer")

    def _read_chunks(self, data: bytes) -> None:
        if self._between:
            data = self._take_chunks(data)
            if not data:
                return
        if self._chunks is None:
            self._chunks = httptools.HttpResponseParser(self)
        self._unread += len(data)
        try:
            if not self._parsing:
                self._parsing, self._octets = True, 0
                self._chunks.feed_data(_CHUNKED)
            self._chunks.feed_data(data)
        except httptools.HttpParserError as error:
            self._refuse(self.fault or f"garbage from the node: {error}")
        # A part of the next chunk's first line would not end so: llhttp takes no other line end than CRLF.
        self._between = self._chunk_over and data.endswith(b"\n")
        if not self.complete and self._unread > 2 * LONGEST_HEAD:
            self._refuse("endless answer head")

    def _take_chunks(self, data: bytes) -> bytes:
        """Take the whole chunks that `data` begins with, as most reads of a stream of events are just one; the answer
        is what is left. The parser stands between two chunks, and needs to see none of those: what is the least bit
        unusual (an extension, trailers) is left to it."""
        at = 0
        while at < len(data):
            end = at
            size = 0
            while end < len(data) and end - at < _SIZE_DIGITS:
                digit = data[end]
                if 48 <= digit <= 57:
                    digit -= 48
                elif 97 <= digit <= 102:
                    digit -= 87
                elif 65 <= digit <= 70:
                    digit -= 55
                else:
                    break
                size = size * 16 + digit
                end += 1
            begin = end + 2
            end = begin + size
            if size == 0 or end + 2 > len(data):
                break
            if data[begin - 2] != 13 or data[begin - 1] != 10 or data[end] != 13 or data[end + 1] != 10:
                break
            self._unread = 0
            self.body.append(cut(data, begin, end))
            at = end + 2
        if len(data) - at == len(_LAST_CHUNK) and data.endswith(_LAST_CHUNK) and not self._parsing:
            self.complete = True
            return b""
        return cut(data, at, len(data)) if at else data

    # httptools calls these.

    def on_message_begin(self) -> None:
        if self.complete:
            self._refuse("bytes after the answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._octets += len(name) + len(value) + 4
        if self._octets > LONGEST_HEAD or len(self.trailers) >= MOST_FIELDS:
            self._refuse("endless answer head")
        name = name.lower()
        if name not in _FRAMING:
            self.trailers.append((name, value.strip()))

    def on_body(self, data: bytes) -> None:
        self._unread = 0
        self.body.append(data)

    def on_chunk_header(self) -> None:
        self._chunk_over = False

    def on_chunk_complete(self) -> None:
        self._chunk_over = True

    def on_message_complete(self) -> None:
        self.complete = True


def _says_close(fields: Fields) -> bool:
    """RFC 9112 section 9.6."""
    if first(fields, b"connection") is None:
        return False
    return b"close" in b",".join([value for name, value in fields if name == b"connection"]).lower()
