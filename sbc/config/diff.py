"""What a reload changes: the old and the new configuration, section by section."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from sbc.config.model import Config, Pool
from sbc.model.ids import NodeId, PoolName
from sbc.model.node import Node

Name = TypeVar("Name", bound=str)


@dataclass(frozen=True, slots=True)
class Delta:
    """The names of what came, went, and is there still but not the same."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


@dataclass(frozen=True, slots=True)
class Changes:
    """All that differs. Everything can change at run time but what `restart_needed` names."""

    listeners: Delta
    pools: Delta
    """A pool is changed if its nodes or its probe are."""
    nodes: Mapping[PoolName, Delta]
    """By pool, with the nodes' ids; only pools in which nodes differ, those that came or went among them."""
    agents: Delta
    policies: Delta
    routes: bool
    capacity: bool
    """What the edge takes on, or how sessions leave."""
    seal_keys: bool
    trunk: bool
    """Its secret or its TLS."""
    interconnect: bool
    """Its certificates."""
    admin: bool
    """Its tokens."""
    abuse: bool
    kernel: bool
    """What is ordered of the warden."""
    restart_needed: tuple[str, ...]
    """Dotted keys that differ, and keep their old value until the edge is started again."""

    def __bool__(self) -> bool:
        return bool(self.listeners or self.pools or self.agents or self.policies or self.routes or self.capacity
                    or self.seal_keys or self.trunk or self.interconnect or self.admin or self.abuse or self.kernel
                    or self.restart_needed)


def diff(old: Config, new: Config) -> Changes:
    """What has to happen so that `new` holds instead of `old`."""
    return Changes(
        listeners=_delta({door.name: door for door in old.listeners}, {door.name: door for door in new.listeners}),
        pools=_delta(old.pools, new.pools),
        nodes=_nodes(old.pools, new.pools),
        agents=_delta(old.agents, new.agents),
        policies=_delta(old.policies, new.policies),
        routes=old.routes != new.routes,
        capacity=old.capacity != new.capacity,
        seal_keys=old.edge.seal_keys != new.edge.seal_keys,
        trunk=_trunk_terms(old) != _trunk_terms(new),
        interconnect=_papers(old) != _papers(new),
        admin=old.admin.tokens != new.admin.tokens,
        abuse=old.abuse != new.abuse,
        kernel=old.kernel != new.kernel,
        restart_needed=tuple(key for key, value in _fixed(old).items() if _fixed(new)[key] != value),
    )


def _delta(old: Mapping[Name, object], new: Mapping[Name, object]) -> Delta:
    return Delta(
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        changed=tuple(name for name in new if name in old and new[name] != old[name]),
    )


def _nodes(old: Mapping[PoolName, Pool], new: Mapping[PoolName, Pool]) -> dict[PoolName, Delta]:
    deltas = {name: _delta(_by_id(old.get(name)), _by_id(new.get(name))) for name in {**old, **new}}
    return {name: delta for name, delta in deltas.items() if delta}


def _by_id(pool: Pool | None) -> dict[NodeId, Node]:
    return {node.id: node for node in pool.nodes} if pool else {}


def _trunk_terms(config: Config) -> object:
    """What can change at run time of a trunk that is there before and after."""
    return config.trunk and (config.trunk.secret_file, config.trunk.tls, config.trunk.advertise)


def _papers(config: Config) -> object:
    """What can change at run time of an interconnect that is there before and after."""
    way = config.edge.interconnect
    return way and (way.cert, way.key, way.ca)


def _place(config: Config) -> object:
    way = config.edge.interconnect
    return way and (way.listen, way.advertise)


def _fixed(config: Config) -> dict[str, object]:
    """What cannot change at run time, by its key."""
    return {
        "edge.name": config.edge.name,
        "edge.workers": config.edge.workers,
        "edge.store": config.edge.store,
        "edge.redis": config.edge.redis,
        "edge.address": config.edge.address,
        "edge.interconnect": _place(config),
        "edge.records": config.edge.records,
        "edge.h2_engine": config.edge.h2_engine,
        "edge.quic_engine": config.edge.quic_engine,
        "kernel.socket": config.kernel and config.kernel.socket,
        "admin.listen": config.admin.listen,
        "trunk.listen": config.trunk and config.trunk.listen,
    }
