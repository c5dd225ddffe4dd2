"""Where a WebSocket comes in: a new session, or one that its client comes back to."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from sbc.core.dialog import Dialog
from sbc.core.provenance import traced
from sbc.core.rewriting import rewritten
from sbc.core.screening import as_request, check_head, claims
from sbc.core.turnstile import Whose
from sbc.model.binding import Binding
from sbc.model.errors import Refusal
from sbc.model.events import ClientLost, Reattached
from sbc.model.http import Request
from sbc.model.identity import tenancy
from sbc.model.ids import AgentName, NodeId, PrincipalId, SessionId
from sbc.model.interfaces import Journals, Stored
from sbc.model.leg import State
from sbc.model.manifest import Manifest
from sbc.model.node import Node
from sbc.model.policy import Limits, Policy
from sbc.model.route import Claims, Hello, KeySource, Route
from sbc.protocols.protocol import Key
from sbc.runtime.afar import Seeker
from sbc.runtime.dormant import Dormant, restore
from sbc.runtime.house import House
from sbc.runtime.interconnect import Interconnect
from sbc.runtime.rules import Rules
from sbc.runtime.session import Session
from sbc.runtime.websocket.opening import opening
from sbc.runtime.websocket.passing import Passing
from sbc.runtime.websocket.session import WebSocketSession
from sbc.transports.websocket import Doorstep
from sbc.wire.pipe import Pipe
from sbc.wire.upgrade import deflate_offer, values


class Host(Protocol):
    """The hall, as far as WebSockets need it."""

    house: House
    rules: Rules
    sessions: dict[SessionId, Session]
    dormant: Dormant
    afar: Seeker | None

    def relative(self, agent: AgentName, principal: PrincipalId, keys: Sequence[Key]) -> NodeId | None:
        """The owner of the session of requests that these keys lead to."""

    def dialog(self, entry: Stored, manifest: Manifest, limits: Limits) -> Dialog:
        """A dialog with its relays and journals."""


class Whereabouts(Protocol):
    """Where sessions are that are not here."""

    def elsewhere(self, session: SessionId) -> Node | None:
        """The worker that a WebSocket of this session is forwarded to; None: none. Raises Refusal."""


class WebSocketFront:
    """Takes hellos in for the hall."""

    def __init__(self, host: Host, whereabouts: Whereabouts | None, interconnect: Interconnect | None,
                 pipes: set[Pipe]) -> None:  # fmt: skip
        """whereabouts, interconnect: None: there is no other place. pipes: the WebSockets that are forwarded."""
        self._host = host
        self._whereabouts = whereabouts
        self._interconnect = interconnect
        self._pipes = pipes

    def greet(self, doorstep: Doorstep, hello: Hello, octets: int) -> None:
        """A client's hello: a new session, or one it comes back to. Raises Refusal."""
        came, hello = hello, traced(hello, self._host.rules.hops.get(hello.listener, 0))
        asked = as_request(hello)
        route = self._host.rules.routes.find(hello.host, hello.path)
        if route is None:
            raise Refusal(404, "no_route", "nothing is served here")
        doorman = self._host.rules.doormen.get(route.policy)
        if doorman is not None:
            doorman.check(asked)
        policy = self._host.rules.policy_of(route)
        check_head(hello, octets, policy.limits)
        authority, identity = self._host.rules.authorities.of(route.policy), None
        if authority is not None:
            identity = authority.identify(asked, time.time())
            if authority.hidden is not None:  # a secret that is no node's business
                hello = replace(hello, fields=[field for field in hello.fields if field[0] != authority.hidden])
                asked = as_request(hello)
        wish = self._with_own_key(claims(hello, asked, route, identity), asked, route)
        if policy.rewrite is not None:
            hello = rewritten(hello, policy.rewrite)
        revocations = self._host.house.revocations
        if revocations:
            revocations.check(wish.principal, wish.identity)
        known = self._meant(wish, route)
        if revocations and known is not None:
            revocations.check_session(known)
        if known is None:
            self._begin(doorstep, hello, route, policy, wish, self._host.house.new_id())
        elif known in self._host.sessions or known in self._host.dormant:
            back = _Returning(self, doorstep, hello, wish, route)
            self._readmit(route, partial(self._come_back, known, back), back)
        elif self._forwarded(doorstep, came, route, known):
            pass
        elif self._host.afar is not None:
            back = _Returning(self, doorstep, hello, wish, route)
            anew = partial(self._anew, back, doorstep, hello, route, policy, wish, known)
            self._readmit(route, partial(self._host.afar.seek, back, [known], anew), back)
        else:
            self._begin_known(doorstep, hello, route, policy, wish, known)

    def _forwarded(self, doorstep: Doorstep, came: Hello, route: Route, known: SessionId) -> bool:
        """Whether another worker has the session, and the hello was said there. Raises Refusal."""
        node = self._whereabouts.elsewhere(known) if self._whereabouts is not None else None
        if node is None or self._interconnect is None:
            return False
        Passing(self._interconnect, doorstep, came, self._host.rules.agents[route.agent], node, self._pipes).begin()
        return True

    def _readmit(self, route: Route, work: Callable[[], None], back: "_Returning") -> None:
        self._host.house.usher.readmit(self._host.rules.agents[route.agent], work, back.refuse)

    def _anew(self, waiter: "_Returning", doorstep: Doorstep, hello: Hello, route: Route, policy: Policy, wish: Claims,
              known: SessionId) -> None:  # fmt: skip
        """No other edge has the session either. Raises Refusal."""
        waiter.leave_door()
        self._begin_known(doorstep, hello, route, policy, wish, known)

    def _begin_known(self, doorstep: Doorstep, hello: Hello, route: Route, policy: Policy, wish: Claims,
                     known: SessionId) -> None:  # fmt: skip
        """There is no such session: one that a key names begins, one that a token names, or that its client has heard
        something of, has ended. Raises Refusal."""
        if wish.received or (wish.token is not None and self._is_token(wish, route)):
            raise Refusal(404, "session_gone", "this session has ended")
        self._begin(doorstep, hello, route, policy, wish, known)

    def _come_back(self, known: SessionId, back: "_Returning") -> None:
        if back.gone:
            return
        if known in self._host.dormant:
            self._host.dormant.wake(known, back)
        else:
            back.join(known)

    def _with_own_key(self, wish: Claims, asked: Request, route: Route) -> Claims:
        """A protocol may know by itself where the key of a session stands."""
        if wish.key is not None or wish.token is not None:
            return wish
        for key in self._host.rules.protocol_of(route).read(asked, None).keys:
            return replace(wish, token=key.value) if key.kind == "token" else replace(wish, key=key.value)
        return wish

    def _is_token(self, wish: Claims, route: Route) -> bool:
        """A route may take its keys from the very header that carries our tokens: the form tells them apart."""
        key_header = route.session.source is KeySource.HEADER and route.session.name.lower() == "session-id"
        return wish.token is not None and (not key_header or self._host.house.seal.ours(wish.token))

    def _meant(self, wish: Claims, route: Route) -> SessionId | None:
        """Which session a client means. None: a new one."""
        if wish.token is not None and self._is_token(wish, route):
            session = self._host.house.seal.open(wish.token, wish.principal)
            if session is None:
                raise Refusal(403, "bad_token", "this token opens no session of yours")
            return session
        if wish.key is None:
            return None
        # One principal's keys are never another's: the id is made of both.
        return SessionId(hashlib.sha256(f"{route.agent}\n{wish.principal}\n{wish.key}".encode()).hexdigest()[:32])

    def _begin(
        self, door: Doorstep, hello: Hello, route: Route, policy: Policy, wish: Claims, session_id: SessionId
    ) -> None:
        house, limits, now = self._host.house, policy.limits, time.monotonic()
        if limits.sessions_per_second is not None:
            tenant = wish.identity.tenant if wish.identity is not None else ""
            house.turnstile.enter(limits, Whose(policy.name, route.agent, wish.principal, hello.client, tenant), now)
        manifest = self._host.rules.agents[route.agent]
        at_once = house.usher.judge(manifest)
        whose = tenancy(policy.name, wish.identity)
        house.roster.ledger.enter(wish.principal, limits.sessions_per_principal, whose, limits.sessions_per_tenant)
        nobody = NodeId("")
        entry = Stored(
            Binding(session_id, nobody, None, 0), route.agent, route.name, wish.principal, time.time(),
            None,
        )  # fmt: skip
        session = self.make(entry, manifest, route, hello)
        session.tenancy = whose
        session.show(hello, wish.identity)
        session.door = door
        door.gone = lambda: session.tell(ClientLost())
        house.usher.begin(session, at_once, self._relative(wish, hello, route))

    def _relative(self, wish: Claims, hello: Hello, route: Route) -> NodeId | None:
        """Where the requests of a client go that has named its session: the connection had best go there too."""
        if wish.key is None:
            return None
        keys = [Key("route", wish.key), *self._host.rules.protocol_of(route).read(as_request(hello), None).keys]
        return self._host.relative(route.agent, wish.principal, keys)

    def make(self, entry: Stored, manifest: Manifest, route: Route, hello: Hello) -> WebSocketSession:
        """A session with its dialog, not started."""
        policy = self._host.rules.policy_of(route)
        dialog = self._host.dialog(entry, manifest, policy.limits)
        turns = self._host.rules.protocol_of(route).listener()
        session = WebSocketSession(self._host.house, dialog, policy, entry, opening(hello), turns)
        self._host.sessions[dialog.session] = session
        return session

    def join(self, known: SessionId, door: Doorstep, hello: Hello, wish: Claims) -> None:
        """The client comes back to a live session. Raises Refusal."""
        session = self._host.sessions.get(known)
        if session is None:
            raise Refusal(503, "session_busy", "the session could not be gone on with just now", retry_after=1)
        if not isinstance(session, WebSocketSession):
            raise Refusal(409, "other_transport", "this session is made of requests, not of a connection")
        self.reattach(session, door, hello, wish)

    def reattach(self, session: WebSocketSession, door: Doorstep, hello: Hello, wish: Claims) -> None:
        """The client of a session is back, on a new connection. Raises Refusal."""
        dialog, received = session.dialog, wish.received or 0
        if dialog.state is State.EARLY or session.door is not None:
            raise Refusal(409, "session_busy", "this session is being opened by another connection", retry_after=1)
        if received > dialog.outbound.count and not dialog.recovered:
            raise Refusal(400, "bad_received", "more messages than the session has")
        if session.legs.deflate and deflate_offer(hello.fields) is None:
            raise Refusal(400, "extension", "this session was begun with permessage-deflate, without context takeover")
        session.door = door
        session.show(hello, wish.identity)
        session.tell(Reattached(received))


