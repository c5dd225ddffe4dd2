"""Where a request comes in: its route, its protocol, and whether it belongs to a session, begins one, or neither."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from sbc.core.forwarding import check_fields
from sbc.core.keys import may_be_minted, route_key, session_token
from sbc.core.provenance import trace
from sbc.model.errors import Refusal
from sbc.model.http import Request
from sbc.model.ids import SessionId
from sbc.model.route import Hello
from sbc.model.streams import ClientStream
from sbc.protocols.cors import PreflightReading, is_preflight
from sbc.protocols.event_ids import HANDLE
from sbc.protocols.protocol import Key
from sbc.runtime.afar import Seeker
from sbc.runtime.dormant import Dormant
from sbc.runtime.http import founder
from sbc.runtime.http.asked import Asked
from sbc.runtime.http.exchange import Exchange
from sbc.runtime.http.founder import Founder
from sbc.runtime.http.onward import ROUTE, Onward
from sbc.runtime.http.registry import Registry, session_id
from sbc.runtime.http.renewal import renew
from sbc.runtime.http.session import HttpSession
from sbc.runtime.http.single import Single
from sbc.runtime.http.waking import Returning, asleep_of
from sbc.runtime.http.ways import Ways
from sbc.runtime.interconnect import as_it_came
from sbc.runtime.rules import Rules

MOST_RACES = 3
"""How often a request may begin a session that another edge was first to begin."""


class Host(founder.Host, Protocol):
    """The hall, as far as requests need it."""

    rules: Rules
    stopping: bool
    dormant: Dormant
    afar: Seeker | None

    def refused(self, refusal: Refusal, hello: Hello) -> None:
        """To be counted."""


class RequestFront:
    """Takes requests in for the hall."""

    __slots__ = ("_founder", "_host", "_ways", "onward", "registry", "singles")

    def __init__(self, host: Host, onward: Onward | None, registry: Registry[HttpSession],
                 singles: set[Single]) -> None:  # fmt: skip
        """onward: where the sessions are that are not here; None: there is no other place. singles: the requests that
        belong to no session, while they are under way."""
        self._host, self.onward = host, onward
        self._ways = Ways(host.rules)
        self.registry, self.singles = registry, singles
        self._founder = Founder(host, registry, singles, self._again)

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
        hello = Hello(request.client, "", request.target.decode("latin-1"), [], request.secure, request.listener)
        self._host.refused(refusal, hello)
        exchange.refuse(refusal)

    def _find_route(self, exchange: Exchange, octets: int) -> None:
        request, host, ways = exchange.request, self._host, self._ways
        arrived = as_it_came(request) if self.onward is not None else None
        if host.stopping:
            raise Refusal(503, "stopping", "this edge is being stopped", retry_after=1)
        if ways.rules is not host.rules:
            ways = self._ways = Ways(host.rules)
        if ways.hops:
            trace(request, ways.hops.get(request.listener, 0))
        way = ways.find(request)
        if way is None:
            raise Refusal(404, "no_route", "nothing is served here")
        exchange.policy = way.policy
        if way.doorman is not None:
            way.doorman.check(request)
        if way.mark is not None and exchange.client is not None:
            exchange.client.mark(way.mark)
        if octets > way.most_head:
            raise Refusal(431, "head_too_large", f"at most {way.most_head} bytes of request head")
        check_fields(request.fields, way.most_fields)
        if request.length is not None and request.length > way.most_body:
            raise exchange.too_long()
        asked = Asked(exchange, way, arrived)
        if host.house.revocations:
            host.house.revocations.check(asked.principal, exchange.identity)
        wanted = way.in_body or (way.asks_for_body and way.protocol.wants_body(request))
        if wanted and request.bodied:
            exchange.collect(way.limits.message, partial(self._have_body, asked))
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
        if request.method == b"OPTIONS" and is_preflight(request):
            exchange.reading = PreflightReading(request)
            self._founder.alone(asked)
            return
        reading = exchange.reading = way.protocol.read(request, body)
        exchange.heedless = reading.heedless
        token = session_token(request)
        if token is not None and (not way.shares_place or self._host.house.seal.ours(token)):
            self._come_back(asked, token)
            return
        keys = asked.keys = [] if exchange.heedless else [*reading.keys]
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
        elif (asleep := asleep_of(self._host.dormant, self._host.house.seal, asked, keys)) is not None:
            self._wake(asked, asleep)
        elif not keys or not self._seen_to_elsewhere(asked, keys, own is not None):
            self._anew(asked, keys, own is not None)

    def _seen_to_elsewhere(self, asked: Asked, keys: Sequence[Key], named: bool) -> bool:
        """Whether somebody else may have the session, and is asked, or sent the request."""
        if self._host.afar is not None:
            asked.again = self._again
            self._seek_afar(asked, keys, named)
            return True
        return self._went_onward(asked, keys, named)

    def _went_onward(self, asked: Asked, keys: Sequence[Key], named: bool) -> bool:
        if self.onward is None:
            return False
        beginning = _lasting(keys) if self._begins(asked, named) else ()
        return self.onward.seeks(asked, beginning, partial(self._nowhere, asked, named))

    def _begins(self, asked: Asked, named: bool) -> bool:
        return named or asked.exchange.reading.begins or may_be_minted(asked.way.key)

    def _nowhere(self, asked: Asked, named: bool) -> None:
        """Nobody else has the session either."""
        self._look_here(asked, partial(self._anew, asked, asked.keys, named))

    def _again(self, asked: Asked) -> None:
        """Another edge was first to begin its session, or the session is not where the request was sent."""
        asked.races += 1
        self._look_here(asked, partial(self._seek_afar, asked, asked.keys, asked.exchange.key is not None))

    def _look_here(self, asked: Asked, absent: Callable[[], None]) -> None:
        """Look for the session here once more; `absent`, which may raise Refusal, if it still is not."""
        if asked.exchange.client is None:
            return
        try:
            session = self._meant(asked, asked.keys)
            if session is not None:  # another request of the same client was first
                self._take(asked, session)
            elif asked.races > MOST_RACES:
                raise Refusal(503, "session_busy", "other edges keep beginning this session", retry_after=1)
            else:
                absent()
        except Refusal as refusal:
            self._refuse(asked.exchange, refusal)

    def _anew(self, asked: Asked, keys: Sequence[Key], named: bool) -> None:
        """No session is known by these keys. named: the route's own is one of them. Raises Refusal."""
        if asked.exchange.reading.needs_session:
            raise Refusal(404, "session_gone", "this session has ended")
        if self._begins(asked, named):
            self._founder.begin(asked, _lasting(keys))
        else:
            self._founder.alone(asked)

    def _seek_afar(self, asked: Asked, keys: Sequence[Key], named: bool) -> None:
        """Another edge may have the session."""
        assert self._host.afar is not None
        agent, principal, seal = asked.way.agent, asked.principal, self._host.house.seal
        others = [key for key in keys if key.kind != "token"]
        opened = [seal.open(key.value, principal) for key in keys if key.kind == "token"]
        sessions = [session for session in opened if session is not None]
        sessions += [session_id(agent, principal, key) for key in others if key.kind != HANDLE]
        self._host.afar.find(self._returning(asked), agent, principal, others, sessions,
                             partial(self._absent_afar, asked, keys, named))

    def _absent_afar(self, asked: Asked, keys: Sequence[Key], named: bool) -> None:
        """No other edge has it. Raises Refusal."""
        if not self._went_onward(asked, keys, named):
            self._anew(asked, keys, named)

    def _come_back(self, asked: Asked, token: str) -> None:
        """The client shows the token that it was given with the first answer of its session."""
        known = self._host.house.seal.open(token, asked.principal)
        if known is None:
            raise Refusal(403, "bad_token", "this token opens no session of yours")
        if known in self._host.sessions:
            self.join(asked, known)
        elif known in self._host.dormant:
            self._wake(asked, known)
        elif self.onward is not None and self.onward.leads(asked, known):
            pass
        elif self._host.afar is not None:
            back = self._returning(asked)
            seek = partial(self._host.afar.seek, back, [known], _gone)
            self._host.house.usher.readmit(asked.way.manifest, seek, back.refuse)
        else:
            _gone()

    def _returning(self, asked: Asked) -> Returning:
        make, join = partial(self._founder.make, asked), partial(self.join, asked)
        follow = partial(self.onward.follows, asked) if self.onward is not None else None
        return Returning(asked.exchange, asked.keys, self.registry, make, join, follow)

    def _wake(self, asked: Asked, known: SessionId) -> None:
        back = self._returning(asked)
        self._host.house.usher.readmit(asked.way.manifest, partial(self._come_in, known, back), back.refuse)

    def _come_in(self, known: SessionId, back: Returning) -> None:
        if known in self._host.dormant:
            self._host.dormant.wake(known, back)
        elif not back.gone:
            back.join(known)

    def join(self, asked: Asked, known: SessionId) -> None:
        """The request is one of a live session. Raises Refusal."""
        session = self._host.sessions.get(known)
        if session is None:
            raise Refusal(503, "session_busy", "the session could not be gone on with just now", retry_after=1)
        if isinstance(session, HttpSession):
            self._take(asked, session)
        else:
            renew(session, asked.exchange)

    def _take(self, asked: Asked, session: HttpSession) -> None:
        if asked.good_until:  # it was asked
            session.good_until = max(session.good_until, asked.good_until)
        session.take(asked.exchange)
        if session.newcomers is not None:
            if not asked.keys and asked.exchange.key is not None:  # its session was found before its keys were sought
                asked.keys = [Key(ROUTE, asked.exchange.key[1])]
            session.newcomers.append(partial(self._again, asked))

    def _opened(self, asked: Asked, value: str) -> str:
        """The route's own key as its node knows it: one that a node had made is sealed towards the client."""
        if "." not in value:
            return value
        seal = self._host.house.seal
        opened = seal.open_key(value, asked.principal) if seal.ours(value) else value
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


def _lasting(keys: Sequence[Key]) -> list[Key]:
    """Those by which a session that begins is to be known."""
    return [key for key in keys if key.kind not in ("token", HANDLE)]


def _gone() -> None:
    raise Refusal(404, "session_gone", "this session has ended")
