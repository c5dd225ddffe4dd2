"""What a configuration says about sessions: manifests, policies and routes, as they are written."""

from typing import Annotated

from pydantic import Field

from sbc.config.schema_auth import Access, Auth
from sbc.config.section import Section, default
from sbc.config.units import Duration, Size
from sbc.config.values import (
    AgentKey,
    FieldPath,
    FieldText,
    Label,
    Loss,
    Name,
    RouteHost,
    RoutePath,
    Token,
    choice,
    whole,
)


class State(Section):
    """What a session's state is like; shown to nodes."""

    footprint: Annotated[int, Size("1B", "1024GiB")] | None = None
    """How much memory a session takes on its node."""
    resumable: bool = False
    """Whether a node can go on from another node's checkpoint."""


class Placement(Section):
    """Which nodes may have a session."""

    regions: list[Name] = Field(default=[], max_length=64)
    """One of these; a node is in a region by its label `region` or a zone named after it (`eu`, `eu-1`). Empty: any."""
    labels: dict[Name, Label] = Field(default={}, max_length=64)
    """What a node's labels must be."""
    spread: Annotated[str, choice("zone", "none")] = "zone"
    """Where the replica goes: `zone` asks for another zone than the owner's."""


class Migration(Section):
    """How a session moves to another node."""

    allowed: bool = True
    """Whether it may move at all; if not, it ends with its node."""
    when: Annotated[str, choice("turn", "now")] = "turn"
    """When a planned move happens: at the end of a turn, or at once. Answers that no other node could go on with have
    until the deadline: then with `turn` the move is given up, and with `now` they are cut."""
    standby: Annotated[str, choice("cold", "warm", later=("hot",))] = "cold"
    """`cold`: connect to the replica when needed; `warm`: keep a leg open. `hot`: not available in this version."""
    output: Annotated[str, choice("continue", "regenerate")] = "continue"
    """What the new owner says: it goes on from where the client is, or says it all again and the edge suppresses."""
    replay: Annotated[str, choice("auto", "all", "none")] = "auto"
    """What a new owner is sent again without a checkpoint: what was certainly not sent, the whole journal, nothing."""
    tolerated_loss: Loss = "none"
    """How many messages a held client may lose before its session has to end: `none`, `any` or a number."""
    trust: list[Annotated[str, choice("annotations", "message_ids")]] = Field(default=[], max_length=2)
    """What the edge may believe of a request's being safe to say twice: the annotations of MCP tools (readOnlyHint,
    idempotentHint); that A2A agents do nothing twice for the same messageId."""
    deadline: Annotated[float, Duration(0, "1h")] = default("5s")
    """How long a planned move waits for the turn's end."""
    hold: Annotated[float, Duration(0, "1d")] = default("30s")
    """How long a client is kept while no node can take its session, and a session while its client is away."""


class Scaling(Section):
    """How sessions live and end; shown to nodes."""

    warm_up: Annotated[float, Duration(0, "1d")] | None = None
    """How long a node takes to be ready for a session."""
    hibernate_after: Annotated[float, Duration(0, "30d")] | None = None
    """After how long a silence the session needs no node."""
    max_life: Annotated[float, Duration("1s", "365d")] | None = None
    """How long a session lives at most."""


class Verification(Section):
    """What a session leaves as proof; shown to nodes."""

    receipts: Annotated[str, choice("signed", "none")] = "none"
    """Whether nodes are to sign receipts."""


