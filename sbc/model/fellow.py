"""What edges that share a store know of one another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

SILENT: Final = 3.0
"""After how many seconds without a renewal, of which there are two a second, an edge is called silent."""


@dataclass(frozen=True, slots=True)
class Fellow:
    """An edge that has a lease in a store that edges share."""

    name: str
    words: Mapping[str, str]
    """What it says of itself. `trunk`: where nodes dial it. `edge`: which edge it is a worker of."""
    silence: float
    """How long ago it renewed its lease, in seconds."""
    nodes: Sequence[Mapping[str, Any]] = ()
    """Those that have a trunk to it, and what they are."""

    @property
    def state(self) -> str:
        """`up`; `silent`: nobody knows whether it serves. Its sessions are its own until its lease is over."""
        return "up" if self.silence < SILENT else "silent"
