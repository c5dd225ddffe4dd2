"""How exchanges stand in a dialog's journals: requests whole, events with the number of the request they answer."""

import orjson

from sbc.model.http import Request
from sbc.runtime.http.flow import NUMBER_OCTETS, OURS


def request_entry(request: Request, body: bytes, *, standing: bool) -> bytes:
    """A whole request, to be said again to another node. standing: its answer is a stream that does not end."""
    head = [
        request.method.decode("latin-1"), request.target.decode("latin-1"), request.authority.decode("latin-1"),
        request.client, request.secure, standing,
        [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.fields],
    ]  # fmt: skip
    return orjson.dumps(head) + b"\n" + body


def request_of(entry: bytes) -> tuple[Request, bytes, bool]:
    """The request that stands in an entry, its body, and whether its answer is a stream that does not end."""
    text, _, body = entry.partition(b"\n")
    method, target, authority, client, secure, standing, fields = orjson.loads(text)
    return Request(
        method=method.encode("latin-1"), target=target.encode("latin-1"), authority=authority.encode("latin-1"),
        fields=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields],
        bodied=bool(body), length=len(body) if body else None, client=client, secure=secure,
    ), body, standing  # fmt: skip


def exchange_of(entry: bytes) -> int:
    """Which request's answer a message belongs to."""
    return int.from_bytes(entry[:NUMBER_OCTETS], "big")


def message_of(entry: bytes) -> bytes:
    return entry[NUMBER_OCTETS:]


def number_in(identity: bytes) -> tuple[int, int] | None:
    """The numbers of request and message in an id of the edge's own making."""
    request, dash, message = identity.removeprefix(OURS).partition(b"-")
    if identity.startswith(OURS) and dash and request.isdigit() and message.isdigit() and len(identity) < 40:
        return int(request), int(message)
    return None
