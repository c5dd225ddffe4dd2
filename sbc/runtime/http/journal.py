"""How exchanges stand in a dialog's journals: requests whole, events with the number of the request they answer."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from sbc.core.fields import lines_of
from sbc.core.journal import Journal
from sbc.core.octets import decimal
from sbc.model.http import Request
from sbc.runtime.http.flow import NUMBER_OCTETS, WITH_ID

_WITH_ID = WITH_ID >> (NUMBER_OCTETS - 1) * 8
"""The first byte of such an entry is not below that."""


def request_entry(request: Request, body: bytes, standing: bool) -> bytes:
    """A whole request, to be said again to another node. standing: its answer is a stream that does not end."""
    lines = lines_of(request.fields)
    assert lines is not None  # in none of these can there be a line break: that was seen to when the request came
    marks = (b"1 1" if standing else b"1 0") if request.secure else (b"0 1" if standing else b"0 0")
    return b"\n".join([request.method, request.target, request.authority, request.client.encode(), marks,
                       decimal(len(lines)), lines + body if body else lines])  # fmt: skip


def request_of(entry: bytes) -> tuple[Request, bytes, bool]:
    """The request that stands in an entry, its body, and whether its answer is a stream that does not end."""
    method, target, authority, client, marks, octets, rest = entry.split(b"\n", 6)
    lines, body = rest[: int(octets)], rest[int(octets) :]
    fields = [(name, value) for name, _, value in (line.partition(b": ") for line in lines.split(b"\r\n") if line)]
    return Request(
        method=method, target=target, authority=authority, fields=fields, bodied=bool(body),
        length=len(body) if body else None, client=client.decode(), secure=marks.startswith(b"1"),
    ), body, marks.endswith(b"1")  # fmt: skip


def exchange_of(entry: bytes) -> int:
    """Which request's answer a message belongs to."""
    return int.from_bytes(entry[:NUMBER_OCTETS], "big") & ~WITH_ID


def message_of(entry: bytes) -> bytes:
    """The message of an entry, without the number of its request."""
    return entry[NUMBER_OCTETS:] if entry[0] < _WITH_ID else entry[entry.index(b"\n", NUMBER_OCTETS) + 1 :]


def own_id_of(entry: bytes) -> bytes | None:
    """The id that the node gave an event, if its client is shown another one."""
    return None if entry[0] < _WITH_ID else entry[NUMBER_OCTETS : entry.index(b"\n", NUMBER_OCTETS)]


def said(journal: Journal, after: int) -> Sequence[Mapping[str, Any]]:
    """The node messages above `after`, as a trunk's `journal` has them."""
    found = enumerate(journal.since(after), max(after + 1, journal.first))
    return [{"seq": number, **_as_json(message_of(entry))} for number, entry in found]


def _as_json(message: bytes) -> dict[str, str]:
    try:
        return {"text": message.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(message).decode()}
