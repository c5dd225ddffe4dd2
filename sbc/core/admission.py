"""Whether a new session is taken, has to wait until there is room, or is shed: one decision for every transport.

    shed by pressure? ──> refused: 503, and when to come back
    room on the edge, in its pool, for its class, on a node? nobody before it? ──> taken
    a place in the list? ──> waits, for at most its agent's latency ceiling; else refused

It is made before anything is sent to a node. Sessions that exist are never asked: whoever comes back is let in first,
and what an answer of a node begins is counted, not judged.
"""

from collections.abc import Callable, Mapping

from sbc.core.lists import MEMORY, Flow, Lists, away
from sbc.core.pressure import Pressure
from sbc.core.roster import Room, Roster
from sbc.core.shares import CLASSES, Shares
from sbc.model.capacity import Capacity
from sbc.model.errors import Refusal
from sbc.model.ids import AgentName, PoolName, SessionId
from sbc.model.manifest import Continuity, Manifest


class Admission:
    """Times are in seconds of any one clock; chance: draws a number from 0 to 1."""

    __slots__ = ("_calm", "_capacity", "_chance", "_classes", "_edge", "_lists", "_pools", "_refused", "_roster",
                 "_taken", "pressure", "returning")  # fmt: skip

    def __init__(self, roster: Roster, chance: Callable[[], float]) -> None:
        self._roster = roster
        self._chance = chance
        self._capacity = Capacity()
        self._classes: Mapping[PoolName, frozenset[Continuity]] = {}
        self._edge = Shares()
        self._pools: dict[PoolName, Shares] = {}
        self._lists = Lists()
        self._taken, self._refused = Flow(), Flow()
        self._calm = True
        """Whether nothing but shares and nodes has to be looked at."""
        self.pressure = Pressure(self._capacity.shed)
        self.returning = 0
        """How many clients that come back to their sessions wait: nobody new is taken before them."""

    # What there is.

    def change(self, capacity: Capacity, most: int, classes: Mapping[PoolName, frozenset[Continuity]],
               now: float) -> None:  # fmt: skip
        """A configuration is in force. most: how many sessions the edge can take; classes: those of the agents of each
        pool."""
        self._capacity, self._classes = capacity, classes
        self.pressure.marks = capacity.shed
        served = frozenset[Continuity]().union(*classes.values())
        self._edge.measure(most, self._reserved(served))
        self.measure(now)

    def measure(self, now: float) -> None:
        """Look at what the nodes have room for, and whether anything presses; to be called often."""
        self._taken.recent(now)
        self._refused.recent(now)
        for pool, classes in self._classes.items():
            self._pool(pool).measure(self._roster.capacity(pool), self._reserved(classes))
        pressure = self.pressure
        self._calm = pressure.level < pressure.marks.low and not self._roster.pressed(now)

    def _reserved(self, classes: frozenset[Continuity]) -> list[float]:
        """A share that nobody could ever use is not kept."""
        shares = [0.0] * CLASSES
        for continuity in classes:
            shares[continuity.rank] = self._capacity.reserved.get(continuity, 0.0)
        return shares

    def _pool(self, pool: PoolName) -> Shares:
        found = self._pools.get(pool)
        if found is None:
            found = self._pools[pool] = Shares()
            found.measure(self._roster.capacity(pool), self._reserved(self._classes.get(pool, frozenset())))
        return found

    # The decision.

    def judge(self, manifest: Manifest, now: float) -> bool:
        """Whether a new session is taken at once; else it has to wait. Raises Refusal 503."""
        if not self._calm:
            self._shed(manifest, now)
        if not self.returning and not self._lists.has(manifest.agent) and self._fits(manifest, now):
            return True
        rank = manifest.continuity.rank
        if self._lists.waiting[rank] >= self._capacity.waiting:
            raise self.refusal("no_room", "there is no room for the session, nor in the list of those that wait", now)
        return False

    def quick(self, manifest: Manifest) -> bool:
        """Whether the same is so plain that a request alone may just look for a node, and go to `judge` without one."""
        rank = manifest.continuity.rank
        return (
            self._calm and not self.returning and not self._lists
            and self._edge.fits(rank) and self._pool(manifest.pool).fits(rank)
        )  # fmt: skip

    def _shed(self, manifest: Manifest, now: float) -> None:
        chance = self.pressure.chance(manifest, self._roster.strain(manifest))
        if chance > 0.0 and self._chance() < chance:
            raise self.refusal("shed", "too much to do; sessions of this class are not begun now", now)

    def _fits(self, manifest: Manifest, now: float) -> bool:
        rank = manifest.continuity.rank
        if not self._edge.fits(rank) or self.pressure.by_source["journals"] >= 1.0:
            return False
        match self._roster.room(manifest, now):
            case Room.FREE:
                return self._pool(manifest.pool).fits(rank)
            case Room.FULL:
                return False
            case Room.NOBODY:  # nothing to wait for: whoever looks for a node will say so
                return True

    def refusal(self, code: str, detail: str, now: float) -> Refusal:
        """What is told to whoever is not taken; nothing was sent to a node."""
        self._refused.count()
        ahead = sum(self._lists.waiting) + self.returning + self._refused.recent(now)
        after = away(ahead, self._taken.recent(now) / MEMORY, self._chance())
        return Refusal(503, code, detail, retry_after=after)

    # What was decided.

    def take(self, manifest: Manifest) -> None:
        """A session is there, and counts."""
        rank = manifest.continuity.rank
        self._edge.take(rank)
        self._pool(manifest.pool).take(rank)
        self._taken.count()

    def give_back(self, manifest: Manifest) -> None:
        """A session that counted is over."""
        rank = manifest.continuity.rank
        self._edge.give_back(rank)
        self._pool(manifest.pool).give_back(rank)

    def wait(self, session: SessionId, manifest: Manifest, now: float) -> None:
        """It waits until `next` names it, `late` does, or it is forgotten."""
        self._lists.add(session, manifest, now)

    def forget(self, session: SessionId, agent: AgentName) -> bool:
        """It waits no more; whether it did."""
        return self._lists.take_out(session, agent) is not None

    def next(self, now: float) -> tuple[SessionId, float] | None:
        """Who is let in, and for how long it has waited; it counts from here on. None: nobody can be."""
        if not self._lists or self.returning:
            return None
        found = self._lists.choose(lambda manifest: self._fits(manifest, now), now)
        if found is None:
            return None
        self._lists.take_out(found.session, found.manifest.agent)
        self.take(found.manifest)
        return found.session, now - found.since

    def late(self, now: float) -> list[tuple[SessionId, Refusal]]:
        """Those that have waited for as long as they may, with what they are told; they stay until forgotten."""
        return [
            (found.session, self.refusal("no_room", "there was no room for the session in time", now))
            for found in self._lists.late(now)
        ] if self._lists else []  # fmt: skip

    @property
    def waiting(self) -> list[int]:
        """How many wait, by the rank of their class."""
        return self._lists.waiting

    @property
    def taken(self) -> int:
        """How many sessions count."""
        return self._edge.taken
