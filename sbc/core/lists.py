"""Sessions that wait to be taken: a list for each agent, the lists in the order of their classes, and nobody starves.

Of those that could be let in the one of the highest class goes first, among equals the one that came first. But once
another has waited for half the time that it may wait at all, every fourth place is for such a one: a stream of
synchronous sessions delays autonomous ones, and does not shut them out.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sbc.core.shares import CLASSES
from sbc.model.ids import AgentName, SessionId
from sbc.model.manifest import Continuity, Manifest

PATIENCE = {Continuity.SYNCHRONOUS: 0.5, Continuity.INTERACTIVE: 2.0, Continuity.AUTONOMOUS: 10.0}
"""How long a session waits whose agent says no latency ceiling, in seconds."""
AGED_TURN = 4
"""Each so-manieth place is for one that has aged, if there is one."""
MEMORY = 10.0
"""Over how many seconds comings and goings are averaged."""
SLOWEST = 0.2
"""So many a second are let in, as far as anybody is told, even if nobody was for long."""
LONGEST_AWAY = 60.0
"""Nobody is told to come back later than that, in seconds."""


@dataclass(slots=True)
class Candidate:
    """A session that waits. Times are in seconds of any one clock."""

    session: SessionId
    manifest: Manifest
    since: float
    until: float

    def aged(self, now: float) -> bool:
        return now - self.since >= (self.until - self.since) / 2


class Lists:
    """All who wait. At most `most` of each class do; the caller asks for `full` first."""

    __slots__ = ("_agents", "_lower", "waiting")

    def __init__(self) -> None:
        self._agents: dict[AgentName, dict[SessionId, Candidate]] = {}
        """In each the one that came first stands first."""
        self._lower = 0
        """How often in a row one was let in before others that have aged."""
        self.waiting = [0] * CLASSES
        """How many wait, by the rank of their class."""

    def __bool__(self) -> bool:
        return bool(self._agents)

    def has(self, agent: AgentName) -> bool:
        """Whether anybody waits for this agent."""
        return agent in self._agents

    def add(self, session: SessionId, manifest: Manifest, now: float) -> None:
        """It waits from now on, for at most its agent's latency ceiling."""
        longest = manifest.latency_ceiling or PATIENCE[manifest.continuity]
        here = self._agents.setdefault(manifest.agent, {})
        here[session] = Candidate(session, manifest, now, now + longest)
        self.waiting[manifest.continuity.rank] += 1

    def take_out(self, session: SessionId, agent: AgentName) -> Candidate | None:
        """It waits no more; None: it did not."""
        here = self._agents.get(agent)
        found = here.pop(session, None) if here is not None else None
        if found is not None:
            self.waiting[found.manifest.continuity.rank] -= 1
            if not here:
                del self._agents[agent]
        return found

    def _first(self) -> Iterator[Candidate]:
        """The first of each list."""
        for here in self._agents.values():
            yield next(iter(here.values()))

    def late(self, now: float) -> list[Candidate]:
        """Those that have waited for as long as they may."""
        return [found for here in self._agents.values() for found in here.values() if now >= found.until]

    def choose(self, fits: Callable[[Manifest], bool], now: float) -> Candidate | None:
        """Who is to be let in next, of those for which there is room; it stays in its list."""
        able = [found for found in self._first() if fits(found.manifest)]
        if not able:
            return None
        best = min(able, key=lambda found: (found.manifest.continuity.rank, found.since))
        aged = [found for found in able
                if found.manifest.continuity.rank > best.manifest.continuity.rank and found.aged(now)]
        if not aged:
            return best
        self._lower += 1
        if self._lower < AGED_TURN:
            return best
        self._lower = 0
        return min(aged, key=lambda found: found.since)


class Flow:
    """How many come by, on an average of the last seconds."""

    __slots__ = ("_at", "_fresh", "_level")

    def __init__(self) -> None:
        self._level = 0.0
        self._at = 0.0
        self._fresh = 0

    def count(self) -> None:
        """One came by."""
        self._fresh += 1

    def recent(self, now: float) -> float:
        """How many that were, those of longer ago for less. To be asked often: what came since the last time counts as
        of now."""
        self._level = self._level * math.exp(min(0.0, self._at - now) / MEMORY) + self._fresh
        self._at, self._fresh = now, 0
        return self._level


def away(ahead: float, let_in: float, chance: float) -> float:
    """When to come back, in seconds: by then those ahead will have been let in, and not all come back at once.

    ahead: how many wait or were refused lately; let_in: how many a second were taken lately; chance: 0 to 1, drawn."""
    return 1.0 + chance * min(LONGEST_AWAY - 1.0, ahead / max(let_in, SLOWEST))
