"""A node: one process of an agent, where sessions live."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from sbc.model.ids import NodeId, PoolName, node_name


class NodeState(Enum):
    UP = "up"
    DRAINING = "draining"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Probe:
    """How a node without a trunk is asked over HTTP whether it lives."""

    path: str | None = None
    """None: any HTTP answer to `/` is a sign of life; else a 2xx or 3xx to this path is asked for."""
    every: float = 1.0
    timeout: float = 0.5
    fall: int = 2
    rise: int = 2


@dataclass(frozen=True, slots=True)
class Node:
    """One node, as the configuration or its own word on the trunk describes it."""
    id: NodeId
    pool: PoolName
    url: str
    zone: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    capacity: int = 1000

    @property
    def name(self) -> str:
        return node_name(self.id)

    def in_region(self, region: str) -> bool:
        """A node is in a region by its label `region`, or by a zone named after it (`eu`, `eu-1`)."""
        return self.labels.get("region") == region or self.zone == region or self.zone.startswith(region + "-")
