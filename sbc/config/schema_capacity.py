"""What a configuration says about the edge as a whole: how much it takes on, and what it does beyond that."""

from typing import Annotated, Final

from pydantic import Field

from sbc.config.section import Section, default
from sbc.config.units import Duration, Size
from sbc.config.values import share, whole

SHED_LOW: Final = 0.7
SHED_HIGH: Final = 0.95


class Reserved(Section):
    """The share of each class, 0 to 1, that no other class gets: of `sessions`, and of the seats of each pool. Classes
    that no agent of a pool has get none there."""

    synchronous: Annotated[float, share(0, 1)] = 0.1
    """Of synchronous sessions."""
    interactive: Annotated[float, share(0, 1)] = 0.1
    """Of interactive ones."""
    autonomous: Annotated[float, share(0, 1)] = 0
    """Of autonomous ones."""


class Shed(Section):
    """Between which pressures new sessions are refused at random, ever more of them: those of autonomous agents first,
    those of synchronous ones last, and in each class those of flat `value` first."""

    low: Annotated[float, share(0.05, 1)] = SHED_LOW
    """Below it none is."""
    high: Annotated[float, share(0.05, 1)] = SHED_HIGH
    """From it on all are; then sessions of flat value whose client is away are ended too, the coldest first, if it is
    memory, descriptors or journals that press."""


class Admission(Section):
    """How many sessions the edge takes, and which it refuses first."""

    sessions: Annotated[int, whole(1, 100_000_000)] | None = None
    """How many sessions and single requests there may be at once; null: as many as nodes and descriptors allow."""
    journals: Annotated[int, Size("1MiB", "1024GiB")] | None = None
    """How much all journals together may hold; while they hold it, nothing new is taken. null: no bound in all."""
    memory: Annotated[int, Size("64MiB", "1024GiB")] | None = None
    """How much memory the process may have, as a measure of pressure; null: what its cgroup or its machine has."""
    lag: Annotated[float, Duration("10ms", "10s")] = default("500ms")
    """How late the event loop may come on an average, as a measure of pressure."""
    waiting: Annotated[int, whole(0, 100_000)] = 512
    """How many sessions of each class may wait until there is room, each for at most its agent's `latency_ceiling`."""
    reserved: Reserved = Field(default_factory=Reserved)
    """The share of each class that no other class gets."""
    shed: Shed = Field(default_factory=Shed)
    """At which pressures new sessions are refused, though there is room."""


class Drain(Section):
    """How sessions leave."""

    pace: Annotated[int, whole(1, 1_000_000)] = 1000
    """How many a second: off a node that is drained, and from an edge that stops; an edge takes 15 s at most."""
