"""Drains: moves the sessions of a node elsewhere, some at a time, those first whose silence hurts soonest.

A session that cannot move now stays where it is. It is asked again once somebody can take it, until the node is let go.
"""

import asyncio
from collections.abc import Callable, Iterable

from sbc.core.dialog import Dialog, NodeSide
from sbc.core.rates import Bucket
from sbc.core.roster import Roster
from sbc.model.events import MoveOrdered, NodeSilent
from sbc.model.ids import NodeId, SessionId
from sbc.model.interfaces import Spawn
from sbc.model.leg import Cause
from sbc.runtime.session import Session

AT_ONCE = 64
"""Planned moves under way off one node."""
LOOK = 0.05
AGAIN = 1.0
"""How soon a session that could not move is asked again, in seconds."""


class Movers:
    """One task for each node that is drained."""

    def __init__(
        self, roster: Roster, spawn: Spawn, sessions_on: Callable[[NodeId], Iterable[Session]],
        now: Callable[[], float], emptied: Callable[[NodeId], None], pace: Callable[[], float],
    ) -> None:  # fmt: skip
        """pace: how many sessions a second are moved off a node."""
        self._roster = roster
        self._spawn = spawn
        self._sessions_on = sessions_on
        self._now = now
        self._emptied = emptied
        self._pace = pace
        self._draining: set[NodeId] = set()

    def drain(self, node: NodeId, deadline: float | None) -> None:
        """Begin to move everything off a node. deadline: how long a turn is waited for at most, in seconds."""
        if node not in self._draining:
            self._draining.add(node)
            self._spawn(f"drain {node}", self._empty(node, deadline))

    async def _empty(self, node: NodeId, deadline: float | None) -> None:
        asked: dict[SessionId, float] = {}
        bucket = Bucket()
        try:
            while self._wanted(node):
                here = list(self._sessions_on(node))
                if not here:
                    self._emptied(node)
                    return
                self._order(node, here, asked, deadline, bucket)
                await asyncio.sleep(LOOK)
        finally:
            self._draining.discard(node)

    def _wanted(self, node: NodeId) -> bool:
        standing = self._roster.get(node)
        return standing is not None and standing.health.draining

    def _order(
        self, node: NodeId, here: Iterable[Session], asked: dict[SessionId, float], deadline: float | None,
        bucket: Bucket,
    ) -> None:  # fmt: skip
        now, moving, pace = self._now(), 0, self._pace()
        for session in here:
            dialog = session.dialog
            if dialog.owner is None or dialog.owner.node != node:
                session.tell(NodeSilent(node))  # it only stands by here: another standby will do
            elif dialog.move is not None:
                moving += 1
            elif moving < AT_ONCE and self._due(dialog, node, asked, now) and not bucket.wait(1, pace, LOOK, now):
                bucket.spend(1, pace, now)
                asked[dialog.session] = now
                moving += 1
                own = dialog.manifest.migration.deadline
                session.tell(MoveOrdered(None, Cause.MIGRATION, own if deadline is None else min(own, deadline)))

    def _due(self, dialog: Dialog, node: NodeId, asked: dict[SessionId, float], now: float) -> bool:
        """Whether a session is to be asked now."""
        before = asked.get(dialog.session)
        if dialog.node is not NodeSide.SERVING or (before is not None and now - before < AGAIN):
            return False
        if before is None or dialog.standby is not None:
            return True
        # Each try is told to operators: thousands of them a second, and for nothing, while nobody else is there.
        asked[dialog.session] = now
        return self._roster.replica_for(dialog.session, dialog.manifest, node) is not None
