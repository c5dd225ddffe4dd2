"""Sessions that this edge does not have, and the store of all edges may know: claimed for the client that is back.

A request whose session another edge has, which lives and can be reached, is sent there instead: the session may have
other requests under way, and its client connections to several edges. A WebSocket that comes back has left the other
edge, and its session comes along.

Also what that store tells this edge of the sessions that it has (Keeper): forgotten, taken, wanted elsewhere, not ours
any more because our lease is over.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from sbc.core.dialog import ClientSide
from sbc.core.relay import Relay
from sbc.model.errors import Conflict, Refusal, StoreError
from sbc.model.events import BindLost
from sbc.model.ids import AgentName, PrincipalId, SessionId
from sbc.model.interfaces import Journals, SharedStore, Stored
from sbc.protocols.protocol import Key
from sbc.runtime.dormant import Dormant, Waiter
from sbc.runtime.house import House
from sbc.runtime.session import Session

TURN = 1.0
"""For how long at most a session that another edge wants is kept for the answers that are under way, in seconds: less
than the other one waits for it."""
REST = 0.02
"""How often it is looked at meanwhile, in seconds."""


class Host(Protocol):
    """The hall, as far as sessions of other edges need it."""

    house: House
    sessions: dict[SessionId, Session]
    dormant: Dormant

    def keys_of(self, session: Session) -> Sequence[Key]:
        """By what else than its id a session is known."""


class Seeker(Protocol):
    """Who looks for sessions that are not here."""

    def seek(self, waiter: Waiter, sessions: Sequence[SessionId], absent: Callable[[], None]) -> None:
        """Go on with the first of these sessions that there is; `absent` if there is none, which may raise Refusal."""

    def find(self, waiter: Waiter, agent: AgentName, principal: PrincipalId, keys: Sequence[Key],
             sessions: Sequence[SessionId], absent: Callable[[], None]) -> None:  # fmt: skip
        """The same where keys may lead to others than `sessions`, which come first."""

    def knows(self, agent: AgentName, principal: PrincipalId, keys: Sequence[Key],
              told: Callable[[bool], None]) -> None:  # fmt: skip
        """Say to another worker whether these keys lead to one that is ours all the same."""


class Afar:
    """Implements Keeper, and Seeker."""

    def __init__(self, host: Host, store: SharedStore) -> None:
        self._host = host
        self._store = store
        self._claiming: dict[SessionId, asyncio.Future[None]] = {}
        store.watch(self)

    # Clients whose session is not here.

    def seek(self, waiter: Waiter, sessions: Sequence[SessionId], absent: Callable[[], None]) -> None:
        self._host.house.spawn("claim", self._seek(waiter, sessions, absent))

    def find(self, waiter: Waiter, agent: AgentName, principal: PrincipalId, keys: Sequence[Key],
             sessions: Sequence[SessionId], absent: Callable[[], None]) -> None:  # fmt: skip
        self._host.house.spawn("claim", self._find(waiter, agent, principal, keys, sessions, absent))

    def knows(self, agent: AgentName, principal: PrincipalId, keys: Sequence[Key],
              told: Callable[[bool], None]) -> None:  # fmt: skip
        told(False)  # the store says it to whoever asks

    async def _find(self, waiter: Waiter, agent: AgentName, principal: PrincipalId, keys: Sequence[Key],
                    sessions: Sequence[SessionId], absent: Callable[[], None]) -> None:  # fmt: skip
        try:
            found = [await self._store.find(agent, principal, (key.kind, key.value)) for key in keys]
        except StoreError:
            waiter.refuse(_not_now())
            return
        await self._seek(waiter, [*sessions, *(session for session in found if session is not None)], absent)

    async def _seek(self, waiter: Waiter, sessions: Sequence[SessionId], absent: Callable[[], None], *,
                    follow: bool = True) -> None:  # fmt: skip
        try:
            for session in dict.fromkeys(sessions):
                if waiter.gone or (follow and await self._followed(waiter, session, absent)):
                    return
                try:
                    went_on = await self._went_on(waiter, session, living=not (follow and waiter.follows))
                except Conflict:  # it was begun at another edge since that was looked for
                    went_on = (await self._followed(waiter, session, absent)
                               or await self._went_on(waiter, session, living=True))
                if went_on:
                    return
            if not waiter.gone:
                absent()
        except StoreError:
            waiter.refuse(_not_now())
        except Refusal as refused:
            waiter.refuse(refused)

    async def _followed(self, waiter: Waiter, session: SessionId, absent: Callable[[], None]) -> bool:
        """Whether the client was sent to the edge that has the session. Raises StoreError, Refusal."""
        if not waiter.follows or session in self._host.sessions:
            return False
        holder = await self._store.holder(session)
        if holder is None or waiter.gone:
            return waiter.gone
        return waiter.follow(holder, partial(self._claim_after_all, waiter, session, absent))

    def _claim_after_all(self, waiter: Waiter, session: SessionId, absent: Callable[[], None]) -> None:
        """The edge that has the session cannot be reached from here."""
        self._host.house.spawn("claim", self._seek(waiter, [session], absent, follow=False))

    async def _went_on(self, waiter: Waiter, session: SessionId, *, living: bool) -> bool:
        """Whether the session is there, and the client back in it. Raises StoreError, Refusal; living: see claim."""
        while session in self._claiming:  # another request of the same client was first
            await asyncio.shield(self._claiming[session])
        if session in self._host.sessions:
            waiter.join(session)
            return True
        self._claiming[session] = self._host.house.loop.create_future()
        try:
            claimed = await self._store.claim(session, living=living)
        finally:
            self._claiming.pop(session).set_result(None)
        if claimed is None:
            return False
        if waiter.gone:
            self._store.release(session)
        else:
            self._host.dormant.take_in(*claimed, waiter)
        return True

    # What the store tells.

    def lost(self, session: SessionId) -> bool:
        asleep = self._host.dormant.sleepers.get(session)
        if asleep is not None and asleep.journals is not None:
            self._store.restate(asleep.entry, asleep.journals, lambda error: self._lost_asleep(session, error))
            return True
        found = self._host.sessions.get(session)
        if found is None or found.dialog.binding is None:
            return False
        self._host.house.office.bring()
        binding = found.dialog.binding
        told = as_it_is(found, self._host.keys_of(found))

        def done(error: Exception | None) -> None:
            if isinstance(error, Conflict):
                found.tell(BindLost())
            elif found.dialog.on_record is not None and found.dialog.binding is binding:
                found.dialog.on_record = None
        self._store.restate(told, _on_record(found), done)
        return True

    def _lost_asleep(self, session: SessionId, error: Exception | None) -> None:
        if isinstance(error, Conflict):
            self._host.dormant.forsake(session)

    def taken(self, session: SessionId) -> None:
        self._host.dormant.forsake(session)
        found = self._host.sessions.get(session)
        if found is not None:
            found.tell(BindLost())

    def wanted(self, session: SessionId) -> None:
        if self._host.dormant.forsake(session) is not None:
            self._store.release(session)
            return
        found = self._host.sessions.get(session)
        if found is not None:
            self._let_go(found, self._host.house.loop.time() + TURN)

    def _let_go(self, session: Session, latest: float) -> None:
        """Now, or once nobody waits for an answer of it."""
        house, dialog = self._host.house, session.dialog
        if self._host.sessions.get(dialog.session) is not session:
            return
        busy = dialog.client is ClientSide.JOINING or dialog.under_way
        # A WebSocket's client is there, not here: what is under way on its old connection reaches nobody.
        if dialog.patient and busy and house.loop.time() < latest:
            house.loop.call_later(REST, self._let_go, session, latest)
            return
        house.office.bring()  # what is released with it has to be whole
        self.taken(dialog.session)

    def fenced(self) -> None:
        for session in [*self._host.sessions, *self._host.dormant.sleepers]:
            self.taken(session)

    def announce(self, event: str, fields: Mapping[str, Any]) -> None:
        self._host.house.announce(event, fields)


def as_it_is(session: Session, keys: Sequence[Key]) -> Stored:
    """All that is on record of a live session, but for its messages; it has a binding. keys: by which it is known."""
    dialog = session.dialog
    assert dialog.binding is not None
    return replace(session.record, binding=dialog.binding, checkpoint=dialog.checkpoint, keys=tuple(keys))


def journals_of(session: Session) -> Journals:
    """The messages of a live session, and what its protocol remembers."""
    return Journals(_all(session.dialog.inbound), _all(session.dialog.outbound), session.memory())


def _all(relay: Relay) -> tuple[int, Sequence[bytes]]:
    journal = relay.journal
    # Of what was not kept it is known how much it was: it must not be said again.
    return (journal.first, journal.since(0)) if journal.last >= relay.count else (relay.count + 1, ())


def _on_record(session: Session) -> Journals:
    """The same as far as the store is to have it."""
    inbound, outbound = session.dialog.inbound.clerk, session.dialog.outbound.clerk
    nothing: tuple[int, Sequence[bytes]] = (1, ())
    return Journals(nothing if inbound is None else inbound.whole(), nothing if outbound is None else outbound.whole(),
                    session.memory())


def _not_now() -> Refusal:
    return Refusal(503, "store", "whether this session is to be gone on with here is not known now", retry_after=1)
