"""Which hellos go where."""

import math
from dataclasses import dataclass, field
from enum import Enum

from sbc.model.http import Fields, first
from sbc.model.identity import Identity
from sbc.model.ids import AgentName, PrincipalId


class KeySource(Enum):
    """Where a route finds the client's own key of a session, if anywhere."""

    NONE = "none"
    HEADER = "header"
    COOKIE = "cookie"
    QUERY = "query"
    PATH = "path"
    CLAIM = "claim"
    """A claim of the client's bearer token."""
    BODY = "body"
    """A field of a JSON body."""


@dataclass(frozen=True, slots=True)
class SessionKey:
    source: KeySource = KeySource.NONE
    name: str = ""
    """The header (in lower case), cookie, query parameter or claim; for PATH the number of the segment, from 0; for
    BODY the field's dotted path."""
    header: bytes | None = field(init=False, compare=False, default=None)
    """The name as it stands in a request; None: the key stands elsewhere."""

    def __post_init__(self) -> None:
        if self.source is KeySource.HEADER:
            object.__setattr__(self, "header", self.name.encode())


@dataclass(frozen=True, slots=True)
class Route:
    agent: AgentName
    protocol: str
    policy: str
    host: str | None = None
    path: str = "/"
    """A prefix on segment borders; `/` matches all."""
    session: SessionKey = field(default_factory=SessionKey)
    name: str = field(init=False, compare=False)
    """How a store remembers which route opened a session."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.host or '*'}{self.path} {self.agent} {self.policy}")


@dataclass(frozen=True, slots=True)
class Hello:
    """A client's request to open or re-open a session, before a dialog exists for it."""

    client: str
    """The client's address, without its port."""
    host: str
    target: str
    """Path and query as sent."""
    fields: Fields
    """All of its head, those of its connection too. Nobody alters them: others have the same list."""
    secure: bool = False
    listener: str = ""
    via: tuple[str, ...] = ()
    """The trusted proxies between the client and the edge, the nearest last."""
    certificate: str = ""
    """Whom the client's certificate names; empty: it has shown none."""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def header(self, name: bytes) -> str | None:
        """The value of the first field of this (lower-case) name, in latin-1."""
        value = first(self.fields, name)
        return None if value is None else value.decode("latin-1")


@dataclass(frozen=True, slots=True)
class Claims:
    """What screening established about a hello."""

    principal: PrincipalId
    token: str | None = None
    """The sealed session id of a client that re-attaches."""
    received: int | None = None
    """How many node messages that client says it has."""
    key: str | None = None
    """The client's own key of the session."""
    identity: Identity | None = None
    """By what it is proven who asks; None: nobody was asked."""

    @property
    def good_until(self) -> float:
        """Until when it is proven who asks, in wall-clock seconds."""
        return math.inf if self.identity is None else self.identity.good_until
