"""What the loop side of a durable store (stores/queued.py) asks of its writer.

Questions (Create, Rebind, Read) have somebody waiting for `done`; the others are notes that nobody waits for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sbc.model.binding import Binding, Checkpoint
from sbc.model.errors import StoreError
from sbc.model.ids import SessionId
from sbc.model.interfaces import Journals, Stored


@dataclass(slots=True)
class Create:
    stored: Stored
    done: Callable[[Exception | None], None]


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
class Keep:
    """Messages `first`, `first + 1`, ... of one direction."""

    session: SessionId
    from_client: bool
    first: int
    messages: Sequence[bytes]
    size: int


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


Question = Create | Rebind | Read
Note = Keep | Cover | Forget | Learn | Remember | Remove
Operation = Question | Note

Result = Journals | StoreError | None
"""What became of one operation of a batch that was committed."""

T = TypeVar("T")
Told = Callable[[T | StoreError], None]
"""Somebody who is told what became of something."""
