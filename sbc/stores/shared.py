"""What only stores that edges share are asked (operations.py has what all are asked), and what they answer: who has a
session, who lives, who has an address.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sbc.model.errors import StoreError
from sbc.model.fellow import Fellow
from sbc.model.ids import AgentName, PrincipalId, SessionId
from sbc.model.interfaces import Journals, Stored


@dataclass(slots=True)
class Peek:
    """Who has the session."""

    session: SessionId
    done: Callable[["Peeked | StoreError"], None]


@dataclass(frozen=True, slots=True)
class Peeked:
    """Which tenure of which edge has a session (None: it is not on record), and which store says so."""

    edge: str | None
    store: str


@dataclass(slots=True)
class Claim:
    """Take the session over, if it is free or still `edge`'s, and the store still this one. None: not on record."""

    session: SessionId
    edge: str
    store: str
    done: Callable[[tuple[Stored, Journals] | StoreError | None], None]


@dataclass(slots=True)
class Find:
    """Which session a key leads to."""

    agent: AgentName
    principal: PrincipalId
    key: tuple[str, str]
    done: Callable[[SessionId | StoreError | None], None]


@dataclass(slots=True)
class Restate:
    """All that is known of a session, in the place of what the store has of it."""

    stored: Stored
    journals: Journals
    done: Callable[[StoreError | None], None]


@dataclass(slots=True)
class Beat:
    """This edge lives: renew its lease."""

    former: str
    """A tenure of this edge's that is known to be over; empty: none."""
    listening: str
    """At which server the connection is that shows that we live; empty: at none."""
    introduction: Mapping[str, str]
    """What others are told of this edge."""
    done: Callable[["Beaten | StoreError"], None]


@dataclass(frozen=True, slots=True)
class Beaten:
    """The lease is renewed."""

    store: str
    """Which store it is: another one after each restart and each failover."""
    settled: float
    """For how many seconds this server has been there for certain, whoever has seen it."""
    first: int
    """When edges saw it first, by its clock in milliseconds since 1970; later than before: it was emptied."""
    time: int
    """What its clock says, in milliseconds since 1970."""


@dataclass(slots=True)
class ReadEdges:
    """Which edges have a lease."""

    done: Callable[[Sequence[Fellow] | StoreError], None]


@dataclass(slots=True)
class Muster:
    """These nodes have a trunk to this edge."""

    members: Sequence[Mapping[str, Any]]
    done: Callable[[StoreError | None], None]


@dataclass(slots=True)
class ReadMembers:
    """Which nodes have a trunk to some edge: by the names of the edges."""

    done: Callable[[Mapping[str, Sequence[Mapping[str, Any]]] | StoreError], None]


@dataclass(slots=True)
class Look:
    """How the edge of a tenure is, if the store is still this one; empty: whichever it is."""

    tenure: str
    store: str
    done: Callable[["Looked | StoreError"], None]


@dataclass(frozen=True, slots=True)
class Looked:
    """The lease of an edge's name, as it stands."""

    tenure: str | None
    """Whose it is; None: it is over."""
    beat: int
    connected: bool
    """False if the connection that the edge keeps as long as it lives is gone, at the server that it was made to."""


@dataclass(slots=True)
class Hold:
    """An address that edges share: keep it, or take it if it is free."""

    address: str
    number: int
    """Under which it is ours; 0: it is not."""
    lease: float
    """Seconds."""
    store: str
    """It may be taken if the store is still this one; empty: it may only be kept."""
    former: str
    """A tenure that is known to be over, and may have it still; empty: none."""
    done: Callable[["Held | StoreError"], None]


@dataclass(frozen=True, slots=True)
class Held:
    """Who has an address."""

    tenure: str
    number: int
    """Under which it is ours; 0: it is not."""


@dataclass(slots=True)
class Vacate:
    """Others may have an address, if it is still ours under this number."""

    address: str
    number: int
    done: Callable[[StoreError | None], None]


@dataclass(slots=True)
class Call:
    """Ask the edge of a tenure to let go of a session, or tell all edges something."""

    channel: str
    text: str


@dataclass(slots=True)
class Release:
    """Another edge may have the session."""

    session: SessionId


@dataclass(slots=True)
class Touch:
    """The session is still there, though nothing has happened to it for long."""

    session: SessionId
