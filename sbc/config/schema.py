"""The configuration as it is written: docs/DESIGN.md section 5.2 as pydantic models.

Each attribute's docstring is what an editor shows for the key (`sbc schema`), and docs/CONFIGURATION.md has a row for
it. Unknown keys are faults, and so are known ones that this version does not carry out: nothing is accepted silently.
What agents and routes are made of stands in schema_session.py, pools in schema_pools.py, proofs and access in
schema_auth.py, marks and orders to the kernel in schema_network.py.
"""

from typing import Annotated, Any, Final

from pydantic import Field

from sbc.config.schema_capacity import Admission, Drain
from sbc.config.schema_edges import Interconnect
from sbc.config.schema_network import Kernel, Marking, SharedAddress
from sbc.config.schema_pools import Pool
from sbc.config.schema_session import Agent, Policy, Route
from sbc.config.section import Section, default
from sbc.config.units import Duration
from sbc.config.values import (
    AgentKey,
    Digest,
    File,
    Label,
    ListenAddress,
    Name,
    Network,
    Store,
    TrunkUrl,
    Workers,
    choice,
    whole,
)

ADMIN_LISTEN: Final = "127.0.0.1:9070"
REFUSE: Final = 100
REDIS_LEASE: Final = "45s"


class SealKey(Section):
    """A key that session tokens are sealed with."""

    id: Name
    """Stands in every token that the key has sealed."""
    file: File
    """Where the key is; made on first start if missing."""


class Redis(Section):
    """How the Redis store is spoken to, and for how long an edge owns its sessions without it."""

    user: Label | None = None
    """Whose password it is (ACL); without one, the server's default user."""
    password_file: File | None = None
    """The file with the password."""
    sentinel_password_file: File | None = None
    """The file with the password of the Sentinels."""
    ca: File | None = None
    """With rediss: the authorities that the server's certificate is judged by; null: those of the system."""
    cert: File | None = None
    """With rediss: the certificate that the server is shown, its chain behind it; null: none."""
    key: File | None = None
    """Its private key, without a pass phrase."""
    lease: Annotated[float, Duration("2s", "10m")] = default(REDIS_LEASE)
    """For how long an edge that cannot reach the store goes on with its sessions. It ends them then, and no other edge
    has taken one of them before. The sessions of an edge that is lost with its machine are nobody's for as long."""
    patience: Annotated[float, Duration("50ms", "30s")] = default("1s")
    """After how much silence the server is taken for lost."""


class Edge(Section):
    """The edge itself."""

    name: Name = "edge-1"
    """What nodes and logs call this edge."""
    workers: Workers = 1
    """Processes, one event loop each; `auto`: one for each processor. With more than one, `sbc run` opens every socket,
    starts the workers, and speaks for all of them."""
    store: Store = "memory:"
    """Where bindings, checkpoints and journals are kept. `memory:` ends with the process, `sqlite:PATH` is one edge's,
    a Redis store is shared by edges, each of which has a `name` of its own."""
    redis: Redis | None = None
    """How the Redis store is spoken to."""
    address: SharedAddress | None = None
    """An address that this edge has while no other one does."""
    interconnect: Interconnect | None = None
    """How other edges of the same Redis store reach this one; null: a session that another edge has is claimed."""
    seal_keys: list[SealKey] = Field(default=[], max_length=16)
    """The first seals session tokens, all open them. With none, tokens are good until the edge is started again."""
    records: File | None = None
    """The file that the record of each ended session is appended to, one JSON object a line."""
    h2_engine: Annotated[str, choice("auto", "ngh2", "h2")] = "auto"
    """What reads and writes HTTP/2: `ngh2` (nghttp2, in C), `h2` (in Python); `auto`: the first that is installed."""
    quic_engine: Annotated[str, choice("auto", "qh3", "aioquic")] = "auto"
    """What reads and writes QUIC: `qh3` (in Rust), `aioquic` (in Python; slower, but a client whose messages nobody
    takes is held up, not cut off); `auto`: `qh3`."""


class AdminToken(Section):
    """A token that an operator shows."""

    name: Name
    """What the log calls who shows it."""
    sha256: Digest
    """The SHA-256 of the token, which itself stands nowhere: `printf %s TOKEN | sha256sum`."""
    role: Annotated[str, choice("view", "operate")] = "view"
    """`view`: may read everything; `operate`: may also give orders: end, migrate, drain, undrain, reload."""


class Admin(Section):
    """The operators' door: REST, metrics, health."""

    listen: ListenAddress = default(ADMIN_LISTEN)
    """Where it listens. It speaks no TLS: off loopback, let only a private network reach it."""
    tokens: list[AdminToken] = Field(default=[], max_length=64)
    """Who may ask: anything but `/healthz` and `/readyz` then needs `Authorization: Bearer TOKEN`. Empty: whoever
    reaches the address may read everything and give orders."""


class Certificate(Section):
    """A certificate and its key, both PEM."""

    cert: File
    """The chain, leaf first."""
    key: File
    """The private key, without a pass phrase."""


