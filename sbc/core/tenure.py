"""Until when an edge may own sessions that other edges may claim: the arithmetic of leases, with clocks that drift.

An edge has a lease in the store, and renews it. The store counts from the arrival of a renewal, by its own clock; the
edge counts from before it asked, by its own, and takes both clocks to be wrong against it. So it lets go of its
sessions before the store says that others may have them, whatever was delayed or lost on the way:

    edge    asks ------------------------------> lets go
    store        grants -----------------------------------> others may claim
                                                 ^ margin

A store that is another one than before (restarted, or a replica that was promoted) may have forgotten renewals and
claims that it had acknowledged. A renewal it grants counts only once the edge has told it all of its sessions anew, and
nobody claims anything until every lease that was granted before it has ended (`Grounds`).
"""

from dataclasses import dataclass, field
from typing import Final

DRIFT: Final = 0.01
"""How far a clock's rate may be off: fifty times what a computer's clock is."""

EARLY: Final = 0.001
"""Event loops count timers in milliseconds: one that is set to the end of a tenure may ring so many seconds before."""


def borne(lease: float, drift: float = DRIFT) -> float:
    """How many seconds of its own an edge counts on, if the store grants it `lease` seconds of the store's."""
    return lease * (1 - drift) / (1 + drift)


def outlast(lease: float, drift: float = DRIFT) -> float:
    """After how many seconds by anybody's clock everybody else's lease of `lease` seconds is over."""
    return lease * (1 + drift) / (1 - drift)


@dataclass(slots=True)
class Tenure:
    """The right of one edge to own sessions, as the edge itself sees it. Times are of its own monotonic clock."""

    lease: float
    """What the store grants each time, in seconds."""
    until: float = float("-inf")
    """When it has to have let go of its sessions."""

    def granted(self, asked: float) -> None:
        """The store has granted a renewal that was sent not before `asked`."""
        self.until = max(self.until, asked + borne(self.lease))

    def holds(self, now: float) -> bool:
        """Whether sessions may be owned."""
        return now < self.until


@dataclass(slots=True)
class Grounds:
    """Whether a claim may be founded upon what a store says: not while it may have forgotten who owns what."""

    lease: float
    known: str | None = None
    """Which store it was when it was looked at last: another one after each restart and each failover."""
    since: float = float("inf")
    """Since when it is this one at least, by our monotonic clock."""

    def seen(self, store: str, age: float, now: float) -> bool:
        """The store was looked at. age: since when it has been this one, as far as anybody saw, in seconds.

        Whether it is another one than at the last look: then it has to be told of our sessions.
        """
        changed = store != self.known
        if changed:
            self.known, self.since = store, float("inf")
        self.since = min(self.since, now - age)
        return changed

    def emptied(self, now: float) -> None:
        """It is the same store, and has forgotten everything."""
        self.since = now

    def firm(self, now: float) -> bool:
        """Whether all leases that a store before this one has granted are over."""
        return self.settled(self.lease, now)

    def settled(self, lease: float, now: float) -> bool:
        """The same for leases of another length."""
        return now - self.since >= outlast(lease)


@dataclass(slots=True)
class Watch:
    """How one edge finds out that another one is dead before its lease is over.

    An edge keeps a connection to the store open from before its first lease to its end. When the system closes it for
    a process that died, the store knows at once. A connection may break by itself, too; then the edge is back with a
    beat in no time. So only an edge without the connection and without a beat at two looks, some time apart, is dead.
    """

    apart: float
    """Seconds between two looks: more than between two beats."""
    seen: dict[str, tuple[float, int]] = field(default_factory=dict)
    """Edges that were found without their connection: when first, and at which beat."""

    def dead(self, edge: str, connected: bool, beat: int, now: float) -> bool:
        """Whether what was just looked up proves it."""
        if connected:
            self.seen.pop(edge, None)
            return False
        first, before = self.seen.setdefault(edge, (now, beat))
        if before != beat:
            self.seen[edge] = (now, beat)
            return False
        return now - first >= self.apart

    def forget(self, edge: str) -> None:
        """It is known how this ended."""
        self.seen.pop(edge, None)
