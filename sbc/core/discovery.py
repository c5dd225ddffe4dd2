"""What is believed of the nodes that are found for a pool: the last answer that named any, for a bounded time.

A name server that knows nothing of a name, an empty file and an empty list of pods are far more often a fault than the
end of a service: such an answer is distrusted as one that did not come is, and the nodes stay that were found before.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from sbc.model.ids import NodeId
from sbc.model.node import Node

MOST_FOUND: Final = 4096
"""Nodes of a pool; what goes beyond it is left out, the same ones each time."""


@dataclass(frozen=True, slots=True)
class Found:
    """A node, as it was found. leaving: it is to have no more sessions, and those it has are to move."""

    node: Node
    leaving: bool = False


class News(Enum):
    """What an answer means."""

    SAME = "same"
    CHANGED = "changed"
    DISTRUSTED = "distrusted"
    """Nothing was found: what was found before stays."""
    EXPIRED = "expired"
    """That stayed long enough, and is given up."""


@dataclass(slots=True)
class Findings:
    """Of one pool. Times are seconds of any clock that does not stop."""

    keep: float
    """For how long what was found last is believed."""
    nodes: Mapping[NodeId, Found] = field(default_factory=dict)
    since: float | None = None
    """When an answer came last that named nodes; None: none did yet."""

    def take(self, found: Iterable[Found], now: float) -> News:
        """An answer came."""
        by_id = {one.node.id: one for one in found}
        nodes = {node: by_id[node] for node in sorted(by_id)[:MOST_FOUND]}
        if not nodes:
            return self.fail(now)
        self.since = now
        if nodes == self.nodes:
            return News.SAME
        self.nodes = nodes
        return News.CHANGED

    def fail(self, now: float) -> News:
        """No answer came, or one without nodes."""
        if self.since is None or now - self.since < self.keep or not self.nodes:
            return News.DISTRUSTED
        self.nodes = {}
        return News.EXPIRED
