"""The ids that the edge gives to server-sent events which have none: by the last one a client is led back to its place.

    sbc-<request>-<message>             in a session that its client finds by a key
    sbc-<handle>-<request>-<message>    in a session without any

A browser's EventSource that comes back can say nothing but the last id, and forgets all earlier ones: without a key it
is the id itself that has to lead to the session. The handle is random, and leads nobody but the same principal. It
costs 17 bytes an event, in such sessions alone.
"""

import re
import secrets
from typing import Final, NamedTuple

from sbc.protocols.protocol import Key

OURS: Final = b"sbc-"
"""How ids of the edge's own making begin: many nodes make theirs of two numbers."""
HANDLE: Final = "stream"
"""The kind of key that a handle is."""
_HANDLE_OCTETS: Final = 8
_ID: Final = re.compile(rb"sbc-(?:([0-9a-f]{16})-)?([0-9]{1,15})-([0-9]{1,15})")


class EventId(NamedTuple):
    """What an id says."""

    handle: str
    """Empty: there is none."""
    request: int
    message: int


def new_handle() -> str:
    """A handle that nobody can guess."""
    return secrets.token_hex(_HANDLE_OCTETS)


def before_number(handle: str, request: int) -> bytes:
    """How the ids of one answer begin."""
    return OURS + (f"{handle}-{request}-" if handle else f"{request}-").encode()


def read_id(identity: bytes) -> EventId | None:
    """What an id of the edge's own says; None: it is a node's."""
    found = _ID.fullmatch(identity)
    if found is None:
        return None
    handle, request, message = found.groups(b"")
    return EventId(handle.decode(), int(request), int(message))


def handle_of(identity: bytes) -> Key | None:
    """By what the session is known that an id leads to; None: the id leads to none."""
    said = read_id(identity)
    return Key(HANDLE, said.handle) if said is not None and said.handle else None
