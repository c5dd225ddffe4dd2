"""The nodes of all pools: their trunks, their probes, their health, and what they signal about sessions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sbc.config import Config
from sbc.core.discovery import Found
from sbc.core.health import HEARTBEAT, Health, Sign, beat_every
from sbc.core.roster import Roster, Standing
from sbc.model.fellow import Fellow
from sbc.model.ids import NodeId, PoolName, node_id
from sbc.model.interfaces import Spawn, Trunk
from sbc.model.manifest import Continuity
from sbc.model.node import Node, Probe
from sbc.model.streams import Reach
from sbc.nodes.dial import Trust
from sbc.nodes.probe import Prober
from sbc.runtime.concerned import Concerned
from sbc.runtime.finders import Finders
from sbc.runtime.succession.lent import Heir, introduction
from sbc.runtime.wanted import Wanted, refuse_strangers
from sbc.telemetry.metrics import Metrics

Announce = Callable[[str, Mapping[str, Any]], None]


class Fleet:
    """Implements TrunkListener for the trunk door, and Signals for the sessions."""

    def __init__(
        self, roster: Roster, metrics: Metrics, spawn: Spawn, announce: Announce, now: Callable[[], float],
        reach: Reach,
    ) -> None:
        self._roster = roster
        self._metrics = metrics
        self._announce = announce
        self._now = now
        self.finders = Finders(self, spawn, announce)
        self._prober = Prober(self._probed, spawn, reach)
        self._trunks: dict[NodeId, Trunk] = {}
        self._edges: dict[str, Any] | None = None
        """What nodes are told of the edges that there are."""
        self._silence: dict[NodeId, float] = {}
        self._wanted = Wanted()
        self.deaf: Callable[[], bool] = lambda: False
        """Whether nothing of any node could be heard at the moment, for who brings it is silent."""
        self._ticked = now()
        self.hall: Concerned
        self._heir: Heir | None = None

    # The configuration.

    def trust(self, trusts: Mapping[PoolName, Trust]) -> None:
        """Probe the nodes of these pools by a TLS of their own."""
        self._prober.trusts = trusts

    def apply(self, config: Config) -> None:
        """Have the nodes that are written down: new ones are probed, those that are gone take no more sessions."""
        self._wanted.write(config)
        self._muster(anew=True)
        self.finders.apply(config)

    def found(self, pool: PoolName, nodes: Mapping[NodeId, Found]) -> None:
        """These are the nodes that were found for a pool. Those that are found no more are drained, and then go; so are
        those that are leaving, which stay."""
        self._wanted.found[pool] = nodes
        self._muster(anew=False)

    def _muster(self, *, anew: bool) -> None:
        """Have the nodes that there are to be. anew: probe all of them by other rules than before."""
        wanted, before = self._wanted, self._wanted.leaving
        nodes = wanted.nodes()
        for standing in list(self._roster):
            node = standing.node
            left = node.id not in nodes and (standing.configured or wanted.is_bare(node))
            if (left or node.pool not in wanted.probes) and not standing.retired:
                standing.retired = True
                self.hall.node_leaves(node.id, None)
        for node in nodes.values():
            there = self._roster.get(node.id)
            if anew or there is None or there.retired or not there.configured or there.node != node:
                there = self._place(node, configured=True)
            if node.id in wanted.leaving:
                self.hall.node_leaves(node.id, None)
            elif node.id in before:
                there.health.draining = self._roster.is_drained(node.id)
        self.hall.node_ready()

    def _place(self, node: Node, *, configured: bool) -> Standing:
        probe = self._wanted.probes[node.pool]
        standing = self._roster.get(node.id)
        if standing is None:
            standing = Standing(node, Health(probe or Probe(), self._now()), configured)
        else:
            standing.node, standing.configured, standing.health.probe = node, configured, probe or Probe()
            if standing.retired:
                standing.retired = standing.health.draining = False
        self._roster.put(standing)
        self._watch(standing)
        return standing

    def _watch(self, standing: Standing) -> None:
        """Probe a node whose health no heartbeats tell, unless its pool is not probed."""
        probe = self._wanted.probes.get(standing.node.pool)
        if probe is not None and not standing.health.beats:
            self._prober.watch(standing.node, probe)
        else:
            self._prober.unwatch(standing.node.id)

    def _forget(self, node: NodeId) -> None:
        self._prober.unwatch(node)
        self._silence.pop(node, None)
        self._roster.remove(node)

    async def close(self) -> None:
        self.finders.close()
        await self._prober.close()

    # Trunks (TrunkListener).

    def registered(self, trunk: Trunk, message: Mapping[str, Any]) -> float:
        """A node introduced itself. Raises Refusal."""
        pool = PoolName(message["pool"])
        known = node_id(pool, message["node"])
        standing = self._roster.get(known)
        strange = standing is None or not standing.configured
        refuse_strangers(pool, message["url"] if strange else None, self._wanted.probes, self._wanted.sealed)
        if standing is None or not standing.configured:
            labels = message.get("labels", {})
            node = Node(known, pool, message["url"], message.get("zone", ""), labels, message.get("capacity", 1000))
            standing = self._place(node, configured=False)
        former, self._trunks[known] = self._trunks.get(known), trunk
        trunk.node = known
        if former is not None and former is not trunk:
            former.close("another trunk of the same node")
        standing.trunk = True
        standing.health.hang_up()
        self._watch(standing)
        standing.checkpoints = bool(message.get("checkpoints", False))
        standing.health.draining = self._roster.is_drained(known) or known in self._wanted.leaving
        self._judge(standing, standing.health.spoke(self._now()))
        self._announce("node_registered", {"node": known, "checkpoints": standing.checkpoints})
        if self._edges is not None:
            trunk.send(self._edges)
        self.hall.node_ready()
        if self._heir is not None:
            self._heir.registered(known, introduction(standing))
        return beat_every(len(self._trunks))

    def name_edges(self, fellows: Sequence[Fellow]) -> None:
        """Tell all nodes where they find the edges of this store, this one among them."""
        # Workers of one edge have one trunk between them.
        named = {fellow.words.get("edge", fellow.name): fellow.words["trunk"] for fellow in fellows
                 if "trunk" in fellow.words}  # fmt: skip
        message = {"type": "edges", "edges": [{"edge": edge, "trunk": trunk} for edge, trunk in named.items()]}
        if message != self._edges:
            self._edges = message
            for trunk in self._trunks.values():
                trunk.send(message)

    def heard(self, trunk: Trunk, message: Mapping[str, Any]) -> None:
        """A registered node says something."""
        standing = self._roster.get(trunk.node)
        if standing is None or self._trunks.get(trunk.node) is not trunk:
            return
        if self._heir is not None and self._heir.heard(trunk.node, message):
            return
        health = standing.health
        beating = health.beats
        beat = health.heartbeat if message["type"] == "heartbeat" else health.spoke
        self._judge(standing, beat(self._now()))
        if health.beats and not beating:
            self._watch(standing)
        match message["type"]:
            case "heartbeat":
                standing.weigh(message, self._roster.ledger.seats(standing.node.id))
            case "drain":
                self.hall.node_leaves(trunk.node, message.get("deadline"))
            case _:
                self.hall.node_says(trunk.node, message)

    def lost(self, trunk: Trunk) -> None:
        """A trunk broke. That does not end its sessions: the legs and the probes decide."""
        node = trunk.node
        if self._trunks.get(node) is not trunk:
            return
        del self._trunks[node]
        self._silence.pop(node, None)
        standing = self._roster.get(node)
        if standing is None:
            return
        if self._heir is not None:
            self._heir.lost(node)
        self._announce("trunk_lost", {"node": node})
        standing.trunk = standing.checkpoints = False
        standing.elsewhere = 0
        standing.health.hang_up()
        if standing.configured:
            self._watch(standing)
        else:
            self._forget(node)

    # A successor.

    def share(self, heir: Heir | None) -> None:
        """Have it hear what comes over our trunks; None: nobody any more."""
        self._heir = heir
        if heir is None:
            return
        for node in self._trunks:
            standing = self._roster.get(node)
            if standing is not None:
                heir.registered(node, introduction(standing))

    def drained(self) -> list[NodeId]:
        """The nodes that are to have no more sessions."""
        return [standing.node.id for standing in self._roster if standing.health.draining]

    def drain(self, nodes: Iterable[NodeId]) -> None:
        """A predecessor has given these no more sessions."""
        for standing in filter(None, map(self._roster.get, nodes)):
            standing.health.draining = True

    def rest(self, node: NodeId) -> None:
        """Its heartbeats pause."""
        standing = self._roster.get(node)
        if standing is not None:
            standing.health.hang_up()

    # Signals.

    def send(self, node: NodeId, message: Mapping[str, Any]) -> bool:
        trunk = self._trunks.get(node)
        if trunk is None:
            return False
        trunk.send(message)
        return True

    def worked(self, node: NodeId) -> None:
        standing = self._roster.get(node)
        if standing is not None:
            standing.health.worked()

    def emptied(self, node: NodeId) -> None:
        standing = self._roster.get(node)
        if standing is not None and standing.retired:
            trunk = self._trunks.pop(node, None)
            if trunk is not None:
                trunk.close("the node is no longer served here")
            self._forget(node)

    def refused(self, node: NodeId) -> None:
        standing = self._roster.get(node)
        if standing is not None:
            self._judge(standing, standing.health.refused())

    # Health.

    def _probed(self, node: NodeId, alive: bool, reason: str, rtt: float) -> None:
        standing = self._roster.get(node)
        if standing is None or standing.health.beats:
            return
        if alive:
            self._metrics.node_rtt.observe(rtt)
        sign = standing.health.probed(alive, self._now())
        self._judge(standing, sign, reason)
        if sign is Sign.FELL:
            self.hall.node_silent(node, None)

    def _judge(self, standing: Standing, sign: Sign, reason: str = "") -> None:
        if sign is Sign.FELL:
            self._announce("node_down", {"node": standing.node.id, "reason": reason})
        elif sign is Sign.ROSE:
            self._announce("node_up", {"node": standing.node.id})
            self.hall.node_ready()

    def tick(self, late: float) -> None:
        """Some 50 ms have passed. late: for how long the edge itself stood still beyond that, in seconds."""
        now = self._now()
        elapsed, self._ticked = now - self._ticked, now
        late = elapsed if self.deaf() else late if late > HEARTBEAT / 2 else 0.0
        for standing in list(self._roster):
            health = standing.health
            if not health.beats:
                continue
            health.excuse(late)
            self._judge(standing, health.silent(now), "silent")
            self._move_by_class(standing.node.id, health, now)

    def _move_by_class(self, node: NodeId, health: Health, now: float) -> None:
        silence = health.silence(now)
        before, self._silence[node] = self._silence.get(node, 0.0), silence
        for continuity in Continuity:
            if before < health.borne(continuity) <= silence:
                self.hall.node_silent(node, continuity)
