"""What the sessions of a route may do. Durations are in seconds, sizes in bytes."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from sbc.model.identity import Auth


@dataclass(frozen=True, slots=True)
class PerSecond:
    """How much may come a second of all that is somebody's together; None: as much as comes."""

    principal: int | None = None
    source: int | None = None
    """Of one IPv4 address, or of one IPv6 /64."""
    agent: int | None = None
    """Of all clients together."""
    tenant: int | None = None
    """Of all clients of a tenant."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may have, say and take."""
    sessions_per_principal: int = 1000
    message: int = 1024 * 1024
    journal: int = 256 * 1024
    """The bound of a dialog's journal, for each direction."""
    head: int = 32 * 1024
    headers: int = 100
    head_timeout: float = 10.0
    idle: float = 3600.0
    """A session in which no message passes for so long is ended."""
    ping: float = 20.0
    """How often a silent connection is asked whether it lives; unanswered for twice as long, it is lost."""
    body: int = 64 * 1024 * 1024
    """How long the body of a request may be, passed on as it comes or not."""
    sessions_per_second: PerSecond | None = None
    messages_per_second: int | None = None
    """Of a session's client; of requests that name no session: of their principal."""
    bytes_per_second: int | None = None
    """Of a session's client."""
    messages_per_second_of: PerSecond | None = None
    """Of all sessions of one, and of requests that name none."""
    bytes_per_second_of: PerSecond | None = None
    burst: float = 2.0
    """So many seconds' worth of a rate may come at once."""
    sessions_per_tenant: int | None = None
    """Of all clients of a tenant together; None: any number."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask at all; what is empty allows everything."""

    allow: tuple[IPv4Network | IPv6Network, ...] = ()
    deny: tuple[IPv4Network | IPv6Network, ...] = ()
    """Goes before `allow`."""
    methods: frozenset[bytes] = frozenset()
    origins: frozenset[bytes] = frozenset()
    """In lower case. Requests that name no origin are let in."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What becomes of the header fields of requests; names in lower case."""

    removed: frozenset[bytes]
    added: tuple[tuple[bytes, bytes], ...]
    """Each in the place of those of its name, which are removed."""


@dataclass(frozen=True, slots=True)
class Policy:
    """All that a route says of its clients."""
    name: str
    limits: Limits
    hidden: frozenset[bytes] = frozenset({
        b"server", b"x-powered-by", b"via", b"x-served-by", b"x-backend-server", b"x-upstream", b"x-aspnet-version",
        b"x-runtime", b"x-envoy-upstream-service-time", b"content-location",
    })  # fmt: skip
    """Response headers of nodes that clients do not see, in lower case."""
    auth: Auth | None = None
    """Who may come in; None: everybody, and a client is known by its address."""
    access: Access | None = None
    """None: whoever asks may ask."""
    added: tuple[tuple[bytes, bytes], ...] = ()
    """What is added to the answers of nodes; their own fields of these names are hidden."""
    rewrite: Rewrite | None = None
    """None: requests go to nodes as they came."""
