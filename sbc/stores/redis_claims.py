"""Claims to the sessions of other edges: only of those whose lease is over, who are dead, or who let go when called."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

from sbc.core.tenure import Watch
from sbc.model.errors import Conflict, StoreError
from sbc.model.ids import SessionId
from sbc.model.interfaces import Journals, Spawn, Stored
from sbc.stores.operations import Question
from sbc.stores.redis_lease import BEAT, Lease
from sbc.stores.redis_words import channel
from sbc.stores.shared import Claim, Look, Looked, Peek, Peeked

LOOKS_APART: Final = 2 * BEAT
"""Seconds between the two looks that find an edge dead."""
PATIENCE: Final = 2.0
"""Seconds for which a claim waits for the edge that has the session."""
REST: Final = 0.05
"""Seconds between two looks at an edge, and before a session is looked at again for the first time."""
LONGER: Final = 3
"""So many times as long before it is looked at the next time: an edge that lets go does so at once."""
REMEMBERED: Final = 1000
"""Tenures that are known to be over; sessions that are known to be nobody's."""


Claimed = tuple[Stored, Journals]


class Asking(Protocol):
    """The store, as far as claims need it."""

    lease: Lease

    async def asked(self, question: Callable[[Callable[[Any], None]], Question]) -> Any:
        """The answer to a question. Raises StoreError."""

    def call(self, channel: str, text: str) -> None:
        """Say something to whoever listens there."""


class Claims:
    """Counts how claims ended: `granted`, `absent`, `refused`."""

    def __init__(self, name: str, store: Asking, spawn: Spawn) -> None:
        self.outcomes = {"granted": 0, "absent": 0, "refused": 0}
        self._name = name
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._watch = Watch(LOOKS_APART)
        self._over: dict[str, None] = {}
        self._absent: dict[SessionId, str] = {}
        """Sessions that were not on record, and which store said so."""
        self._spawn = spawn
        self._watched: dict[str, asyncio.Future[None]] = {}
        """Tenures whose end claims wait for: done when it is over, or nobody knows."""

    async def claim(self, session: SessionId, *, living: bool) -> Claimed | None:
        """See SharedStore."""
        try:
            claimed = await self._claim(session, living)
        except Conflict:
            raise
        except StoreError:
            self.outcomes["refused"] += 1
            raise
        self.outcomes["absent" if claimed is None else "granted"] += 1
        return claimed

    async def holder(self, session: SessionId) -> str | None:
        """The name of the other edge that has a session, as far as that is known to live. Raises StoreError."""
        peeked: Peeked = await self._store.asked(partial(Peek, session))
        edge = peeked.edge
        if not edge or edge == self._store.lease.me or edge in self._over:
            return None
        return edge.rpartition("/")[0] if await self._lives(edge, peeked.store) else None

    async def _lives(self, tenure: str, store: str) -> bool:
        """Whether it does for sure; whether it is dead is for a claim to find out."""
        looked: Looked = await self._store.asked(partial(Look, tenure, store))
        return looked.tenure == tenure and looked.connected

    def said_absent(self, session: SessionId) -> str:
        """The store that said so when the session was claimed; empty if it was not. To be begun it has to be that one:
        another one may have forgotten it, and its owner lives."""
        return self._absent.pop(session, "")

    async def _claim(self, session: SessionId, living: bool) -> Claimed | None:
        give_up, called, rest, lease = self._loop.time() + PATIENCE, "", REST, self._store.lease
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
            free = edge in ("", lease.me) or edge in self._over
            if not free:
                if not living and await self._lives(edge, store):
                    raise Conflict(f"{self._name}: edge {edge.rpartition('/')[0]} has session {session}, and lives")
                if self._loop.time() >= give_up:
                    raise StoreError(f"{self._name}: edge {edge.rpartition('/')[0]} has session {session}")
                if called != edge:
                    called = edge
                    self._store.call(channel(edge), session)
                free, rest = await self._ends(edge, store, rest), rest * LONGER
            if free:
                try:
                    claimed: Claimed | None = await self._store.asked(partial(Claim, session, edge, store))
                    return claimed
                except Conflict:
                    pass  # another one was quicker

    async def _ends(self, tenure: str, store: str, within: float) -> bool:
        """Whether a tenure is found to be over within so many seconds. Many clients of one dead edge come at once: it
        is looked at for all of them."""
        if tenure not in self._watched:
            self._watched[tenure] = self._loop.create_future()
            self._spawn("watch", self._look_at(tenure, store, self._watched[tenure]))
        await asyncio.wait([self._watched[tenure]], timeout=within)
        return tenure in self._over

    async def _look_at(self, tenure: str, store: str, watched: "asyncio.Future[None]") -> None:
        """Look at a tenure for as long as a claim waits for it."""
        give_up = self._loop.time() + PATIENCE
        try:
            while not await self.over(tenure, store) and self._loop.time() < give_up:  # noqa: ASYNC110
                await asyncio.sleep(REST)  # only the server knows
        except StoreError:
            pass  # who waits finds out by himself
        finally:
            del self._watched[tenure]
            watched.set_result(None)

    async def over(self, tenure: str, store: str) -> bool:
        """Whether this store (empty: any) says that a tenure is over, by its lease or by the death of its edge.

        Raises StoreError, also if it is another store meanwhile: what that one does not know may be so all the same.
        """
        if tenure in self._over:
            return True
        looked: Looked = await self._store.asked(partial(Look, tenure, store))
        over = looked.tenure != tenure or self._watch.dead(tenure, looked.connected, looked.beat, self._loop.time())
        if over:
            self._remember(tenure)
        return over

    def _remember(self, tenure: str) -> None:
        self._over[tenure] = None
        self._watch.forget(tenure)
        while len(self._over) > REMEMBERED:
            del self._over[next(iter(self._over))]
