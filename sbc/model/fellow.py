"""What edges that share a store know of one another."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fellow:
    """An edge that has a lease in a store that edges share."""

    name: str
    words: Mapping[str, str]
    """What it says of itself. `trunk`: where nodes dial it. `edge`: which edge it is a worker of."""
