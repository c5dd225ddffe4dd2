"""The nodes there are, how they stand, and who may take a session: what placement, admission and health know together.

Choosing a node reserves its seat in the same step; `vacate` gives it back.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from sbc.core.ceiling import Punctuality
from sbc.core.health import Health
from sbc.core.ledger import Ledger
from sbc.core.placement import choose_owner, choose_replica, suits, without
from sbc.core.revocations import Revocations
from sbc.model.identity import Revocation, Revoked
from sbc.model.ids import AgentName, NodeId, PoolName, SessionId
from sbc.model.manifest import Manifest
from sbc.model.node import Node, NodeState

BEYOND_COUNT = 0.05
"""By how much the load that a node reports has to be above the share of its seats that are taken, to say more."""


class Room(Enum):
    """Whether the nodes could take a session more."""

    FREE = "free"
    FULL = "full"
    """There are nodes for it, and all their seats are taken."""
    NOBODY = "nobody"
    """No node is up that suits its agent."""


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
    punctuality: Punctuality = field(default_factory=Punctuality)
    """How it keeps the latency ceilings of its sessions."""
    elsewhere: int = 0
    """How many sessions it has of other edges, as its last heartbeat said."""
    reported_load: float = 0.0
    """What the node itself says, 0 to 1, in its heartbeats."""
    strain: float = 0.0
    """The same where it is more than its own count of sessions explains; else 0. A node that is merely full is not
    hard-pressed."""

    def weigh(self, heartbeat: Mapping[str, Any], ours: int) -> None:
        """Take what it says of itself. ours: how many sessions it has of this edge."""
        self.elsewhere = max(0, heartbeat["sessions"] - ours)
        load, capacity = float(heartbeat.get("load", 0.0)), self.node.capacity
        by_count = heartbeat["sessions"] / capacity if capacity else 1.0
        self.reported_load = load
        self.strain = min(load, 1.0) if load > by_count + BEYOND_COUNT else 0.0


class Roster:
    """All nodes of all pools."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.drained = Revocations()
        """Which nodes operators have taken out of service, at whichever edge."""
        self._standings: dict[NodeId, Standing] = {}
        self._pools: dict[PoolName, dict[NodeId, Standing]] = {}
        self._wanted: dict[AgentName, float] = {}
        """For which agents live sessions wait for a seat, and until when the next one is theirs."""

    def __iter__(self) -> Iterator[Standing]:
        return iter(self._standings.values())

    def get(self, node: NodeId) -> Standing | None:
        return self._standings.get(node)

    def put(self, standing: Standing) -> None:
        """A node appears, or is described anew."""
        standing.health.draining |= self.is_drained(standing.node.id)
        self._standings[standing.node.id] = standing
        self._pools.setdefault(standing.node.pool, {})[standing.node.id] = standing

    def remove(self, node: NodeId) -> None:
        """A node is no more. Seats that are taken on it stay counted until they are vacated."""
        standing = self._standings.pop(node, None)
        if standing is not None:
            del self._pools[standing.node.pool][node]

    def is_drained(self, node: NodeId) -> bool:
        """Whether an operator has ordered it, and did not take that back."""
        return self.drained.names(Revoked.NODE, node)

    def keep_out(self, order: Revocation) -> None:
        """A node is to have no more sessions, whether it is there or not. Raises Refusal: there are too many such."""
        self.drained.take(order)
        standing = self.get(NodeId(order.name))
        if standing is not None:
            standing.health.draining = True

    def let_in(self, node: NodeId) -> bool:
        """It may have sessions again; False: it was not drained."""
        standing, ordered = self.get(node), self.drained.forgive(Revoked.NODE, node)
        draining = standing is not None and standing.health.draining
        if standing is not None:
            standing.health.draining = False
        return ordered or draining

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
        able = without(self._able(manifest), avoid)
        chosen = choose_owner(session, self._prompt(able), self._load, prefer)
        return self._reserved(chosen or choose_owner(session, able, self._load, prefer))

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

    def better_for(self, session: SessionId, manifest: Manifest, owner: NodeId) -> NodeId | None:
        """Who would take the session and keeps its sessions waiting less than its owner; None: nobody. Nothing is
        reserved."""
        chosen = choose_owner(session, without(self._prompt(self._able(manifest)), {owner}), self._load)
        return chosen.id if chosen else None

    # What admission asks.

    def capacity(self, pool: PoolName) -> int:
        """How many sessions the nodes of a pool that are up can have together."""
        standings = self._pools.get(pool, {}).values()
        return sum(found.node.capacity for found in standings if found.health.state is NodeState.UP)

    def want(self, manifest: Manifest, until: float) -> None:
        """A live session has no owner, and looks again then: if it is for want of seats, no new one goes before it."""
        if self.room(manifest, until) is Room.FULL:
            self._wanted[manifest.agent] = until

    def room(self, manifest: Manifest, now: float) -> Room:
        """Whether there is a seat for a new session."""
        able = self._able(manifest)
        if not able:
            return Room.NOBODY
        if now < self._wanted.get(manifest.agent, 0.0):
            return Room.FULL
        for node in able:  # not `any`: this is asked for each new session, and the first node is mostly the answer
            if self.load(node) < 1.0:
                return Room.FREE
        return Room.FULL

    def strain(self, manifest: Manifest) -> float:
        """How hard-pressed the least hard-pressed of the nodes is that could take a session, 0 to 1."""
        return min((self._standings[node.id].strain for node in self._able(manifest)), default=0.0)

    def pressed(self, now: float) -> bool:
        """Whether any node is hard-pressed, or a live session waits for a seat."""
        self._wanted = {agent: until for agent, until in self._wanted.items() if until > now}
        return bool(self._wanted) or any(standing.strain for standing in self)

    def load(self, node: Node) -> float:
        """How full a node is with the sessions of all edges: 1 and more is full."""
        return self.ledger.load(node, self._standings[node.id].elsewhere)

    def vacate(self, node: NodeId) -> None:
        self.ledger.rise(node)

    def _able(self, manifest: Manifest) -> list[Node]:
        placement, standings = manifest.placement, self._pools.get(manifest.pool, {}).values()
        up = [standing.node for standing in standings if standing.health.state is NodeState.UP]
        if not placement.regions and not placement.labels:
            return up
        return [node for node in up if suits(node, placement)]

    def _prompt(self, nodes: list[Node]) -> list[Node]:
        """Those that do not keep their sessions waiting."""
        return [node for node in nodes if not self._standings[node.id].punctuality.slow]

    def _load(self, node: Node) -> float:
        standing = self._standings[node.id]
        reserved = self.load(node)
        # What a node says of itself can only make it look fuller than what was reserved on it.
        return reserved if reserved >= 1.0 else max(reserved, min(standing.reported_load, 0.999))

    def _reserved(self, node: Node | None) -> Standing | None:
        if node is None:
            return None
        self.ledger.sit(node.id)
        return self._standings[node.id]
