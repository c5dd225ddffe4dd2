"""The store in Redis or Valkey, which edges share: bindings, checkpoints, journals, and who may own what until when.

    queued.py         what is asked becomes operations: queue.py collects them, and hands them over in batches
    redis_writer.py   carries a batch out as one pipeline          redis_link.py  redis_dial.py  the connections
    redis_words.py    operations as commands, answers as results   redis.lua      what must be one step at the server
    redis_lease.py    this edge's lease                            redis_claims.py  the sessions of others
    redis_ours.py     this edge's sessions                         redis_fellows.py  the other edges

A session on record belongs to a *tenure* of an edge: from when it was given a lease to when that was over. The server
refuses whatever another one asks about it. An edge whose lease is over lets go of all its sessions, and begins a tenure
anew when it can; while it cannot reach the server it goes on with what it has until then (core/tenure.py).
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Final

from sbc.model.binding import Binding
from sbc.model.errors import Conflict, StoreError
from sbc.model.identity import Revocation
from sbc.model.ids import AgentName, PrincipalId, SessionId
from sbc.model.interfaces import Journals, Keeper, Spawn, Stored, StoreFigures
from sbc.stores.operations import Create, Note, Operation, Question, Remove, Told
from sbc.stores.queue import Bounds
from sbc.stores.redis_addresses import Addresses
from sbc.stores.redis_claims import Claims
from sbc.stores.redis_dial import Terms
from sbc.stores.redis_fellows import FellowStore
from sbc.stores.redis_lease import REST, Lease
from sbc.stores.redis_link import Link
from sbc.stores.redis_ours import Ours
from sbc.stores.redis_words import KEPT, Lost, Taken
from sbc.stores.redis_writer import RedisWriter
from sbc.stores.shared import Call, Find, Peek, Release, Restate, Touch, Vacate

AT_A_TIME: Final = 256
"""Sessions that are stated anew at a time."""


class RedisStore(FellowStore):
    """See SharedStore."""

    def __init__(self, name: str, edge: str, terms: Terms, lease: float, bounds: Bounds, spawn: Spawn,
                 beside: str = "") -> None:  # fmt: skip
        """name: what errors call it. edge: this edge's name, which no other has. lease: in seconds. beside: the tenure
        of a predecessor, which is ours too; empty: there is none."""
        super().__init__(name, bounds)
        self._edge = edge
        self._terms = terms
        self._seconds = lease
        self._beside = beside
        self._spawn = spawn
        self._keeper: Keeper | None = None
        self._introduction: Mapping[str, str] = {}
        self._ordered: Callable[[], None] | None = None
        self._redis: RedisWriter | None = None
        self._ours = Ours()
        self.lease: Lease
        self.claims: Claims

    # Beginning and end.

    def watch(self, keeper: Keeper) -> None:
        """See SharedStore."""
        self._keeper = keeper

    async def open(self) -> Sequence[Stored]:
        """See Store. Nothing is given back: a session is claimed when its client comes.

        Raises StoreError: not to be reached, or an edge of the same name is alive.
        """
        self.lease = Lease(self._name, self._edge, self._beside, self._seconds, self._spawn, self)
        self.lease.keeper, self.lease.introduction = self._keeper, self._introduction
        self.lease.doubted = self._ours.is_to_state
        if self._ordered is not None:
            self.lease.ordered = self._ordered
        self.claims = Claims(self._name, self, self._spawn)
        self._addresses = Addresses(self._name, self)
        await super().open()
        try:
            await self.asked(partial(Peek, SessionId("-")))
            await self.lease.begin(self._terms.patience)
        except StoreError:
            await self.close()
            raise
        return ()

    def _writer_for(self, opened: Told[Sequence[Stored]]) -> RedisWriter:
        self._redis = RedisWriter(self._name, self._terms, self._seconds, self._spawn, lambda: self.lease.me,
                                  self._written, self._gone, self._noticed, self.emptied)
        opened(())
        return self._redis

    async def close(self) -> None:
        """See Store. The lease is given up: others need not wait for its end."""
        give_up = self._loop.time() + 2 * self._terms.patience
        while not self._ours.whole and super().healthy() and self._loop.time() < give_up:
            self._state_some()
            await asyncio.sleep(REST)
        await super().close()
        await self.lease.end()

    def healthy(self) -> bool:
        """See Store."""
        return self._ours.whole and super().healthy() and self.lease.holds()

    # What the lease needs (Ground).

    @property
    def link(self) -> Link | None:
        return self._redis.link if self._redis is not None else None

    @property
    def home(self) -> str:
        return self._redis.identity.home if self._redis is not None else ""

    async def over(self, tenure: str, store: str) -> bool:
        return await self.claims.over(tenure, store)

    def emptied(self) -> None:
        self._ours.doubt_all()
        self._loop.call_soon(self._state_some)

    def beating(self) -> bool:
        self._state_some()
        for session in self._ours.to_touch(self._loop.time(), KEPT / 3):
            self._note(Touch(session), 0)
        return self._ours.whole

    def _state_some(self) -> None:
        """State those sessions anew that the store was not told all of, or may have forgotten: not all at once."""
        ours = self._ours
        # Each of them once: one that cannot be said now is among them again at once.
        for session in list(islice(ours.patchy, max(0, AT_A_TIME - len(ours.restating)))):
            if self._keeper is None or self._closed is not None or not super().healthy():
                return
            ours.patchy.discard(session)
            self._keeper.lost(session)

    # Sessions.

    def first_epoch(self) -> int:
        """See SharedStore. By the clock: what was lost is older than what is made in its place."""
        return int(max(time.time(), self._loop.time() + self.lease.ahead) * 1000)

    def create(self, stored: Stored, done: Callable[[Exception | None], None]) -> None:
        """See Store."""
        session = stored.binding.session
        if self._writer is not None and not self.lease.holds():
            done(StoreError(f"{self._name}: this edge has no lease"))
            return

        def told(error: Exception | None) -> None:
            if error is None:
                self._ours.has(session, self._loop.time())
            done(error)
        self._ask(Create(stored, told, self.claims.said_absent(session)))

    def rebind(self, binding: Binding, expected: int, done: Callable[[Exception | None], None]) -> None:
        """See Store. That the store has forgotten a session of ours, or has old words of it, is no conflict."""
        def told(error: Exception | None) -> None:
            self._ours.heard_of(binding.session, error)
            if (isinstance(error, Conflict) and self._ours.is_to_state(binding.session)) or (
                    isinstance(error, Lost) and self._keeper is not None and self._keeper.lost(binding.session)):
                error = StoreError(f"{self._name}: {error}")
            done(error)
        super().rebind(binding, expected, told)

    def restate(self, stored: Stored, journals: Journals, done: Callable[[Exception | None], None]) -> None:
        """See SharedStore. It is said until it is heard."""
        session = stored.binding.session

        def told(error: Exception | None) -> None:
            self._ours.stated(session, error, self._loop.time())
            # Of any other error the next beat sees to it: the store may be full, or ending.
            if error is None or isinstance(error, Conflict):
                self._state_some()
        self._ours.restating[session] = done
        self._ask(Restate(stored, journals, told))

    def journal(self, session: SessionId, from_client: bool, first: int, messages: Sequence[bytes],
                done: Callable[[Exception | None], None] | None = None) -> None:  # fmt: skip
        """See Store. What the store has forgotten the session of is on record once all of it is stated anew."""
        def told(error: Exception | None) -> None:
            assert done is not None
            if isinstance(error, Lost | Taken) and self._ours.is_to_state(session):
                self._ours.wait(session, done)
            else:
                done(error)
        super().journal(session, from_client, first, messages, None if done is None else told)

    def release(self, session: SessionId) -> None:
        """See SharedStore."""
        self._ours.let_go(session)
        self._leave(Release(session))

    def remove(self, session: SessionId) -> None:
        """See Store."""
        self._ours.let_go(session)
        super().remove(session)

    def listen(self, ordered: Callable[[], None]) -> None:
        """See SharedStore; before `open`."""
        self._ordered = ordered

    async def words(self) -> Sequence[Revocation]:
        """See SharedStore."""
        return await super().revocations()

    async def revocations(self) -> Sequence[Revocation]:
        """See Store."""
        return [word for word in await self.words() if word.until]

    def introduce(self, words: Mapping[str, str]) -> None:
        """See SharedStore."""
        self._introduction = dict(words)
        if self._redis is not None:
            self.lease.introduction = self._introduction

    @property
    def passed_on(self) -> str:
        """See Store. The tenure: to all others the two processes are one edge."""
        return self.lease.me if self._redis is not None else ""

    def adopt(self, stored: Stored) -> None:
        """See Store."""
        self._ours.adopt(stored.binding.session, self._loop.time())

    def forsake(self, session: SessionId) -> None:
        """See Store."""
        self._ours.let_go(session)

    async def on_record(self) -> Sequence[Stored]:
        """See Store."""
        return ()

    def succeeded(self) -> None:
        """See Store."""
        if self._redis is not None:
            self._redis.succeeded = True

    async def find(self, agent: AgentName, principal: PrincipalId, key: tuple[str, str]) -> SessionId | None:
        """See SharedStore."""
        found: SessionId | None = await self.asked(partial(Find, agent, principal, key))
        return found

    async def holder(self, session: SessionId) -> str | None:
        """See SharedStore."""
        return await self.claims.holder(session)

    async def claim(self, session: SessionId, *, living: bool = True) -> tuple[Stored, Journals] | None:
        """See SharedStore."""
        if (claimed := await self.claims.claim(session, living=living)) is not None:
            self._ours.has(session, self._loop.time())
        return claimed

    def figures(self) -> StoreFigures:
        """See SharedStore."""
        left = max(self.lease.tenure.until - self._loop.time(), 0.0)
        return StoreFigures(left, self.dropped, self.lease.fenced, dict(self.claims.outcomes))

    async def hold(self, address: str, number: int, lease: float) -> int:
        """See SharedStore."""
        return await self._addresses.hold(address, number, lease)

    def vacate(self, address: str, number: int) -> None:
        """See SharedStore."""
        self._ask(Vacate(address, number, lambda _: None))

    def call(self, channel: str, text: str) -> None:
        """Say something to whoever listens there."""
        self._note(Call(channel, text), 0)

    # What the answers show.

    def _noticed(self, session: SessionId, found: Lost | Taken) -> None:
        if self._keeper is None or self._ours.is_to_state(session):
            return
        if isinstance(found, Taken):
            self._keeper.taken(session)
        else:
            self._keeper.lost(session)

    def _drop(self, note: Note) -> None:
        super()._drop(note)
        if not isinstance(note, Call):
            self._ours.patchy.add(note.session)

    def _doubtful(self, question: Question) -> Sequence[Operation]:
        # It may be on record all the same, for a session that there is not: nobody could begin it again.
        return [Remove(question.stored.binding.session)] if isinstance(question, Create) else ()
