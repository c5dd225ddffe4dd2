"""Edges for the tests of the Redis store: a store each, with a hall that notes what it is told."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from sbc.model.ids import SessionId
from sbc.model.interfaces import Journals, Stored
from sbc.runtime.tasks import Tasks
from sbc.stores.factory import BOUNDS
from sbc.stores.queue import Bounds
from sbc.stores.redis import RedisStore
from tests.stores.asking import creating
from tests.stores.redis_terms import terms

LEASE = 1.5
"""For tests in which it ends."""
LONG = 60.0
"""For all others: longer than anything is waited for, so what is found to be over is not so by this."""
PATIENCE = 1.0


class Edge:
    """Implements Keeper."""

    def __init__(self, name: str, url: str, tasks: Tasks, lease: float = LONG, bounds: Bounds = BOUNDS,
                 patience: float = PATIENCE) -> None:
        self.store = RedisStore(url, name, terms(url, patience), lease, bounds, tasks.spawn)
        self.store.watch(self)
        self.live: dict[SessionId, tuple[Stored, Journals]] = {}
        self.let_go: list[tuple[str, float]] = []
        """Sessions that are not owned any more, and when it was so."""
        self.events: list[str] = []
        self.yields = True
        self.gone: Callable[[SessionId], None] = lambda session: None

    async def begin(self, stored: Stored) -> Stored:
        assert await creating(self.store, stored) is None
        self.live[stored.binding.session] = stored, Journals((1, []), (1, []))
        return stored

    async def claim(self, session: str) -> Stored | None:
        claimed = await self.store.claim(SessionId(session))
        if claimed is None:
            return None
        self.live[SessionId(session)] = claimed
        return claimed[0]

    def die(self) -> None:
        """As a process does that is killed: its system closes its connections."""
        redis, line = self.store._redis, self.store.lease._line
        assert redis is not None
        self.store.lease._stopped = True
        for connection in (line, redis.link and redis.link._connection):  # type: ignore[attr-defined]
            if connection is not None and connection._writer is not None:
                connection._writer.transport.abort()
        redis.stop()

    # Keeper.

    def lost(self, session: SessionId) -> bool:
        if session not in self.live:
            return False
        self.store.restate(*self.live[session], lambda error: self.events.append("taken" if error else "restated"))
        return True

    def taken(self, session: SessionId) -> None:
        self._drop(session)

    def wanted(self, session: SessionId) -> None:
        if self.yields and session in self.live:
            self.store.release(session)
            self._drop(session)

    def fenced(self) -> None:
        for session in list(self.live):
            self._drop(session)

    def announce(self, event: str, fields: Mapping[str, Any]) -> None:
        self.events.append(event)

    def _drop(self, session: SessionId) -> None:
        if self.live.pop(session, None) is not None:
            self.let_go.append((session, asyncio.get_running_loop().time()))
            self.gone(session)
