"""What an edge tells another one of a request that it forwards: from whom it came, and how. One field of its head.

A client that sends such a field itself gains nothing by it: it is read on the interconnect alone, where what a client
said is left out.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

from sbc.model.http import Fields

FIELD = b"sbc-hop"
ASK = b"sbc-ask"
"""A question of the edge's own: whether a session is known by any of these keys."""

MOST_KNOWN = 1024
"""What was told of so many clients is not read or written anew: most come again."""


@dataclass(frozen=True, slots=True)
class Hop:
    """Whose request it is."""

    client: str
    """The address of the connection that it came on, without its port."""
    secure: bool
    listener: str
    certificate: str
    """Whom the certificate names that was shown on that connection; empty: none was."""

    def field(self) -> tuple[bytes, bytes]:
        """As it is sent."""
        return FIELD, _written(self.client, self.secure, self.listener, self.certificate)


@lru_cache(MOST_KNOWN)
def _written(*told: str | bool) -> bytes:
    return json.dumps(told, separators=(",", ":")).encode("ascii")


@lru_cache(MOST_KNOWN)
def _read(told: bytes) -> Hop:
    match json.loads(told):
        case [str(client), bool(secure), str(listener), str(certificate)]:
            if client:
                ip_address(client)
            return Hop(client, secure, listener, certificate)
    raise ValueError(f"{FIELD.decode()} does not say who the client is")


def read_hop(fields: Fields) -> Hop:
    """What the field of a head says. Raises ValueError if it is not there once, or not as it has to be."""
    told = [value for name, value in fields if name == FIELD]
    if len(told) != 1:
        raise ValueError(f"{len(told)} fields {FIELD.decode()}")
    return _read(told[0])


@dataclass(frozen=True, slots=True)
class Question:
    """Whether somebody has a session of this principal's that one of these keys leads to."""

    agent: str
    principal: str
    keys: Sequence[tuple[str, str]]
    """Kind and value of each."""

    def field(self) -> tuple[bytes, bytes]:
        """As it is sent."""
        return ASK, json.dumps([self.agent, self.principal, [list(key) for key in self.keys]]).encode("ascii")


def read_question(text: bytes) -> Question:
    """What a question says. Raises ValueError."""
    said = json.loads(text)
    match said:
        case [str(agent), str(principal), list(keys)] if all(_is_key(key) for key in keys):
            return Question(agent, principal, [(kind, value) for kind, value in keys])
    raise ValueError(f"{ASK.decode()} asks for no key")


def _is_key(key: object) -> bool:
    match key:
        case [str(), str()]:
            return True
    return False
