"""What the loop side of a durable store (stores/queue.py) asks of its writer. What only stores that edges share are
asked stands in shared.py.

Questions (Create, Rebind, Read, and those about revocations) have somebody waiting for `done`; the others are notes
that nobody waits for, but for a Keep whose messages are passed on only then: it is said again like any other note.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sbc.model.binding import Binding, Checkpoint
from sbc.model.errors import StoreError
from sbc.model.fellow import Fellow
from sbc.model.identity import Revocation, Revoked
from sbc.model.ids import SessionId
from sbc.model.interfaces import Journals, Stored
from sbc.stores.shared import (
    Beat,
    Beaten,
    Call,
    Claim,
    Find,
    Held,
    Hold,
    Look,
    Looked,
    Muster,
    Peek,
    Peeked,
    ReadEdges,
    ReadMembers,
    Release,
    Restate,
    Touch,
    Vacate,
)


@dataclass(slots=True)
class Create:
    stored: Stored
    done: Callable[[Exception | None], None]
    store: str = ""
    """Only if the store is still this one; empty: whichever it is."""


@dataclass(slots=True)
class Rebind:
    binding: Binding
    expected: int
    done: Callable[[Exception | None], None]


@dataclass(slots=True)
class Read:
    session: SessionId
    done: Callable[[Journals | StoreError], None]


@dataclass(slots=True)
class Revoke:
    revocation: Revocation
    done: Callable[[StoreError | None], None]


@dataclass(slots=True)
class Forgive:
    kind: Revoked
    name: str
    done: Callable[[StoreError | None], None]


@dataclass(slots=True)
class ReadDialogs:
    """All that are on record, once no other process has them."""

    done: Callable[[Sequence[Stored] | StoreError], None]


@dataclass(slots=True)
class ReadRevocations:
    done: Callable[[Sequence[Revocation] | StoreError], None]


@dataclass(slots=True)
class Keep:
    """Messages `first`, `first + 1`, ... of one direction."""

    session: SessionId
    from_client: bool
    first: int
    messages: Sequence[bytes]
    size: int
    done: Callable[[Exception | None], None] | None = None
    """Somebody waits until they are where no power cut reaches them; None: nobody does."""


@dataclass(slots=True)
class Cover:
    """A checkpoint."""

    session: SessionId
    checkpoint: Checkpoint


@dataclass(slots=True)
class Forget:
    """Messages before `first` of one direction are no longer owed."""

    session: SessionId
    from_client: bool
    first: int


@dataclass(slots=True)
class Learn:
    """Keys by which a dialog is known from here on, and such by which it is not any more."""

    session: SessionId
    learned: Sequence[tuple[str, str]]
    forgotten: Sequence[tuple[str, str]]


@dataclass(slots=True)
class Remember:
    """What the protocol of a dialog has to remember."""

    session: SessionId
    memory: str


@dataclass(slots=True)
class Remove:
    session: SessionId


# Only of stores that edges share.


Alone = Create | Rebind | Read | ReadDialogs | Revoke | Forgive | ReadRevocations
Shared = Peek | Claim | Find | Restate | Beat | Look | ReadEdges | Muster | ReadMembers | Hold | Vacate
Question = Alone | Shared
Lasting = Remove | Release
"""Never dropped: as many as there were dialogs at most."""
Note = Keep | Cover | Forget | Learn | Remember | Touch | Call | Lasting
Operation = Question | Note

Members = Mapping[str, Sequence[Mapping[str, Any]]]
Found = Journals | tuple[Stored, Journals] | Beaten | Looked | Peeked | Held
Listed = Sequence[Stored] | Sequence[Revocation] | Sequence[Fellow]
Result = Found | Listed | Members | SessionId | str | StoreError | None
"""What became of one operation of a batch that was committed."""

T = TypeVar("T")
Told = Callable[[T | StoreError], None]
"""Somebody who is told what became of something."""
