"""How exchanges stand in a dialog's journals: requests whole, events with the number of the request they answer."""

import orjson

from sbc.model.http import Request
from sbc.protocols.events import event_id, with_id
from sbc.protocols.protocol import Ids
from sbc.runtime.http.exchange import Exchange

_NUMBER = 8
_OURS = b"sbc-"
"""How ids of the edge's own making begin: many nodes make theirs of two numbers."""


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


def event_entry(exchange: int, message: bytes) -> bytes:
    """A message of the answer to the request of this number."""
    return exchange.to_bytes(_NUMBER, "big") + message


def exchange_of(entry: bytes) -> int:
    """Which request's answer a message belongs to."""
    return int.from_bytes(entry[:_NUMBER], "big")


def message_of(entry: bytes) -> bytes:
    return entry[_NUMBER:]


def numbered(event: bytes, exchange: Exchange, number: int) -> bytes:
    """An event with an id by which a client can come back to it. The node's own id is noted."""
    ids = exchange.reading.ids
    if ids is Ids.KEEP:
        return event
    own = event_id(event)
    if own is not None:
        exchange.answer.last_id = own
        if ids is Ids.ADD:
            return event
    return with_id(event, b"sbc-%d-%d" % (exchange.number, number))


def number_in(identity: bytes) -> tuple[int, int] | None:
    """The numbers of request and message in an id of the edge's own making."""
    request, dash, message = identity.removeprefix(_OURS).partition(b"-")
    if identity.startswith(_OURS) and dash and request.isdigit() and message.isdigit() and len(identity) < 40:
        return int(request), int(message)
    return None