class Tls(Section):
    """How TLS is spoken."""

    certificates: list[Certificate] = Field(min_length=1, max_length=256)
    """Chosen by the client's SNI; the first is for clients that name no host, or another one."""
    client_ca: File | None = None
    """The certificates (PEM) of those who vouch for the other side's; null: no certificate is asked for."""
    client_certificate: Annotated[str, choice("required", "optional")] = "required"
    """With `client_ca`: whether the handshake fails when none is shown. A wrong one fails it in either case."""
    min_version: Annotated[str, choice("1.2", "1.3")] = "1.2"
    """The oldest version of TLS that is spoken."""


class Trunk(Section):
    """Where nodes signal."""

    listen: ListenAddress
    """Where it listens."""
    secret_file: File | None = None
    """The file with the bearer secret that nodes must show; without it any node may register."""
    tls: Tls | None = None
    """TLS towards nodes."""
    advertise: TrunkUrl | None = None
    """Where nodes reach it that hear of it from another edge of the same store; without it no node hears of it."""


class Listener(Section):
    """Where clients come in."""

    name: Name
    """What logs and metrics call it."""
    listen: ListenAddress
    """Where it listens; port 0 is any free one."""
    transports: list[Annotated[str, choice("websocket", "http1", "http2", "quic")]] = Field(
        default=["websocket", "http1", "http2"], min_length=1, max_length=4)
    """What is spoken there: `http1`, `http2` and `quic`: requests, by that version of HTTP (`quic`: HTTP/3, on the UDP
    port of the same number, with `tls`); `websocket`: WebSockets, over each of them."""
    tls: Tls | None = None
    """TLS towards clients; without it the listener speaks plain text."""
    quic_retry: Annotated[str, choice("auto", "always")] = "auto"
    """When a client has to show that it is at its address before a QUIC handshake is begun, which takes it a round trip
    more: `auto`: while many handshakes are under way; `always`."""
    trusted_hops: Annotated[int, whole(0, 16)] = 0
    """How many HTTP proxies of one's own stand in front: the client is whom the outermost of them names in
    X-Forwarded-For or Forwarded. 0: nobody in front, what clients say there is replaced."""
    proxy_protocol: Annotated[str, choice("off", "accept", "require")] = "off"
    """The PROXY protocol, versions 1 and 2, from the addresses of `proxy_from`: `require`: every connection begins with
    it, and comes from there; `accept`: those from there may begin with it."""
    proxy_from: list[Network] = Field(default=[], max_length=256)
    """From where the PROXY protocol is believed. Empty: this machine alone, on a listener that only it can reach."""


class Abuse(Section):
    """What is done about sources that misbehave: an IPv4 address, or an IPv6 /64."""

    refuse: Annotated[int, whole(1, 1_000_000)] | None = REFUSE
    """The score at which a source is let in no more: its connections are closed before TLS, its QUIC is not answered.
    null: never."""
    block: Annotated[int, whole(1, 1_000_000)] | None = None
    """The score at which the kernel drops all that comes from a source, what is open with it too; more than `refuse`,
    and only with `kernel`. null: never."""
    period: Annotated[float, Duration("1s", "7d")] = default("10m")
    """For how long; and in so long, half of a score is forgotten."""
    exempt: list[Network] = Field(default=["127.0.0.0/8", "::1/128"], max_length=256, validate_default=True)
    """From where nothing is held against anybody. The proxies of `proxy_from` never are, nor those who come through a
    listener with `trusted_hops`."""


class Document(Section):
    """A whole configuration of sbc."""

    edge: Edge = Field(default_factory=Edge)
    """The edge itself."""
    admin: Admin = Field(default_factory=Admin)
    """The operators' door: REST, metrics, health."""
    trunk: Trunk | None = None
    """Where nodes signal; without it only the nodes that are written here serve."""
    listeners: list[Listener] = Field(min_length=1, max_length=64)
    """Where clients come in."""
    pools: dict[Name, Pool] = Field(min_length=1, max_length=1024)
    """Nodes of one kind, by name."""
    agents: dict[AgentKey, Agent] = Field(min_length=1, max_length=1024)
    """What agents declare about their sessions, by name."""
    policies: dict[Name, Policy] = Field(default={}, max_length=1024)
    """What sessions may do, by name; `default` is there even if it is not written."""
    abuse: Abuse = Field(default_factory=Abuse)
    """What is done about sources that misbehave."""
    admission: Admission = Field(default_factory=Admission)
    """How many sessions the edge takes, and which it refuses first."""
    drain: Drain = Field(default_factory=Drain)
    """How sessions leave a node, and the edge."""
    marking: Marking = Field(default_factory=Marking)
    """What the packets of sessions bear."""
    kernel: Kernel | None = None
    """What the warden is asked for; without it the edge orders nothing of the kernel."""
    routes: list[Route] = Field(min_length=1, max_length=4096)
    """Which hellos go where: the longest matching path wins."""


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a configuration, for editors."""
    schema = Document.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "sbc configuration"}
