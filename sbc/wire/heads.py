"""Heads of HTTP/1.x messages, taken apart strictly: what two parsers could read in two ways is no head (RFC 9112).

Single spaces, CRLF alone ends a line, nothing between a name and its colon, no folded lines, no control characters.
What the parts mean, and which of them may stand together, is for request_head.py and for the reader of answers.
In a compiled build _heads.pyx puts C twins of these functions in their place.
"""

import re

from sbc.model.http import Fields

_REQUEST = re.compile(rb"([A-Z][A-Z0-9_-]{0,30}) ([!-~\x80-\xff]+) HTTP/1\.([01])\r\n")
_STATUS = re.compile(rb"HTTP/1\.([01]) ([0-9]{3})(?: [\t -~\x80-\xff]*)?\r\n")
# White space before a value is a part of it here: with a pattern of its own, a line of nothing else would be tried in
# as many ways as it has spaces.
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t -~\x80-\xff]*)\r\n")


def head_end(data: bytes, at: int) -> int:
    """Behind the first empty line from `at` on; -1: there is none."""
    found = data.find(b"\r\n\r\n", at)
    return -1 if found < 0 else found + 4


def request_line(head: bytes) -> tuple[bytes, bytes, bool, int] | None:
    """Method, target, whether it is HTTP/1.1 (else 1.0), and where the next line begins; None: not a proper one."""
    found = _REQUEST.match(head)
    return (found[1], found[2], found[3] == b"1", found.end()) if found is not None else None


def status_line(head: bytes) -> tuple[int, bool, int] | None:
    """Status, whether it is HTTP/1.1 (else 1.0), and where the next line begins; None: not a proper one."""
    found = _STATUS.match(head)
    return (int(found[2]), found[1] == b"1", found.end()) if found is not None else None


def fields_of(head: bytes, at: int) -> Fields | None:
    """The fields from `at` to the empty line that ends the head: names in lower case, values without white space
    around them. None: a line is not a proper one."""
    fields: Fields = []
    end = len(head) - 2
    while at < end:
        found = _FIELD.match(head, at, end)
        if found is None:
            return None
        fields.append((found[1].lower(), found[2].strip(b" \t")))
        at = found.end()
    return fields


def bare_feed(before: bytes, piece: bytes) -> bool:
    """Whether a line in `piece` ends without CR: no empty line will ever end such a head. before: what came before."""
    lines = piece.count(b"\n")
    after_cr = piece.startswith(b"\n") and before.endswith(b"\r")
    return lines != piece.count(b"\r\n") + after_cr