class Agent(Section):
    """What an agent declares about its sessions. Invited nodes are shown the whole of it."""

    pool: Name
    """Where its sessions live."""
    continuity: Annotated[str, choice("synchronous", "interactive", "autonomous")] = "interactive"
    """How soon the silence of a session hurts; synchronous ones are moved first."""
    latency_ceiling: Annotated[float, Duration("1ms", "1h")] | None = None
    """How long a client may have to wait for the first message of an answer; nodes that break it lose sessions. null:
    it is not watched."""
    past_ceiling: Annotated[str, choice("wait", "refuse")] = "wait"
    """What becomes of a request whose answer has not begun within `latency_ceiling`: `wait`: it goes on; `refuse`: its
    client is answered with 504."""
    state: State = Field(default_factory=State)
    """What a session's state is like; shown to nodes."""
    placement: Placement = Field(default_factory=Placement)
    """Which nodes may have a session."""
    migration: Migration = Field(default_factory=Migration)
    """How a session moves to another node."""
    durability: Annotated[str, choice("none", "async", "sync")] = "async"
    """What a returning client finds if its edge has died: `async`: all but the last milliseconds; `sync`: all, for no
    message is passed on before the store has it; `none`: what its node has made durable, for no message is stored."""
    scaling: Scaling = Field(default_factory=Scaling)
    """How sessions live and end; shown to nodes."""
    value: Annotated[str, choice("rising", "flat")] = "rising"
    """Whether a session is worth more the longer it lasts; those of flat value are shed first."""
    verification: Verification = Field(default_factory=Verification)
    """What a session leaves as proof; shown to nodes."""


class NewSessions(Section):
    """How many sessions may begin a second; what begins too soon is refused before a node is asked."""

    principal: Annotated[int, whole(1, 1_000_000)] | None = None
    """How many of one client; more are answered with 429."""
    source: Annotated[int, whole(1, 1_000_000)] | None = None
    """How many from one IPv4 address or one IPv6 /64; more are answered with 429."""
    agent: Annotated[int, whole(1, 1_000_000)] | None = None
    """How many of an agent, from all clients together; more are answered with 503."""
    tenant: Annotated[int, whole(1, 1_000_000)] | None = None
    """How many of all clients of a tenant (`auth.jwt.tenant`); more are answered with 429."""


class Messages(Section):
    """How many messages and requests may come in all sessions of one. A connection over it is not read for a while."""

    principal: Annotated[int, whole(1, 10_000_000)] | None = None
    """From one client; a request over it is answered with 429."""
    source: Annotated[int, whole(1, 10_000_000)] | None = None
    """From one IPv4 address or one IPv6 /64; a request over it is answered with 429."""
    agent: Annotated[int, whole(1, 10_000_000)] | None = None
    """To an agent, from all clients together; a request over it is answered with 503."""
    tenant: Annotated[int, whole(1, 10_000_000)] | None = None
    """From all clients of a tenant (`auth.jwt.tenant`); a request over it is answered with 429."""


class Octets(Section):
    """How much clients may say in all sessions of one. A connection over it is not read for a while."""

    principal: Annotated[int, Size("16KiB", "64GiB")] | None = None
    """One client; a request over it is answered with 429."""
    source: Annotated[int, Size("16KiB", "64GiB")] | None = None
    """From one IPv4 address or one IPv6 /64; a request over it is answered with 429."""
    agent: Annotated[int, Size("16KiB", "64GiB")] | None = None
    """To an agent, from all clients together; a request over it is answered with 503."""
    tenant: Annotated[int, Size("16KiB", "64GiB")] | None = None
    """All clients of a tenant (`auth.jwt.tenant`); a request over it is answered with 429."""


