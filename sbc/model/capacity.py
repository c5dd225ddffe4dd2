"""What the edge may take on, and what it does when that is not enough. Sizes are in bytes, durations in seconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sbc.model.manifest import Continuity


@dataclass(frozen=True, slots=True)
class Marks:
    """Between which pressures, 0 to 1, new sessions are shed."""

    low: float = 0.7
    """Below it nothing is shed."""
    high: float = 0.95
    """From it on nothing new is taken, and sessions that cost little to lose are let go."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """The bounds of the edge as a whole."""

    sessions: int | None = None
    """None: what its file descriptors allow."""
    journals: int | None = None
    """Of all journals together; None: what the sessions may have."""
    memory: int | None = None
    """Of the process; None: its part of what its cgroup or its machine has."""
    processes: int = 1
    """How many share that."""
    lag: float = 0.5
    """How late the event loop may come, on an average: that is a pressure of 1."""
    waiting: int = 512
    """How many sessions of each class may wait to be taken."""
    reserved: Mapping[Continuity, float] = field(default_factory=dict)
    """The share of each class, 0 to 1, that no other class gets."""
    shed: Marks = field(default_factory=Marks)
    drain_pace: float = 1000.0
    """How many sessions a second leave a node that is drained, or an edge that stops."""
