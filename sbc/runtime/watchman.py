"""Watches the latency ceilings of sessions, and sees to it that those of a slow node go elsewhere, a few at a time.

A look is a comparison of four numbers, and only so many are taken in one tick of the edge's pulse: with a crowd each
session is looked at less often, and the loop is never held up. Only agents with a ceiling are watched.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sbc.core.ceiling import Wait, Waited
from sbc.core.dialog import ClientSide, NodeSide
from sbc.core.roster import Roster
from sbc.model.events import MoveOrdered
from sbc.model.ids import NodeId, SessionId
from sbc.model.leg import Cause
from sbc.runtime.session import Session
from sbc.telemetry.metrics import Metrics

LOOKS = 500
"""Sessions that are looked at in one tick."""
ROUND = 0.1
"""Seconds from one look at a session to the next, at least."""
PACE = 1.0
MOVES = 8
"""So often, in seconds, so many sessions leave each slow node."""


class Watchman:
    """Watches all sessions of one edge."""

    def __init__(self, sessions: Callable[[], Iterable[Session]], late: Callable[[float], None], roster: Roster,
                 metrics: Metrics, announce: Callable[[str, Mapping[str, Any]], None]) -> None:  # fmt: skip
        """late: refuses requests that are past their ceiling, of agents that want that."""
        self._sessions = sessions
        self._late = late
        self._roster = roster
        self._metrics = metrics
        self._announce = announce
        self._waits: dict[SessionId, Wait] = {}
        self._round: list[Session] = []
        self._round_began = self._moved = 0.0
        self._stood_still = 0.0
        """For how many seconds the edge itself did: that is held against nobody."""

    def tick(self, now: float, late: float, *, wanted: bool) -> None:
        """Some 50 ms have passed. late: for how long the edge stood still beyond that, in seconds. wanted: whether any
        agent has a ceiling."""
        self._stood_still += late
        if not wanted and not self._waits:
            return
        clock = now - self._stood_still
        if not self._round and now - self._round_began >= ROUND:
            self._begin(now, clock)
        for _ in range(min(LOOKS, len(self._round))):
            self._look(self._round.pop(), clock)
        if now - self._moved >= PACE:
            self._moved = now
            self._judge(now)

    def _begin(self, now: float, clock: float) -> None:
        self._round_began = now
        self._late(clock)
        self._round = [session for session in self._sessions() if session.dialog.manifest.latency_ceiling is not None]
        before = self._waits
        self._waits = {
            session.dialog.session: before.get(session.dialog.session) or _wait(session, clock)
            for session in self._round
        }  # fmt: skip

    def _look(self, session: Session, clock: float) -> None:
        dialog, ceiling = session.dialog, session.dialog.manifest.latency_ceiling
        wait, received, said = self._waits[dialog.session], dialog.inbound.count, dialog.outbound.count
        owner = dialog.owner
        if dialog.node is not NodeSide.SERVING or dialog.move is not None or owner is None or ceiling is None:
            wait.pause(received, said, clock)
            return
        found = wait.look(received, said, ceiling, clock)
        if wait.length is not None:
            self._metrics.first_message.observe(wait.length)
        if found is Waited.NOTHING:
            return
        if found is Waited.BROKEN:
            self._metrics.ceilings[dialog.manifest.agent, dialog.manifest.continuity.value] += 1
        standing = self._roster.get(owner.node)
        if standing is not None:
            standing.punctuality.note(broken=found is Waited.BROKEN, now=clock)

    def _judge(self, now: float) -> None:
        clock = now - self._stood_still
        slow = set()
        for standing in self._roster:
            changed = standing.punctuality.judge(clock)
            if standing.punctuality.slow:
                slow.add(standing.node.id)
            if changed and standing.punctuality.slow:
                self._announce("node_slow", {"node": standing.node.id})
            elif changed:
                self._announce("node_prompt", {"node": standing.node.id})
        if slow:
            self._relieve(slow)

    def _relieve(self, slow: set[NodeId]) -> None:
        """Some of the sessions of slow nodes move, those first whose silence hurts soonest."""
        left = dict.fromkeys(slow, MOVES)
        watched = (session for session in self._sessions() if session.dialog.session in self._waits)
        for session in sorted(watched, key=lambda session: session.dialog.manifest.continuity.rank):
            dialog, owner = session.dialog, session.dialog.owner
            if owner is None or left.get(owner.node, 0) == 0 or not self._movable(session):
                continue
            better = self._roster.better_for(dialog.session, dialog.manifest, owner.node)
            if better is not None:
                left[owner.node] -= 1
                session.tell(MoveOrdered(better, Cause.CEILING, dialog.manifest.migration.deadline))

    def _movable(self, session: Session) -> bool:
        dialog = session.dialog
        return (dialog.node is NodeSide.SERVING and dialog.client is ClientSide.PRESENT and dialog.move is None
                and dialog.manifest.migration.allowed)  # fmt: skip


def _wait(session: Session, clock: float) -> Wait:
    received, said = session.dialog.inbound.count, session.dialog.outbound.count
    return Wait(received if said else 0, said, clock)  # what a new session has asked already is waited for
