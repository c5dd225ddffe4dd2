"""A client that is at the successor while its session is on the way there finds it, in the one place where it is."""

import socket
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

from sbc.model.binding import Binding
from sbc.model.ids import AgentName, NodeId, PrincipalId, SessionId
from sbc.model.interfaces import Stored
from sbc.protocols.protocol import Key
from sbc.runtime.dormant import Waiter
from sbc.runtime.fleet import Fleet
from sbc.runtime.hall import Hall
from sbc.runtime.succession.lent import LentTrunk
from sbc.runtime.succession.predecessor import Predecessor
from sbc.runtime.succession.process import Legacy
from sbc.runtime.succession.words import stored_out
from sbc.runtime.tasks import Tasks
from sbc.transports.quic.sorting import Sorting
from sbc.wire.channel import Channel
from tests.support.wait import wait_until

SESSION = SessionId("s")
STORED = Stored(Binding(SESSION, NodeId("a"), None, 5), AgentName("tutor"), "default", PrincipalId("ann"), 1.0, None)
KEY = Key("task", "t")


class Before:
    """A process that hands its session over of its own accord, just before it is asked for it."""

    def __init__(self) -> None:
        self.channel: Channel
        self.told: list[tuple[str, Mapping[str, Any]]] = []

    async def asked(self, what: str, given: Mapping[str, Any]) -> Any:
        if what == "ready":
            return {"revocations": [], "drained": [], "half_open": []}
        await self.channel.ask("session", stored=stored_out(STORED), journals=None, lasts=9.0)
        return None if what == "find" else False

    def noted(self, what: str, given: Mapping[str, Any]) -> None:
        self.told.append((what, given))

    def cut(self) -> None:
        pass


class Sleepers(dict[SessionId, Stored]):
    """Those that the successor was given, and who woke them."""

    def __init__(self) -> None:
        super().__init__()
        self.woken: list[SessionId] = []

    def inherit(self, stored: Stored, _journals: object, _lasts: float) -> None:
        self[stored.binding.session] = stored

    def wake(self, session: SessionId, _waiter: Waiter) -> None:
        del self[session]
        self.woken.append(session)


class Elsewhere:
    """Where a session is looked for that is in neither process: in the store, which would give it once more."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    def seek(self, *asked: object) -> None:
        self.asked.append(asked)

    find = seek


async def test_a_session_that_was_handed_over_while_it_was_asked_for_is_gone_on_with_and_not_claimed() -> None:
    nothing, sleepers, elsewhere = SimpleNamespace(restore=list, learn=list), Sleepers(), Elsewhere()
    house = SimpleNamespace(revocations=nothing, roster=SimpleNamespace(drained=nothing), constable=nothing)

    def known(_agent: AgentName, _principal: PrincipalId, _keys: list[Key]) -> SessionId | None:
        return SESSION if SESSION in sleepers else None
    hall = SimpleNamespace(house=house, dormant=sleepers, sessions={}, afar=elsewhere, known=known)
    ours, theirs = socket.socketpair()
    async with Tasks() as tasks:
        before = Before()
        before.channel = Channel(before, tasks.spawn)
        await before.channel.open(theirs)
        predecessor = Predecessor(cast(Legacy, SimpleNamespace(channel=ours, sockets=[])), cast(Hall, hall),
                                  cast(Fleet, SimpleNamespace(drain=list)), cast(Sorting, None), tasks.spawn, list)
        await predecessor.take_over()
        waiter = cast(Waiter, SimpleNamespace(gone=False))
        predecessor.seek(waiter, [SESSION], list)
        await wait_until(lambda: sleepers.woken or elsewhere.asked, "somebody looked for the session")
        predecessor.find(waiter, AgentName("tutor"), PrincipalId("ann"), [KEY], [], list)
        await wait_until(lambda: len(sleepers.woken) > 1 or elsewhere.asked, "somebody looked for its key")
        assert sleepers.woken == [SESSION, SESSION] and not elsewhere.asked and not sleepers
        before.channel.close()


class Talkative:
    """A fleet that has something to say to whoever registers."""

    def __init__(self) -> None:
        self.trunk: LentTrunk

    def registered(self, trunk: LentTrunk, _register: Mapping[str, Any]) -> None:
        self.trunk = trunk
        trunk.send({"type": "edges"})

    def send(self, _node: NodeId, message: Mapping[str, Any]) -> None:
        self.trunk.send(message)

    def drain(self, _nodes: object) -> None:
        pass


async def test_what_is_said_to_a_node_as_soon_as_its_trunk_is_lent_goes_to_the_predecessor() -> None:
    nothing = SimpleNamespace(restore=list, learn=list)
    house = SimpleNamespace(revocations=nothing, roster=SimpleNamespace(drained=nothing), constable=nothing)
    ours, theirs = socket.socketpair()
    async with Tasks() as tasks:
        before = Before()
        before.channel = Channel(before, tasks.spawn)
        await before.channel.open(theirs)
        predecessor = Predecessor(cast(Legacy, SimpleNamespace(channel=ours, sockets=[])),
                                  cast(Hall, SimpleNamespace(house=house, afar=None)), cast(Fleet, Talkative()),
                                  cast(Sorting, None), tasks.spawn, list)
        await predecessor.take_over()
        predecessor.noted("trunk", {"node": "tutors/n1", "register": {}})
        await wait_until(lambda: before.told, "the node is told")
        assert before.told == [("signal", {"node": "tutors/n1", "message": {"type": "edges"}})]
        ours.close()
