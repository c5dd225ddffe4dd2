"""The trunk of a node as a successor has it: the predecessor holds the connection, and passes on what is said.

Nodes know nothing of this; they dial anew when the predecessor ends.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from sbc.core.roster import Standing
from sbc.model.ids import NodeId

MOST_HELD: Final = 1000
"""Messages that wait for a node to dial anew: a moment's."""

Say = Callable[[NodeId, Mapping[str, Any]], None]


class LentTrunk:
    """Implements Trunk. Lent until the predecessor hangs up, then waiting for the node's own trunk to this process."""

    def __init__(self, node: NodeId, say: Say) -> None:
        """say: has something said over the trunk of a node."""
        self.node = node
        self._say = say
        self._held: list[Mapping[str, Any]] | None = None
        """What is to be said once the node has dialled anew; None: it does not have to."""

    def send(self, message: Mapping[str, Any]) -> None:
        """See Trunk."""
        if self._held is None:
            self._say(self.node, message)
        elif len(self._held) < MOST_HELD:
            self._held.append(message)

    def wait(self) -> None:
        """The predecessor has hung up: the node dials this process now."""
        self._held = []

    def close(self, reason: str) -> None:
        """The node has a trunk of its own to this process: it hears there what was held back."""
        held, self._held = self._held, None
        for message in held or ():
            self._say(self.node, message)


class Heir(Protocol):
    """Who shares our trunks: a successor of this process (runtime/succession)."""

    def registered(self, node: NodeId, register: Mapping[str, Any]) -> None:
        """There is a trunk to this node, which introduced itself like this."""

    def heard(self, node: NodeId, message: Mapping[str, Any]) -> bool:
        """A node says something; whether that is not for us."""

    def lost(self, node: NodeId) -> None:
        """Its trunk is gone."""


def introduction(standing: Standing) -> dict[str, Any]:
    """What a node with a trunk has said of itself (docs/DESIGN.md section 5.4)."""
    node = standing.node
    return {"type": "register", "node": node.name, "pool": node.pool, "url": node.url, "zone": node.zone,
            "labels": dict(node.labels), "capacity": node.capacity, "checkpoints": standing.checkpoints}  # fmt: skip
