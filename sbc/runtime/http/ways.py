"""What the rules say of the requests to one place, host and path: found once, and kept until a reload."""

from sbc.core.octets import index
from sbc.core.routing import Routes
from sbc.model.http import Request
from sbc.model.ids import PrincipalId, at_address
from sbc.model.route import KeySource, Route
from sbc.protocols.protocol import Protocol
from sbc.runtime.rules import Rules

MOST_WAYS = 1024
"""Of more places than these, all are forgotten: agents have few, and who tries many gains nothing."""
_QUERY = ord("?")
_TOKENS = ((KeySource.HEADER, "session-id"), (KeySource.QUERY, "session"))
"""Where clients show the tokens of their sessions (docs/DESIGN.md 5.3)."""


class Way:
    """A route, with all that belongs to it."""

    __slots__ = ("_address", "_client", "agent", "asks_for_body", "authority", "doorman", "in_body", "key", "limits",
                 "manifest", "mark", "most_body", "most_fields", "most_head", "paced", "policy", "protocol", "rewrite",
                 "route", "shares_place")

    def __init__(self, route: Route, rules: Rules) -> None:
        self.route = route
        self.agent = route.agent
        self.key = route.session
        self.in_body = route.session.source is KeySource.BODY
        """Whether the session's key stands in the body."""
        self.shares_place = (route.session.source, route.session.name) in _TOKENS
        """Whether the client's own keys stand where tokens stand."""
        self.policy = rules.policies[route.policy]
        limits = self.limits = self.policy.limits
        self.most_head, self.most_fields, self.most_body = limits.head, limits.headers, limits.body
        self.paced = any(rate is not None for rate in (
            limits.messages_per_second, limits.sessions_per_second, limits.messages_per_second_of,
            limits.bytes_per_second_of))
        """Whether requests are counted before a node is asked."""
        self.protocol = rules.protocols[route.name]
        self.asks_for_body = type(self.protocol).wants_body is not Protocol.wants_body
        """Whether the protocol wants to see the whole body of some requests first."""
        self.doorman = rules.doormen.get(route.policy)
        self.manifest = rules.agents[route.agent]
        self.mark = self.manifest.mark
        self.authority = rules.authorities.of(route.policy)
        """Who may come in; None: everybody."""
        self.rewrite = self.policy.rewrite
        self._client, self._address = "", PrincipalId("")

    def address(self, client: str) -> PrincipalId:
        """The principal of a client that was not asked who it is."""
        if client != self._client:
            self._client, self._address = client, at_address(client)
        return self._address


class Ways:
    """The ways of one set of rules."""

    __slots__ = ("_authority", "_known", "_last", "_routes", "_target", "hops", "rules")

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.hops = rules.hops
        self._routes: Routes = rules.routes
        self._known: dict[tuple[bytes, bytes], Way] = {}
        self._authority, self._target = b"", b""
        self._last: Way | None = None
        """The way that was found last, and for what: most requests are for the same."""

    def find(self, request: Request) -> Way | None:
        """The way that a request takes; None: there is none."""
        authority, target = request.authority, request.target
        if target == self._target and authority == self._authority:
            return self._last
        mark = index(target, _QUERY)
        path = target if mark < 0 else target[:mark]
        place = (authority, path)
        way = self._known.get(place)
        if way is None:
            route = self._routes.find(authority.decode("latin-1"), path.decode("latin-1"))
            if route is None:
                return None
            if len(self._known) >= MOST_WAYS:
                self._known.clear()
            way = self._known[place] = Way(route, self.rules)
        self._authority, self._target, self._last = authority, target, way
        return way
