"""Where a request comes in: its route, its protocol, and whether it belongs to a session, begins one, or neither."""

import secrets
import time
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from sbc.core import seating
from sbc.core.authority import Authority
from sbc.core.dialog import Dialog
from sbc.core.forwarding import check_fields
from sbc.core.keys import may_be_minted, route_key, session_token
from sbc.core.provenance import trace
from sbc.model.binding import Binding
from sbc.model.errors import CloseCode, Refusal
from sbc.model.events import EndOrdered
from sbc.model.http import Request
from sbc.model.ids import NodeId, PrincipalId, SessionId
from sbc.model.interfaces import Stored
from sbc.model.manifest import Manifest
from sbc.model.policy import Limits
from sbc.model.route import Hello
from sbc.model.streams import ClientStream
from sbc.protocols.cors import PreflightReading, is_preflight
from sbc.protocols.event_ids import HANDLE
from sbc.protocols.protocol import Key
from sbc.runtime.dormant import Dormant
from sbc.runtime.house import House
from sbc.runtime.http.exchange import Exchange
from sbc.runtime.http.rates import count
from sbc.runtime.http.registry import Registry, session_id
from sbc.runtime.http.session import HttpSession
from sbc.runtime.http.single import Single
from sbc.runtime.http.waking import Returning
from sbc.runtime.http.ways import Way, Ways
from sbc.runtime.rules import Rules
from sbc.runtime.session import Session


class Host(Protocol):
    """The hall, as far as requests need it."""

    house: House
    rules: Rules
    stopping: bool
    sessions: dict[SessionId, Session]
    dormant: Dormant

    def dialog(self, entry: Stored, manifest: Manifest, limits: Limits) -> Dialog:
        """A dialog with its relays and journals."""

    def refused(self, refusal: Refusal, hello: Hello) -> None:
        """To be counted."""


ROUTE = "route"
"""The kind of the keys that the route itself finds."""


class Asked:
    """A request whose route is known. Making it raises Refusal if it is not proven who asks, where that is asked."""

    __slots__ = ("exchange", "good_until", "keys", "principal", "way")

    def __init__(self, exchange: Exchange, way: Way) -> None:
        self.exchange = exchange
        self.way = way
        self.good_until = 0.0
        """Until when it is proven who asks, in wall-clock seconds; of use where the way has an authority."""
        if way.authority is None:
            self.principal = PrincipalId("address:" + exchange.request.client)
        else:
            self._prove(way.authority)
        self.keys: list[Key] = []
        """By which keys the session is meant, the most specific first."""

    def _prove(self, authority: Authority) -> None:
        request = self.exchange.request
        if is_preflight(request):  # it bears no credentials (Fetch Standard, CORS-preflight fetch)
            self.principal = PrincipalId("address:" + request.client)
        else:
            identity = authority.identify(request, time.time())
            self.principal, self.good_until = identity.principal, identity.good_until
        authority.withhold(request)


