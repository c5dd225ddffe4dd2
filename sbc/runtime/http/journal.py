"""How exchanges stand in a dialog's journals: requests whole, events with the number of the request they answer."""

from sbc.model.http import Request
from sbc.runtime.http.flow import NUMBER_OCTETS


def request_entry(request: Request, body: bytes, *, standing: bool) -> bytes:
    """A whole request, to be said again to another node. standing: its answer is a stream that does not end."""
    fields = request.fields
    lines = [request.method, request.target, request.authority, request.client.encode(),
             b"1" if request.secure else b"0", b"1" if standing else b"0", b"%d" % len(fields)]  # fmt: skip
    for field in fields:
        lines += field  # in none of these can there be a line break: that was seen to when the request came
    lines.append(body)
    return b"\n".join(lines)


def request_of(entry: bytes) -> tuple[Request, bytes, bool]:
    """The request that stands in an entry, its body, and whether its answer is a stream that does not end."""
    method, target, authority, client, secure, standing, count, rest = entry.split(b"\n", 7)
    *lines, body = rest.split(b"\n", 2 * int(count))
    return Request(
        method=method, target=target, authority=authority, fields=list(zip(lines[::2], lines[1::2], strict=True)),
        bodied=bool(body), length=len(body) if body else None, client=client.decode(), secure=secure == b"1",
    ), body, standing == b"1"  # fmt: skip


def exchange_of(entry: bytes) -> int:
    """Which request's answer a message belongs to."""
    return int.from_bytes(entry[:NUMBER_OCTETS], "big")


def message_of(entry: bytes) -> bytes:
    return entry[NUMBER_OCTETS:]
