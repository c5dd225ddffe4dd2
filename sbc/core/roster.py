"""The nodes there are, how they stand, and who may take a session: what placement, admission and health know together.

Choosing a node reserves its seat in the same step; `vacate` gives it back.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sbc.core.admission import Ledger
from sbc.core.health import Health
from sbc.core.placement import choose_owner, choose_replica, suits, without
from sbc.model.ids import NodeId, PoolName, SessionId
from sbc.model.manifest import Manifest
from sbc.model.node import Node, NodeState


@dataclass(slots=True)
class Standing:
    """How a node stands at the moment."""

    node: Node
    health: Health
    configured: bool
    """Written in the configuration; otherwise it came over a trunk, and goes with it."""
    retired: bool = False
    """No longer written in the configuration: it goes when its last session has moved."""
    trunk: bool = False
    checkpoints: bool = False
    reported_load: float = 0.0
    """What the node itself says, 0 to 1, in its heartbeats."""


class Roster:
    """All nodes of all pools."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self._standings: dict[NodeId, Standing] = {}
        self._pools: dict[PoolName, dict[NodeId, Standing]] = {}

    def __iter__(self) -> Iterator[Standing]:
        return iter(self._standings.values())

    def get(self, node: NodeId) -> Standing | None:
        return self._standings.get(node)

    def put(self, standing: Standing) -> None:
        """A node appears, or is described anew."""
        self._standings[standing.node.id] = standing
        self._pools.setdefault(standing.node.pool, {})[standing.node.id] = standing

    def remove(self, node: NodeId) -> None:
        """A node is no more. Seats that are taken on it stay counted until they are vacated."""
        standing = self._standings.pop(node, None)
        if standing is not None:
            del self._pools[standing.node.pool][node]

    def find(self, name: str, pool: PoolName | None = None) -> list[Standing]:
        """The nodes that an operator may mean by `pool/name`, or by a name alone."""
        return [
            standing for standing in self
            if name == standing.node.id or (name == standing.node.name and pool in (None, standing.node.pool))
        ]  # fmt: skip

    def seat_owner(
        self, session: SessionId, manifest: Manifest, avoid: Collection[NodeId], prefer: NodeId | None
    ) -> Standing | None:
        """Choose the owner of a session and reserve its seat; None if nobody can take it."""
        chosen = choose_owner(session, without(self._able(manifest), avoid), self._load, prefer)
        return self._reserved(chosen)

    def seat_standby(
        self, session: SessionId, manifest: Manifest, owner: NodeId, avoid: Collection[NodeId]
    ) -> Standing | None:
        """Choose a replica for a session and reserve its seat."""
        standing = self.get(owner)
        if standing is None:
            return None
        able = without(self._able(manifest), avoid)
        return self._reserved(
            choose_replica(session, standing.node, able, self._load, manifest.placement.spread)
        )

    def replica_for(self, session: SessionId, manifest: Manifest, owner: NodeId) -> NodeId | None:
        """Who would take the session next; nothing is reserved."""
        standing = self.get(owner)
        if standing is None:
            return None
        able = self._able(manifest)
        replica = choose_replica(session, standing.node, able, self._load, manifest.placement.spread)
        return replica.id if replica else None

    def vacate(self, node: NodeId) -> None:
        self.ledger.rise(node)

    def _able(self, manifest: Manifest) -> list[Node]:
        return [
            standing.node for standing in self._pools.get(manifest.pool, {}).values()
            if standing.health.state is NodeState.UP and suits(standing.node, manifest.placement)
        ]  # fmt: skip

    def _load(self, node: Node) -> float:
        standing = self._standings[node.id]
        reserved = self.ledger.load(node)
        # What a node says of itself can only make it look fuller than what was reserved on it.
        return reserved if reserved >= 1.0 else max(reserved, min(standing.reported_load, 0.999))

    def _reserved(self, node: Node | None) -> Standing | None:
        if node is None:
            return None
        self.ledger.sit(node.id)
        return self._standings[node.id]