class _Returning:
    """A client that is back for a dialog that sleeps (runtime/dormant.py)."""

    def __init__(self, front: WebSocketFront, door: Doorstep, hello: Hello, wish: Claims, route: Route) -> None:
        self.gone = False
        self._front = front
        self._door = door
        self._hello = hello
        self._wish = wish
        self._route = route
        door.gone = self._leave

    def _leave(self) -> None:
        self.gone = True

    follows = False
    """See Waiter: its session comes to it."""

    def follow(self, _holder: str, _instead: Callable[[], None]) -> bool:
        return False

    def leave_door(self) -> None:
        """The client waits for something else from here on."""
        self._door.gone = _nothing

    def go_on(self, entry: Stored, manifest: Manifest, journals: Journals) -> None:
        self.leave_door()
        woken = self._front.make(entry, manifest, self._route, self._hello)
        woken.given_back(self._wish.identity)
        restore(woken.dialog, entry, journals)
        offered = values(self._hello.fields, b"sec-websocket-protocol")
        woken.legs.protocol = offered[0] if offered else None
        woken.legs.opened.deflate = None
        self._front.reattach(woken, self._door, self._hello, self._wish)

    def join(self, session: SessionId) -> None:
        self.leave_door()
        self._front.join(session, self._door, self._hello, self._wish)

    def refuse(self, refusal: Refusal) -> None:
        self._door.refuse(refusal)


def _nothing() -> None:
    pass
