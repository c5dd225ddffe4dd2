"""What a way to find nodes tells, and what it is told of them beforehand."""

from collections.abc import Sequence
from typing import Protocol

from sbc.core.discovery import Found
from sbc.model.ids import PoolName, node_id
from sbc.model.node import Node


class Report(Protocol):
    """Who is told."""

    def found(self, nodes: Sequence[Found]) -> None:
        """All nodes that there are now."""

    def failed(self, why: str) -> None:
        """Nobody knows at the moment."""


def defaults(pool: PoolName, zone: str, labels: dict[str, str], capacity: int) -> Node:
    """What holds for all nodes whose place is all that is known of them."""
    return Node(node_id(pool, "any"), pool, "", zone, labels, capacity)
