"""The process that this one succeeds, as this one sees it. What the two say to each other stands in successor.py.

Until the predecessor is gone a session that is not here may be there: whoever comes for one is served once that was
asked, and the session handed over (Seeker, like sessions of other edges: runtime/afar.py). If it ends before it has
handed over all, the rest is as after a restart: what the store has of it sleeps here, and clients wait until that is
known.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from sbc.model.errors import Refusal, SbcError, StoreError
from sbc.model.ids import AgentName, NodeId, PrincipalId, SessionId
from sbc.model.interfaces import Spawn
from sbc.protocols.protocol import Key
from sbc.runtime.afar import Seeker
from sbc.runtime.dormant import Waiter
from sbc.runtime.fleet import Fleet
from sbc.runtime.hall import Hall
from sbc.runtime.succession.lent import LentTrunk
from sbc.runtime.succession.process import Legacy
from sbc.runtime.succession.words import journals_in, revocation_in, stored_in
from sbc.transports.quic.passing import WAY
from sbc.transports.quic.sorting import Sorting
from sbc.wire.channel import Channel, ChannelLost

READY: Final = 60.0
"""Seconds that the successors of other workers may take longer than this one to be ready."""
ANSWERING: Final = 40.0
"""Seconds within which the predecessor says whether it has a session, and hands it over."""
KNOWN: Final = 10.0
"""Seconds that a client waits until it is known what a predecessor had that is gone."""
AGAIN: Final = 0.1
"""Seconds after which the store is asked again."""
DIALLING: Final = 2.0
"""Seconds that nodes have to dial anew when the predecessor has hung up."""


class Predecessor:
    """Implements Hearer for its channel, and Seeker for whoever looks for a session."""

    def __init__(self, legacy: Legacy, hall: Hall, fleet: Fleet, sorting: Sorting, spawn: Spawn,
                 ended: Callable[[], None]) -> None:  # fmt: skip
        """ended: told when it is gone."""
        self._legacy = legacy
        self._hall = hall
        self._fleet = fleet
        self._spawn = spawn
        self._ended = ended
        self._sorting = sorting
        self._channel = Channel(self, spawn)
        self._trunks: dict[NodeId, LentTrunk] = {}
        self._empty = False
        """Whether it has said that nothing is left there."""
        self._known = asyncio.Event()
        """Set once all is here that it had, and it is gone."""
        self._next: Seeker | None = None
        """Where sessions are that are in neither process."""

    async def take_over(self) -> None:
        """It accepts nothing any more from when this returns; what it knew beside sessions is known here. Raises
        OSError, SbcError: it is gone, or does not want to be succeeded any more."""
        await self._channel.open(self._legacy.channel)
        known = await self._channel.ask("ready", READY)
        house = self._hall.house
        house.revocations.restore([revocation_in(one) for one in known["revocations"]])
        house.roster.drained.restore([revocation_in(one) for one in known.get("kept_out", ())])
        house.constable.learn(known.get("sources", ()))
        self._fleet.drain(NodeId(node) for node in known["drained"])
        self._next, self._hall.afar = self._hall.afar, self
        way = next((sock for name, sock in self._legacy.sockets if name == WAY), None)
        if way is not None:
            self._sorting.follow(way, [(name, bytes.fromhex(identity)) for name, identity in known["half_open"]])

    # Clients whose session is not here (Seeker).

    def seek(self, waiter: Waiter, sessions: Sequence[SessionId], absent: Callable[[], None]) -> None:
        self._spawn("inherit", self._seek(waiter, sessions, absent))

    async def _seek(self, waiter: Waiter, sessions: Sequence[SessionId], absent: Callable[[], None]) -> None:
        try:
            if not await self._went_on(waiter, sessions):
                if self._next is not None:
                    self._next.seek(waiter, sessions, absent)
                elif not waiter.gone:
                    absent()
        except Refusal as refused:
            waiter.refuse(refused)

    async def _went_on(self, waiter: Waiter, sessions: Sequence[SessionId]) -> bool:
        """Whether one of these is there, or was until just now, and the client back in it. Raises Refusal."""
        for session in sessions:
            await self._ask("wanted", session=session)
            # Whatever the answer: it may have come over for another request of the same client.
            if self._woke(session, waiter):
                return True
        return False

    def find(self, waiter: Waiter, agent: AgentName, principal: PrincipalId, keys: Sequence[Key],
             sessions: Sequence[SessionId], absent: Callable[[], None]) -> None:  # fmt: skip
        self._spawn("inherit", self._find(waiter, agent, principal, keys, sessions, absent))

    async def _find(self, waiter: Waiter, agent: AgentName, principal: PrincipalId, keys: Sequence[Key],
                    sessions: Sequence[SessionId], absent: Callable[[], None]) -> None:  # fmt: skip
        asked = {"agent": agent, "principal": principal, "keys": [[key.kind, key.value] for key in keys]}
        try:
            if await self._went_on(waiter, sessions):
                return
            found = await self._ask("find", **asked) or self._hall.known(agent, principal, keys)
            if found and self._woke(SessionId(found), waiter):
                return
            if self._next is not None:
                self._next.find(waiter, agent, principal, keys, sessions, absent)
            elif not waiter.gone:
                absent()
        except Refusal as refused:
            waiter.refuse(refused)

    def knows(self, agent: AgentName, principal: PrincipalId, keys: Sequence[Key],
              told: Callable[[bool], None]) -> None:  # fmt: skip
        self._spawn("inherit", self._knows(agent, principal, keys, told))

    async def _knows(self, agent: AgentName, principal: PrincipalId, keys: Sequence[Key],
                     told: Callable[[bool], None]) -> None:  # fmt: skip
        asked = {"agent": agent, "principal": principal, "keys": [[key.kind, key.value] for key in keys]}
        with suppress(Refusal):  # whoever asks does not wait so long
            told(bool(await self._ask("knows", **asked)) or self._hall.knows(agent, principal, keys))

    async def _ask(self, what: str, **given: Any) -> Any:
        """What it answers; None if it is gone, and all is here that it had. Raises Refusal: there is no answer now."""
        with suppress(ChannelLost):
            return await self._channel.ask(what, ANSWERING, **given)
        try:
            async with asyncio.timeout(KNOWN):
                await self._known.wait()
        except TimeoutError:
            raise Refusal(503, "store", "the session cannot be read now", retry_after=1) from None
        return None

    def _woke(self, session: SessionId, waiter: Waiter) -> bool:
        """Raises Refusal."""
        if waiter.gone:
            return True
        if session in self._hall.dormant:
            self._hall.dormant.wake(session, waiter)
            return True
        if session not in self._hall.sessions:
            return False
        waiter.join(session)
        return True

    # What it says (Hearer).

    async def asked(self, what: str, given: Mapping[str, Any]) -> Any:
        if what != "session":
            raise SbcError(f"{what}: nobody knows what that is")
        try:
            stored = stored_in(given["stored"])
            journals = None if given["journals"] is None else journals_in(given["journals"])
            lasts = float(given["lasts"])
        except (KeyError, TypeError, ValueError) as error:
            raise SbcError(f"a session that cannot be read: {error!r}") from None
        self._hall.dormant.inherit(stored, journals, lasts)
        return None

    def noted(self, what: str, given: Mapping[str, Any]) -> None:
        match what:
            case "trunk":
                self._lend(NodeId(given["node"]), given["register"])
            case "heard":
                trunk = self._trunks.get(NodeId(given["node"]))
                if trunk is not None:
                    self._fleet.heard(trunk, given["message"])
            case "hung_up":
                self._hung_up(NodeId(given["node"]))
            case "over":
                self._empty = True
            case "record":
                if self._hall.records is not None:
                    self._hall.records.write(given["fields"])

    def _lend(self, node: NodeId, register: Mapping[str, Any]) -> None:
        # Ours before it is the fleet's, which may have something to say to the node at once.
        trunk = self._trunks[node] = LentTrunk(node, self._say)
        try:
            self._fleet.registered(trunk, register)
        except Refusal:  # the configuration has changed: it is no node of ours
            del self._trunks[node]

    def _hung_up(self, node: NodeId) -> None:
        trunk = self._trunks.pop(node, None)
        if trunk is not None:
            # It serves as before, and dials anew: nobody is to be told meanwhile that it is not there.
            trunk.wait()
            self._fleet.rest(node)
            self._hall.house.loop.call_later(DIALLING, self._fleet.lost, trunk)

    def _say(self, node: NodeId, message: Mapping[str, Any]) -> None:
        """Over the trunk that it has to the predecessor, or by now to this process."""
        if node not in self._trunks:
            self._fleet.send(node, message)
            return
        try:
            self._channel.note("signal", node=node, message=message)
        except ChannelLost:
            return  # it dials anew in a moment

    def cut(self) -> None:
        for node in list(self._trunks):
            self._hung_up(node)
        self._sorting.alone()
        if self._hall.afar is self:
            self._spawn("recall", self._recall())

    async def _recall(self) -> None:
        """It is gone, or will be in a moment. What it had not handed over sleeps here, if it is on record."""
        hall = self._hall
        had = {*hall.sessions, *hall.dormant.sleepers}
        while not self._empty:
            try:
                entries = await hall.house.store.on_record()
            except StoreError:  # readiness tells of that
                await asyncio.sleep(AGAIN)
                continue
            had |= {*hall.sessions, *hall.dormant.sleepers}
            left = [entry for entry in entries if entry.binding.session not in had]
            hall.dormant.lay_down(left)
            hall.house.announce("predecessor_lost", {"sessions": len(left)})
            self._empty = True
        hall.afar = self._next
        self._known.set()
        self._ended()
