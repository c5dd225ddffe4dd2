"""Server-sent events as bytes (HTML Living Standard section 9.2, "Server-sent events"): finding whole events in what
was read, and the little that has to be read of or written to one. An event is kept and passed on as it came, with the
blank line that ends it; nothing is decoded, and nothing of an event is passed on before its end.

A line ends with LF, CR LF or CR; a line that begins with a colon is a comment; an event without a `data` field is
never given to whoever listens, but may still set the last event id.
"""

import re
from collections.abc import Iterator

from sbc.protocols.lines import event_end, just_data, may_have_id

KEEP_ALIVE = b":\n\n"
"""A comment: shows that the stream lives, and is no event to anybody."""

_BOM = b"\xef\xbb\xbf"
_LINE_END = b"\r\n"
_EVENT_END = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")
_COMMENT_LINE = re.compile(rb":[^\r\n]*(\r\n|\n|\r(?=[^\n]))")


class Scanner:
    """Cuts an event stream, read in pieces of any size, into whole events.

    Surplus blank lines and a byte order mark at the beginning are left out: they mean nothing, and an id that is
    written before an event must not be cut off from it. A comment that stands before an event is given out at once.
    """

    __slots__ = ("_begun", "_clear", "_limit", "_pending", "_searched", "fault")

    def __init__(self, limit: int) -> None:
        """limit: the longest event, in bytes."""
        self.fault = ""
        """Why nothing more can be read of this stream; empty: all is well."""
        self._limit = limit
        self._begun = False
        self._clear = False
        """Whether an event begins with the next byte."""
        self._pending = bytearray()
        self._searched = 0
        """Before here there is no end of an event in `_pending`."""

    def feed(self, data: bytes) -> list[bytes]:
        """The events that are whole now that `data` was read, each with the blank line that ends it."""
        if not self._clear:
            return self._feed_slowly(data, [])
        # The usual read: nothing is left over from the one before, and it holds just one event.
        end = event_end(data, 0)
        if 0 < end == len(data) <= self._limit:
            return [data]
        at = 0
        events: list[bytes] = []
        while 0 < end - at <= self._limit:
            events.append(data[at:end])
            at = end
            end = event_end(data, at)
        return self._feed_slowly(data[at:], events) if at < len(data) else events

    def rest(self) -> bytes:
        """What was read of an event whose end has not come."""
        return bytes(self._pending)

    def is_one(self, data: bytes) -> bool:
        """Whether `data`, read next, is just one event with data and without an id: then it need not be fed."""
        return self._clear and len(data) <= self._limit and just_data(data)

    def _feed_slowly(self, data: bytes, events: list[bytes]) -> list[bytes]:
        """All else: adds to the events that were found before."""
        if self.fault:
            return events
        buffer: bytes | bytearray = data
        if self._pending:
            self._pending += data
            buffer = self._pending
        at = 0
        if not self._begun:
            if len(buffer) < len(_BOM) and _BOM.startswith(buffer):
                return self._keep(buffer, 0, events)
            self._begun = True
            at = len(_BOM) if buffer.startswith(_BOM) else 0
        at = self._cut(buffer, _past_blank(buffer, at), events)
        # A comment line needs no end but its own. Looked at only if a line ended, so that a long one costs no more.
        if buffer[at : at + 1] == b":" and (b"\n" in data or b"\r" in data):
            at = _cut_comments(buffer, at, events)
        return self._keep(buffer, at, events)

    def _cut(self, buffer: bytes | bytearray, at: int, events: list[bytes]) -> int:
        """Take the whole events from `at` on; the answer is where the first unfinished one begins."""
        while found := _EVENT_END.search(buffer, max(at, self._searched)):
            end = found.end()
            if end == len(buffer) and found.group() == b"\r\n\r":
                break  # of the last line end the LF is still to come
            if end - at > self._limit:
                break
            events.append(bytes(buffer[at:end]))
            at = _past_blank(buffer, end)
        return at

    def _keep(self, buffer: bytes | bytearray, at: int, events: list[bytes]) -> list[bytes]:
        """What begins at `at` waits for the rest of it."""
        left = len(buffer) - at
        if left > self._limit:
            self.fault = f"an event of more than {self._limit} bytes"
            self._pending, self._clear = bytearray(), False
            return events
        if buffer is self._pending:
            del self._pending[:at]
        else:
            self._pending = bytearray(buffer[at:])
        self._searched = max(0, left - len(b"\r\n\r"))
        self._clear = self._begun and left == 0
        return events


def _past_blank(buffer: bytes | bytearray, at: int) -> int:
    """Where the first line from `at` on begins that is not blank."""
    while at < len(buffer) and buffer[at] in _LINE_END:
        at += 1
    return at


def _cut_comments(buffer: bytes | bytearray, at: int, events: list[bytes]) -> int:
    """Take whole comment lines from `at` on, each with a blank line of its own."""
    while found := _COMMENT_LINE.match(buffer, at):
        events.append(bytes(found.group() + found.group(1)))
        at = _past_blank(buffer, found.end())
    return at


def event_id(event: bytes) -> bytes | None:
    """The id that an event sets, if any; empty: it takes the last one back. One with a NUL in it is ignored."""
    if not may_have_id(event):
        return None
    identity = None
    for name, value in _fields(event):
        if name == b"id" and b"\0" not in value:
            identity = value
    return identity


def event_name(event: bytes) -> bytes:
    """What kind of event it is; empty: an unnamed one, which is a `message`."""
    kind = b""
    for name, value in _fields(event):
        if name == b"event":
            kind = value
    return kind


def event_data(event: bytes) -> bytes | None:
    """The data of an event, its lines joined by LF; None: it has none, and is given to nobody."""
    lines = [value for name, value in _fields(event) if name == b"data"]
    return b"\n".join(lines) if lines else None


def has_data(event: bytes) -> bool:
    """Whether whoever listens is given this event: not a comment, nor an id or a `retry` alone."""
    return event.startswith(b"data:") or b"\ndata:" in event or event_data(event) is not None


def without_id(event: bytes) -> bytes:
    """The event without its id; empty if it is nothing else."""
    if not may_have_id(event):
        return event
    lines = [line for line in event.splitlines(keepends=True) if line.rstrip(b"\r\n").partition(b":")[0] != b"id"]
    return b"".join(lines) if len(lines) > 1 else b""


def make_event(data: bytes, name: bytes = b"") -> bytes:
    """An event with one line of data."""
    return b"event: " + name + b"\ndata: " + data + b"\n\n" if name else b"data: " + data + b"\n\n"


def gap(lost: int) -> bytes:
    """The event that tells a client of events which it will never get (docs/DESIGN.md section 5.3)."""
    return make_event(b'{"lost": %d}' % lost, b"session-gap")


def _fields(event: bytes) -> Iterator[tuple[bytes, bytes]]:
    for line in event.splitlines():
        name, _, value = line.partition(b":")
        if name:
            yield name, value.removeprefix(b" ")
