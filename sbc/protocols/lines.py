"""What is asked of the bytes of every event of a stream, and done to them (events.py).

In a compiled build _lines.pyx puts C twins of the same names in their place.
"""

import re

_LF = 10
_PLAIN_EVENT = re.compile(rb"(?:[^\r\n]++\r?\n)++\r?\n")
_JUST_DATA = re.compile(rb"(?:(?!id|data:)[^\r\n]++\n)*+data:[^\r\n]*+\n(?:(?!id)[^\r\n]++\n)*+\n")


def event_end(data: bytes, at: int) -> int:
    """Where the event ends that begins at `at`, with its blank line; 0: it is not whole, or takes a closer look, since
    it begins with a blank line or has a line that ends with a lone CR."""
    end = data.find(b"\n\n", at) + 2
    if end >= 2 and data[at] != _LF and data.find(b"\r", at, end) < 0:
        return end
    found = _PLAIN_EVENT.match(data, at)
    return found.end() if found else 0


def may_have_id(event: bytes) -> bool:
    """Whether a line begins with `id`: the letters are common in data, there they are not."""
    return event.startswith(b"id") or b"\nid" in event or b"\rid" in event


def just_data(read: bytes) -> bool:
    """Whether this is one whole event with data and without an id, as nearly all are; False: it takes a closer look."""
    return _JUST_DATA.fullmatch(read) is not None


def numbered(before: bytes, number: int, event: bytes) -> bytes:
    """The event behind a line that begins with `before` and ends with a number from 0."""
    return before + b"%d\n" % number + event
