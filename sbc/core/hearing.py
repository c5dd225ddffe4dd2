"""Who is told of what passes a relay."""

from collections.abc import Sequence
from typing import Protocol


class Clerk(Protocol):
    """Brings a journal's new messages to the store (runtime/clerk.py)."""

    noted: bool
    """Whether it knows already that there is something to bring."""

    def note(self) -> None:
        """There are new messages."""

    def bring(self) -> None:
        """Hand them over now."""

    def whole(self) -> tuple[int, Sequence[bytes]]:
        """All that the store is to have of the journal."""


class Ear(Protocol):
    """Hears every message that passes, for a protocol that knows what it means (protocols/protocol.py, Turns)."""

    def hear(self, message: bytes) -> bool:
        """A whole message, as on the wire; whether the session has to see to it."""
