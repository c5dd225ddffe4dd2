"""Claims to the sessions of other edges: only of those whose lease is over, who are dead, or who let go when called."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

from sbc.core.tenure import Watch
from sbc.model.errors import Conflict, StoreError
from sbc.model.ids import SessionId
from sbc.model.interfaces import Stored
from sbc.stores.operations import Claim, Look, Looked, Peek, Peeked, Question
from sbc.stores.redis_lease import Lease
from sbc.stores.redis_words import channel

LOOKS_APART: Final = 1.0
"""Seconds between the two looks that find an edge dead: two beats."""
PATIENCE: Final = 2.0
"""Seconds for which a claim waits for the edge that has the session."""
REST: Final = 0.05
"""Seconds between two looks."""
REMEMBERED: Final = 1000
"""Tenures that are known to be over; sessions that are known to be nobody's."""


class Asking(Protocol):
    """The store, as far as claims need it."""

    lease: Lease

    async def asked(self, question: Callable[[Callable[[Any], None]], Question]) -> Any:
        """The answer to a question. Raises StoreError."""

    def call(self, channel: str, text: str) -> None:
        """Say something to whoever listens there."""


class Claims:
    """Counts how claims ended: `granted`, `absent`, `refused`."""

    def __init__(self, name: str, store: Asking) -> None:
        self.outcomes = {"granted": 0, "absent": 0, "refused": 0}
        self._name = name
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._watch = Watch(LOOKS_APART)
        self._over: dict[str, None] = {}
        self._absent: dict[SessionId, str] = {}
        """Sessions that were not on record, and which store said so."""
        self._looks: dict[str, float] = {}
        """When tenures that are not over were looked at last."""

    async def claim(self, session: SessionId) -> Stored | None:
        """Take a session over; None: there is none. Raises StoreError."""
        try:
            stored = await self._claim(session)
        except StoreError:
            self.outcomes["refused"] += 1
            raise
        self.outcomes["absent" if stored is None else "granted"] += 1
        return stored

    def said_absent(self, session: SessionId) -> str:
        """The store that said so when the session was claimed; empty if it was not. To be begun it has to be that one:
        another one may have forgotten it, and its owner lives."""
        return self._absent.pop(session, "")

    async def _claim(self, session: SessionId) -> Stored | None:
        give_up, called, lease = self._loop.time() + PATIENCE, "", self._store.lease
        while True:
            peeked: Peeked = await self._store.asked(partial(Peek, session))
            edge, store = peeked.edge, peeked.store
            if not lease.holds():
                raise StoreError(f"{self._name}: this edge has no lease")
            if store != lease.grounds.known or not lease.grounds.firm(self._loop.time()):
                # What is on record may be old, and what is not may be somebody's.
                raise StoreError(f"{self._name}: it is not known yet who has session {session}")
            if edge is None:
                self._absent[session] = store
                while len(self._absent) > REMEMBERED:
                    del self._absent[next(iter(self._absent))]
                return None
            if edge in ("", lease.me) or await self.over(edge, store):
                try:
                    stored: Stored | None = await self._store.asked(partial(Claim, session, edge, store))
                    return stored
                except Conflict:
                    continue  # another one was quicker
            if self._loop.time() >= give_up:
                raise StoreError(f"{self._name}: edge {edge.rpartition('/')[0]} has session {session}")
            if called != edge:
                called = edge
                self._store.call(channel(edge), session)
            await asyncio.sleep(REST)

    async def over(self, tenure: str, store: str) -> bool:
        """Whether this store (empty: any) says that a tenure is over, by its lease or by the death of its edge.

        Raises StoreError, also if it is another store meanwhile: what that one does not know may be so all the same.
        """
        if tenure in self._over:
            return True
        # Many clients of one dead edge come at once: one look is enough for all of them.
        if self._loop.time() - self._looks.get(tenure, float("-inf")) < REST:
            return False
        self._looks[tenure] = self._loop.time()
        looked: Looked = await self._store.asked(partial(Look, tenure, store))
        over = looked.tenure != tenure or self._watch.dead(tenure, looked.connected, looked.beat, self._loop.time())
        if over:
            self._remember(tenure)
        return over

    def _remember(self, tenure: str) -> None:
        self._over[tenure] = None
        self._watch.forget(tenure)
        self._looks.pop(tenure, None)
        while len(self._over) > REMEMBERED:
            del self._over[next(iter(self._over))]
