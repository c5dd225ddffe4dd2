"""Who may open a connection: how many are half open, and how many come from one place. Pure.

A first datagram costs its sender nothing, not even an address of its own; the handshake that it asks for costs
milliseconds. So beyond a few that are half open, a client has to show first that it is where it says (Retry); and who
is there may still not have all there is.
"""

from dataclasses import dataclass
from enum import Enum

from sbc.core.rates import source
from sbc.wire.http3.engine import Address


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many connections there may be."""

    unproven: int = 100
    """Half open, until every client has to show its address (0: always)."""
    unproven_of_source: int = 25
    """The same, of one source."""
    half_open: int = 1000
    half_open_of_source: int = 200
    of_source: int = 4096
    """All of one source: there may be a whole network behind one address."""
    connections: int = 50_000


class Verdict(Enum):
    TAKE = "take"
    RETRY = "retry"
    """It has to come back with a token."""
    FULL = "full"
    """There are too many."""


class Admittance:
    """The connections of one door, counted."""

    __slots__ = ("_half_open", "_sources", "_total", "bounds")

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._half_open = 0
        self._total = 0
        self._sources: dict[str, tuple[int, int]] = {}
        """Half open, and all; bounded by the number of connections."""

    @property
    def total(self) -> int:
        """How many connections there are."""
        return self._total

    def judge(self, source: str, *, proven: bool) -> Verdict:
        """What becomes of a client that wants a connection. proven: whether it is known to be where it says."""
        bounds = self.bounds
        half_open, total = self._sources.get(source, (0, 0))
        if self._total >= bounds.connections or total >= bounds.of_source:
            return Verdict.FULL
        if not proven and (self._half_open >= bounds.unproven or half_open >= bounds.unproven_of_source):
            return Verdict.RETRY
        if self._half_open >= bounds.half_open or half_open >= bounds.half_open_of_source:
            return Verdict.FULL
        return Verdict.TAKE

    def begun(self, source: str) -> None:
        """A connection is half open."""
        self._count(source, 1, 1)

    def shaken(self, source: str) -> None:
        """It is open."""
        self._count(source, -1, 0)

    def gone(self, source: str, *, shaken: bool) -> None:
        """It is over."""
        self._count(source, 0 if shaken else -1, -1)

    def _count(self, source: str, half_open: int, total: int) -> None:
        self._half_open += half_open
        self._total += total
        before = self._sources.get(source, (0, 0))
        after = before[0] + half_open, before[1] + total
        if after[1]:
            self._sources[source] = after
        else:
            self._sources.pop(source, None)


def source_of(address: Address) -> str:
    """Whom an address stands for."""
    return source(str(address[0]).partition("%")[0])
