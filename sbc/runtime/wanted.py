"""Which nodes there are to be: those of the configuration and those that were found elsewhere; and who may join."""

from collections.abc import Container, Mapping

from sbc.config import Config
from sbc.core.discovery import Found
from sbc.model.errors import Refusal
from sbc.model.ids import NodeId, PoolName
from sbc.model.manifest import Continuity
from sbc.model.node import Node, Probe
from sbc.nodes.address import address_of

BRISK = Probe(every=0.25, timeout=0.25)
"""How nodes without a trunk that serve synchronous sessions are probed at least: silence is known within a second."""


class Wanted:
    """What is known of them by now."""

    def __init__(self) -> None:
        self.probes: dict[PoolName, Probe | None] = {}
        """How the nodes of each pool that there is are probed."""
        self.sealed: set[PoolName] = set()
        """The pools whose nodes have to speak TLS."""
        self.found: dict[PoolName, Mapping[NodeId, Found]] = {}
        self.leaving: set[NodeId] = set()
        """Those that were found, and are to have no more sessions."""
        self._written: Mapping[NodeId, Node] = {}

    def write(self, config: Config) -> None:
        """This is the configuration from here on."""
        brisk = {manifest.pool for manifest in config.agents.values() if manifest.continuity is Continuity.SYNCHRONOUS}
        self.probes = {
            name: _at_least_brisk(pool.probe) if pool.probe is not None and name in brisk else pool.probe
            for name, pool in config.pools.items()
        }
        self.sealed = {name for name, pool in config.pools.items() if pool.tls is not None}
        self._written = {node.id: node for pool in config.pools.values() for node in pool.nodes}

    def nodes(self) -> dict[NodeId, Node]:
        """All of them; what is written goes before what was found. `leaving` is as it is now, then."""
        found = {node: one for pool in self.found.values() for node, one in pool.items()
                 if one.node.pool in self.probes and not self.is_bare(one.node)}
        self.leaving = {node for node, one in found.items() if one.leaving}
        return {**{node: one.node for node, one in found.items()}, **self._written}

    def is_bare(self, node: Node) -> bool:
        """Whether it is without TLS where it has to speak it."""
        return node.pool in self.sealed and not address_of(node.url).secure


def refuse_strangers(pool: PoolName, url: str | None, pools: Container[PoolName], sealed: Container[PoolName]) -> None:
    """Raise Refusal if a node may not join: of no pool, or without TLS where it has to speak it. url: where it is;
    None: that is written. sealed: the pools whose nodes have to speak TLS."""
    if pool not in pools:
        raise Refusal(403, "unknown_pool", f"there is no pool {pool!r}")
    if url is not None and pool in sealed and not address_of(url).secure:
        raise Refusal(403, "insecure", f"the nodes of pool {pool!r} have to speak TLS: https:, wss: or h2:")


def _at_least_brisk(probe: Probe) -> Probe:
    return Probe(probe.path, min(probe.every, BRISK.every), min(probe.timeout, BRISK.timeout),
                 min(probe.fall, BRISK.fall), probe.rise)  # fmt: skip