class RequestFront:
    """Takes requests in for the hall."""

    __slots__ = ("_host", "_ways", "registry", "singles")

    def __init__(self, host: Host) -> None:
        self._host = host
        self._ways = Ways(host.rules)
        self.registry: Registry[HttpSession] = Registry()
        self.singles: set[Single] = set()
        """The requests that belong to no session, while they are under way."""

    def request(self, stream: ClientStream, request: Request, octets: int) -> Exchange:
        """A client's request; whatever becomes of it, the stream is answered."""
        exchange = Exchange(stream, request)
        try:
            self._find_route(exchange, octets)
        except Refusal as refusal:
            self._refuse(exchange, refusal)
        return exchange

    def _refuse(self, exchange: Exchange, refusal: Refusal) -> None:
        request = exchange.request
        hello = Hello(request.client, "", request.target.decode("latin-1"), (), request.secure, request.listener)
        self._host.refused(refusal, hello)
        exchange.refuse(refusal)

    def _find_route(self, exchange: Exchange, octets: int) -> None:
        request, host, ways = exchange.request, self._host, self._ways
        if host.stopping:
            raise Refusal(503, "stopping", "this edge is being stopped", retry_after=1)
        if ways.rules is not host.rules:
            ways = self._ways = Ways(host.rules)
        if ways.hops:
            trace(request, ways.hops.get(request.listener, 0))
        way = ways.find(request)
        if way is None:
            raise Refusal(404, "no_route", "nothing is served here")
        exchange.policy, limits = way.policy, way.limits
        if way.doorman is not None:
            way.doorman.check(request)
        if octets > limits.head:
            raise Refusal(431, "head_too_large", f"at most {limits.head} bytes of request head")
        check_fields(request.fields, limits.headers)
        if request.length is not None and request.length > limits.body:
            raise exchange.too_long()
        asked = Asked(exchange, way)
        wanted = way.in_body or way.protocol.wants_body(request)
        if wanted and request.bodied:
            exchange.collect(limits.message, partial(self._have_body, asked))
        else:
            self._place(asked, b"" if wanted else None)

    def _have_body(self, asked: Asked) -> None:
        try:
            self._place(asked, asked.exchange.upload.body)
        except Refusal as refusal:
            self._refuse(asked.exchange, refusal)

    def _place(self, asked: Asked, body: bytes | None) -> None:
        """Find the session that is meant, or begin one, or send the request alone."""
        exchange, way = asked.exchange, asked.way
        request = exchange.request
        if is_preflight(request):
            exchange.reading = PreflightReading(request)
            self._alone(asked)
            return
        reading = exchange.reading = way.protocol.read(request, body)
        token = session_token(request)
        if token is not None and (not way.shares_place or self._host.house.seal.ours(token)):
            self._come_back(asked, token)
            return
        keys = asked.keys = [*reading.keys]
        own = route_key(request, way.key, body)
        if own is not None:
            opened = self._opened(asked, own)
            exchange.key = own, opened
            session = None if keys else self.registry.known(way.agent, asked.principal, ROUTE, opened)
            if session is not None:  # as most requests go
                self._take(asked, session)
                return
            keys.insert(0, Key(ROUTE, opened))
        exchange.wants_answer = own is None and way.in_body
        session = self._meant(asked, keys)
        if session is not None:
            self._take(asked, session)
        elif (asleep := self._asleep(asked, keys)) is not None:
            self._host.dormant.wake(asleep, self._returning(asked))
        elif reading.needs_session:
            raise Refusal(404, "session_gone", "this session has ended")
        elif own is not None or reading.begins or may_be_minted(way.key):
            self._begin(asked, [key for key in keys if key.kind not in ("token", HANDLE)])
        else:
            self._alone(asked)

    def _alone(self, asked: Asked) -> None:
        found, may_begin = None, asked.exchange.reading.may_begin
        if asked.way.paced:
            count(self._host.house.turnstile, asked.way, asked.exchange, asked.principal, begins=may_begin, named=False)
        if may_begin:
            self._check_room(asked)
            found = partial(self._found, asked)
        conversation = asked.way.protocol.converse()
        single = Single(self._host.house, asked.way.manifest, asked.exchange, conversation, self.singles, found)
        if asked.good_until:
            single.known_as(asked.principal, asked.good_until)
        single.begin()

    def _come_back(self, asked: Asked, token: str) -> None:
        """The client shows the token that it was given with the first answer of its session."""
        known = self._host.house.seal.open(token, asked.principal)
        if known is None:
            raise Refusal(403, "bad_token", "this token opens no session of yours")
        if known in self._host.sessions:
            self.join(asked, known)
        elif known in self._host.dormant:
            self._host.dormant.wake(known, self._returning(asked))
        else:
            raise Refusal(404, "session_gone", "this session has ended")

    def _returning(self, asked: Asked) -> Returning:
        make, join = partial(self.make, asked), partial(self.join, asked)
        return Returning(asked.exchange, asked.keys, self.registry, make, join)

    def join(self, asked: Asked, known: SessionId) -> None:
        """The request is one of a live session. Raises Refusal."""
        session = self._host.sessions.get(known)
        if session is None:
            raise Refusal(503, "session_busy", "the session could not be gone on with just now", retry_after=1)
        if not isinstance(session, HttpSession):
            raise Refusal(409, "other_transport", "this session is a connection, not made of requests")
        self._take(asked, session)

    def _take(self, asked: Asked, session: HttpSession) -> None:
        if asked.good_until:  # it was asked
            session.good_until = max(session.good_until, asked.good_until)
        session.take(asked.exchange)

    def _opened(self, asked: Asked, value: str) -> str:
        """The route's own key as its node knows it: one that a node had made is sealed towards the client."""
        seal = self._host.house.seal
        opened = seal.open_key(value, asked.principal) if "." in value and seal.ours(value) else value
        if opened is None:
            raise Refusal(403, "bad_key", "this key opens no session of yours")
        return opened

    def _meant(self, asked: Asked, keys: Sequence[Key]) -> HttpSession | None:
        agent, principal = asked.way.agent, asked.principal
        for key in keys:
            if key.kind == "token":
                opened = self._host.house.seal.open(key.value, principal)
                if opened is None:
                    raise Refusal(404, "session_gone", "this token opens no session of yours")
                found = self._session(SessionId(opened))
                if found is not None:
                    return found
        return self.registry.find(agent, principal, keys)

    def _session(self, session: SessionId) -> HttpSession | None:
        found = self._host.sessions.get(session)
        return found if isinstance(found, HttpSession) else None

    def _asleep(self, asked: Asked, keys: Sequence[Key]) -> SessionId | None:
        """The session that is meant, if the edge was started again since."""
        dormant, seal = self._host.dormant, self._host.house.seal
        for key in keys:
            if key.kind == "token":
                found = seal.open(key.value, asked.principal)
            else:
                agent, principal = asked.way.agent, asked.principal
                found = dormant.find(agent, principal, key) or session_id(agent, principal, key)
            if found is not None and found in dormant:
                return found
        return None

    def _spare(self, principal: PrincipalId) -> HttpSession | None:
        """A session of this principal's that can be ended to make room for another."""
        for session in self._host.sessions.values():
            if not isinstance(session, HttpSession) or session.record.principal != principal:
                continue
            if session.dispensable and not session.exchanges:
                return session
        return None

    def _make_room(self, asked: Asked) -> None:
        """Count a new session of this principal. Raises Refusal if it has too many that cannot be spared."""
        ledger, most = self._host.house.roster.ledger, asked.way.limits.sessions_per_principal
        if ledger.sessions(asked.principal) >= most:
            spare = self._spare(asked.principal)
            if spare is not None:
                spare.tell(EndOrdered(CloseCode.POLICY, "made room for another"))
        ledger.enter(asked.principal, most)

    def _check_room(self, asked: Asked) -> None:
        """The same while nobody knows whether there will be a session: the answer could not be refused any more."""
        ledger, most = self._host.house.roster.ledger, asked.way.limits.sessions_per_principal
        if ledger.sessions(asked.principal) >= most and self._spare(asked.principal) is None:
            ledger.enter(asked.principal, most)

    def make(self, asked: Asked, entry: Stored, memory: str = "") -> HttpSession:
        """A session with its dialog, not started. memory: what its protocol remembered. Raises ValueError over that."""
        host, way = self._host, asked.way
        protocol = way.protocol
        conversation = protocol.converse()
        conversation.load(memory)
        dialog = host.dialog(entry, way.manifest, way.limits)
        session = HttpSession(host.house, dialog, way.policy, entry, protocol, conversation, way.key, self.registry)
        if way.authority is not None:
            session.good_until = asked.good_until
        host.sessions[dialog.session] = session
        return session

    def _begin(self, asked: Asked, keys: Sequence[Key]) -> None:
        if asked.way.paced:
            named = bool(keys) or asked.exchange.reading.begins  # else it has its session for itself alone
            count(self._host.house.turnstile, asked.way, asked.exchange, asked.principal, begins=True, named=named)
        self._make_room(asked)
        name = SessionId(secrets.token_hex(16))
        if keys:
            name = session_id(asked.way.agent, asked.principal, keys[0])
        session = self._made(asked, name, keys, keys[1:])  # the first leads to the id by itself
        session.take(asked.exchange)
        session.start(seating.start(session.dialog, time.monotonic()))

    def _found(self, asked: Asked, node: NodeId, keys: Sequence[Key]) -> HttpSession:
        """The answer to a request of its own has begun a session, on the node that gave it."""
        try:
            self._make_room(asked)
        except Refusal:  # requests side by side, each of which would have been the last that there was room for
            self._host.house.roster.ledger.enter(asked.principal, limit=2**31)
        session = self._made(asked, SessionId(secrets.token_hex(16)), keys, keys)
        session.start(seating.start(session.dialog, time.monotonic(), node))
        return session

    def _made(self, asked: Asked, name: SessionId, keys: Sequence[Key], on_record: Sequence[Key]) -> HttpSession:
        route = asked.way.route
        entry = Stored(Binding(name, NodeId(""), None, 0), route.agent, route.name, asked.principal,
                       time.time(), None, tuple(on_record))  # fmt: skip
        session = self.make(asked, entry)
        if keys:
            self.registry.learn(session, keys)
        session.dispensable = asked.exchange.reading.dispensable
        return session