class Limits(Section):
    """The bounds of a session."""

    sessions_per_principal: Annotated[int, whole(1, 1_000_000)] = 1000
    """How many sessions one client may have at once."""
    sessions_per_tenant: Annotated[int, whole(1, 10_000_000)] | None = None
    """How many all clients of a tenant (`auth.jwt.tenant`) may have at once; null: any number."""
    sessions_per_second: NewSessions | None = None
    """How many sessions may begin a second; null: as many as come."""
    messages_per_second: Annotated[int, whole(1, 1_000_000)] | None = None
    """How many messages or requests a client may send in a session; null: any number. A connection over it is not read
    for a while, a request over it is answered with 429. Requests that name no session: of one principal."""
    bytes_per_second: Annotated[int, Size("16KiB", "64GiB")] | None = None
    """How much a client may send in a session, in the same way; null: any amount. A body counts by its Content-Length
    when it begins, one without when it is over; requests that name no session are not counted."""
    messages_per_second_of: Messages | None = None
    """How many messages and requests may come a second in all sessions of one; null: as many as come."""
    bytes_per_second_of: Octets | None = None
    """How much clients may say a second in all sessions of one; null: as much as they will."""
    burst: Annotated[float, Duration("100ms", "10m")] = default("2s")
    """So many seconds' worth of each of these rates may come at once."""
    message: Annotated[int, Size("1B", "64MiB")] = default("1MiB")
    """The largest message, from either side; one that was compressed is passed on as it is, and counts as it is on the
    wire; of HTTP: the largest body that has to be read before it is sent on."""
    body: Annotated[int, Size("1B", "1024GiB")] = default("64MiB")
    """The largest body of a request, also of one that is passed on as it comes; more is answered with 413.
    The stream of a gRPC call has no such bound."""
    journal: Annotated[int, Size("4KiB", "64MiB")] = default("256KiB")
    """How much of each direction is kept for a handover."""
    head: Annotated[int, Size("1KiB", "1MiB")] = default("32KiB")
    """The largest head of a request."""
    headers: Annotated[int, whole(8, 1000)] = 100
    """How many headers a request may have."""
    head_timeout: Annotated[float, Duration("100ms", "5m")] = default("10s")
    """How long a client may take for TLS and the head."""
    idle: Annotated[float, Duration("100ms", "30d")] = default("1h")
    """A session in which no message passes for so long is ended, a second later at the latest."""
    ping: Annotated[float, Duration("50ms", "1h")] = default("20s")
    """After how much silence a connection is asked whether it lives; silent for twice as long, it is lost. Silence is
    looked at each second: what is shorter than that is seen within two."""


class Headers(Section):
    """What becomes of headers."""

    hide: list[Token] = Field(default=[
        "Server", "X-Powered-By", "Via", "X-Served-By", "X-Backend-Server", "X-Upstream", "X-AspNet-Version",
        "X-Runtime", "X-Envoy-Upstream-Service-Time", "Content-Location"], max_length=64)  # fmt: skip
    """Response headers of nodes that clients do not see."""
    set: dict[Token, FieldText] = Field(default={}, max_length=32)
    """Response headers that clients are sent with the answers of nodes, in the place of the nodes' own."""
    remove: list[Token] = Field(default=[], max_length=64)
    """Request headers of clients that nodes do not see."""
    tell: dict[Token, FieldText] = Field(default={}, max_length=32)
    """Request headers that nodes are sent, in the place of the clients' own."""


class Policy(Section):
    """What the sessions of a route may do."""

    auth: Auth | None = None
    """Who may come in, and who a client is; null: everybody, and the principal is the client's address."""
    access: Access | None = None
    """Who may ask at all; null: whoever reaches the listener."""
    limits: Limits = Field(default_factory=Limits)
    """The bounds of a session."""
    headers: Headers = Field(default_factory=Headers)
    """What becomes of headers."""


class Match(Section):
    """Which hellos a route takes."""

    path: RoutePath = "/"
    """A prefix on segment borders; `/` matches all."""
    host: RouteHost | None = None
    """The host the client asks for; null: any."""


class SessionKey(Section):
    """Where the client's own key of a session stands: exactly one of these."""

    header: Token | None = None
    """The header of this name."""
    cookie: Token | None = None
    """The cookie of this name."""
    query: Token | None = None
    """The query parameter of this name."""
    path_segment: Annotated[int, whole(0, 63)] | None = None
    """The segment of the path with this number; the first is 0."""
    jwt_claim: Token | None = None
    """The claim of this name in the client's bearer token; whether the token is good, its node judges."""
    json_field: FieldPath | None = None
    """The field of a JSON body at this dotted path; for requests only."""


class Route(Section):
    """Where the hellos that match go."""

    match: Match = Field(default_factory=Match)
    """Which hellos it takes."""
    agent: AgentKey
    """Which agent serves them."""
    protocol: Annotated[str, choice(
        "opaque", "sse", "mcp", "a2a", "agentcore", "realtime", "openai"
    )] = "opaque"
    """What the messages mean: which session a request belongs to, where a turn ends, what may be said twice."""
    policy: Name = "default"
    """What its sessions may do."""
    session: SessionKey | None = None
    """Where the client's own key of a session stands; null: the edge makes one for each session."""
