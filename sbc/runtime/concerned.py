"""Who is told what becomes of nodes."""

from collections.abc import Mapping
from typing import Any, Protocol

from sbc.model.ids import NodeId
from sbc.model.manifest import Continuity


class Concerned(Protocol):
    """Who is told what becomes of nodes, and what they say: the hall."""

    def node_silent(self, node: NodeId, continuity: Continuity | None) -> None:
        """Sessions of this class (None: of all) on the node have to move."""

    def node_ready(self) -> None:
        """Some node may take sessions again."""

    def node_says(self, node: NodeId, message: Mapping[str, Any]) -> None:
        """A trunk message about a session."""

    def node_leaves(self, node: NodeId, deadline: float | None) -> None:
        """A node asks to be drained; deadline: seconds."""
