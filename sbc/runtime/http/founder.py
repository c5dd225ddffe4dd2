"""Where sessions of requests begin: whether their principal may have another, their dialog, their first keys. And
where requests go that belong to none.

There is a compiled twin.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from sbc.core.dialog import Dialog
from sbc.model.binding import Binding
from sbc.model.errors import CloseCode, Refusal
from sbc.model.events import EndOrdered
from sbc.model.identity import Tenancy, tenancy
from sbc.model.ids import NodeId, PrincipalId, SessionId
from sbc.model.interfaces import Stored
from sbc.model.manifest import Manifest
from sbc.model.policy import Limits
from sbc.protocols.protocol import Key
from sbc.runtime.house import House
from sbc.runtime.http.asked import Asked
from sbc.runtime.http.rates import count
from sbc.runtime.http.registry import Registry, session_id
from sbc.runtime.http.session import HttpSession
from sbc.runtime.http.single import Single
from sbc.runtime.session import Session


class Host(Protocol):
    """The hall, as far as a new session needs it."""

    house: House
    sessions: dict[SessionId, Session]

    def dialog(self, entry: Stored, manifest: Manifest, limits: Limits) -> Dialog:
        """A dialog with its relays and journals."""


class Founder:
    """Begins sessions made of requests."""

    __slots__ = ("_again", "_host", "_registry", "_singles")

    def __init__(self, host: Host, registry: Registry[HttpSession], singles: set[Single],
                 again: Callable[[Asked], None]) -> None:  # fmt: skip
        """registry: where the keys of new sessions are known; singles: the requests that belong to no session, while
        they are under way; again: has a request look anew for its session, which another edge was first to begin."""
        self._host = host
        self._registry = registry
        self._singles = singles
        self._again = again

    def begin(self, asked: Asked, keys: Sequence[Key]) -> None:
        """A new session, known by these keys, with this request as its first. Raises Refusal."""
        if asked.way.paced:
            named = bool(keys) or asked.exchange.reading.begins  # else it has its session for itself alone
            count(self._host.house.turnstile, asked.way, asked.exchange, asked.principal, begins=True, named=named)
        at_once = self._host.house.usher.judge(asked.way.manifest)
        name, on_record = self._named(asked, keys)
        self._make_room(asked)
        session = self._made(asked, name, keys, on_record)
        session.take(asked.exchange)
        if self._host.house.shared is not None:
            session.newcomers = [partial(self._again, asked)]
        self._host.house.usher.begin(session, at_once)

    def alone(self, asked: Asked) -> None:
        """A request that belongs to no session, unless its answer begins one. Raises Refusal."""
        found, may_begin = None, asked.exchange.reading.may_begin
        if asked.way.paced:
            count(self._host.house.turnstile, asked.way, asked.exchange, asked.principal, begins=may_begin, named=False)
        if may_begin:
            self.check_room(asked)
            found = partial(self.found, asked)
        conversation = asked.way.protocol.converse()
        single = Single(self._host.house, asked.way.manifest, asked.exchange, asked.principal, conversation,
                        self._singles, found)  # fmt: skip
        if asked.good_until:
            single.prove(asked.good_until)
        single.enter()

    def _named(self, asked: Asked, keys: Sequence[Key]) -> tuple[SessionId, Sequence[Key]]:
        """The id of a session that begins, and the keys that do not lead to it by themselves. Raises Refusal."""
        house = self._host.house
        if keys:
            name = session_id(asked.way.agent, asked.principal, keys[0])
            house.revocations.check_session(name)
            if house.homes.here(name):
                return name, keys[1:]
        return house.new_id(), keys

    def found(self, asked: Asked, node: NodeId, keys: Sequence[Key]) -> HttpSession:
        """A session that the answer to a request of its own has begun, on the node that gave it."""
        try:
            self._make_room(asked)
        except Refusal:  # requests side by side, each of which would have been the last that there was room for
            self._host.house.roster.ledger.enter(asked.principal, 2**31, _tenancy(asked))
        session = self._made(asked, self._host.house.new_id(), keys, keys)
        self._host.house.usher.begin(session, at_once=True, prefer=node)  # the node has begun it: too late to judge
        return session

    def make(self, asked: Asked, entry: Stored, memory: str = "") -> HttpSession:
        """A session with its dialog, not started. memory: what its protocol remembered. Raises ValueError over that."""
        host, way = self._host, asked.way
        protocol = way.protocol
        dialog = host.dialog(entry, way.manifest, way.limits)
        session = HttpSession(host.house, dialog, way.policy, entry, protocol, protocol.converse(), way.key,
                              self._registry)  # fmt: skip
        session.recall(memory)
        if way.authority is not None:
            session.good_until = asked.good_until
        host.sessions[dialog.session] = session
        return session

    def check_room(self, asked: Asked) -> None:
        """Raise Refusal if there is no room, while nobody knows whether there will be a session: later is too late."""
        ledger, limits = self._host.house.roster.ledger, asked.way.limits
        most = limits.sessions_per_principal
        room = ledger.sessions(asked.principal) < most or self._spare(asked.principal) is not None
        ledger.check(asked.principal, 2**31 if room else most, _tenancy(asked), limits.sessions_per_tenant)

    def _made(self, asked: Asked, name: SessionId, keys: Sequence[Key], on_record: Sequence[Key]) -> HttpSession:
        route = asked.way.route
        entry = Stored(Binding(name, NodeId(""), None, 0), route.agent, route.name, asked.principal,
                       time.time(), None, tuple(on_record))  # fmt: skip
        session = self.make(asked, entry)
        if keys:
            self._registry.learn(session, keys)
        session.dispensable = asked.exchange.reading.dispensable
        session.tenancy = _tenancy(asked)
        return session

    def _make_room(self, asked: Asked) -> None:
        """Count a new session of this principal. Raises Refusal if it has too many that cannot be spared."""
        ledger, limits = self._host.house.roster.ledger, asked.way.limits
        most = limits.sessions_per_principal
        if ledger.sessions(asked.principal) >= most:
            spare = self._spare(asked.principal)
            if spare is not None:
                spare.tell(EndOrdered(CloseCode.POLICY, "made room for another"))
        ledger.enter(asked.principal, most, _tenancy(asked), limits.sessions_per_tenant)

    def _spare(self, principal: PrincipalId) -> HttpSession | None:
        """A session of this principal's that can be ended to make room for another."""
        for session in self._host.sessions.values():
            if not isinstance(session, HttpSession) or session.record.principal != principal:
                continue
            if session.dispensable and not session.exchanges:
                return session
        return None


def _tenancy(asked: Asked) -> Tenancy | None:
    return tenancy(asked.way.policy.name, asked.exchange.identity)
