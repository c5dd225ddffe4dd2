"""Room for sessions of several classes, with a share reserved for each: of the edge, and of each pool of nodes.

A class may always use its reserve; what is not reserved is for whoever comes first.

    |-- synchronous --|-- interactive --|-- autonomous --|------- free for all -------|
"""

from collections.abc import Sequence

CLASSES = 3
"""The ranks of model/manifest.py, Continuity."""


class Shares:
    """How much of a room each class has taken. Classes go by their rank."""

    __slots__ = ("_beyond", "_kept", "_taken", "_unreserved", "most", "taken")

    def __init__(self) -> None:
        self.most = 0
        """How many sessions there is room for."""
        self._kept = [0] * CLASSES
        self._taken = [0] * CLASSES
        self._unreserved = 0
        self._beyond = 0
        """How many have a place that is not reserved for their class."""
        self.taken = 0
        """How many there are, of all classes."""

    def measure(self, most: int, reserved: Sequence[float]) -> None:
        """There is room for `most`. reserved: the share of each class, 0 to 1; of classes that never come, 0."""
        self.most = most
        self._kept = [int(most * share + 1e-9) for share in reserved]
        self._unreserved = most - sum(self._kept)
        self._beyond = sum(max(0, has - kept) for has, kept in zip(self._taken, self._kept, strict=True))

    def fits(self, rank: int) -> bool:
        """Whether one more session of this class may come."""
        return self._taken[rank] < self._kept[rank] or self._beyond < self._unreserved

    def take(self, rank: int) -> None:
        """One more is there."""
        self.taken += 1
        if self._taken[rank] >= self._kept[rank]:
            self._beyond += 1
        self._taken[rank] += 1

    def give_back(self, rank: int) -> None:
        """One has gone."""
        self.taken -= 1
        self._taken[rank] -= 1
        if self._taken[rank] >= self._kept[rank]:
            self._beyond -= 1
