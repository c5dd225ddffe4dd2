"""The configuration as the rest of the house sees it: frozen values, checked and complete. Seconds and bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Network, IPv6Network, ip_address

from sbc.model.abuse import AbuseRules
from sbc.model.capacity import Capacity
from sbc.model.ids import AgentName, PoolName
from sbc.model.manifest import Continuity, Manifest
from sbc.model.node import Node, Probe
from sbc.model.policy import Policy
from sbc.model.route import Route


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen."""

    host: str
    """An IP address, without brackets."""
    port: int
    """0: any free one."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ip_address(self.host).is_loopback

    def clashes(self, other: "Address") -> bool:
        """Whether the two cannot both be listened on. IPv4 and IPv6 never clash: IPv6 listeners are v6-only."""
        ours, theirs = ip_address(self.host), ip_address(other.host)
        if self.port != other.port or self.port == 0 or ours.version != theirs.version:
            return False
        return ours == theirs or ours.is_unspecified or theirs.is_unspecified


@dataclass(frozen=True, slots=True)
class Certificate:
    """Two PEM files: the chain, leaf first, and its private key."""

    cert: str
    key: str


@dataclass(frozen=True, slots=True)
class Tls:
    """How TLS is spoken where others come in."""
    certificates: tuple[Certificate, ...]
    """Chosen by the client's SNI; the first is for clients that name no host, or another one."""
    min_version: str
    """`1.2` or `1.3`."""
    client_ca: str | None
    """The PEM file of those who vouch for the other side's certificate; None: it is not asked for one."""
    client_certificate: str
    """`required` or `optional`."""

    @property
    def proves(self) -> bool:
        """Whether whoever is let in has shown a certificate that is vouched for."""
        return self.client_ca is not None and self.client_certificate == "required"


@dataclass(frozen=True, slots=True)
class SealKey:
    """A key that session tokens are sealed with; the file is made on first start if missing."""

    id: str
    file: str


@dataclass(frozen=True, slots=True)
class Redis:
    """How a Redis store is spoken to; what is None is not needed. Times in seconds."""

    user: str | None
    password_file: str | None
    sentinel_password_file: str | None
    ca: str | None
    cert: str | None
    key: str | None
    lease: float
    patience: float


@dataclass(frozen=True, slots=True)
class SharedAddress:
    """An address that one edge of several has at a time."""

    share: str
    """With the length of its prefix."""
    device: str
    lease: float
    """Seconds."""

    @property
    def host(self) -> str:
        """The address alone."""
        return self.share.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Interconnect:
    """How other edges reach this one, and how they know each other."""

    listen: Address
    advertise: str | None
    """host:port; None: as it listens."""
    cert: str
    key: str
    ca: str


@dataclass(frozen=True, slots=True)
class Edge:
    """The edge itself."""
    name: str
    workers: int
    store: str
    """`memory:`, `sqlite:PATH`, or a URL of store_url.py."""
    seal_keys: tuple[SealKey, ...]
    """The first seals, all open. Empty: a key that lives as long as the process."""
    records: str | None
    """The file that session records are appended to, one JSON object a line."""
    h2_engine: str
    """`auto`, `ngh2` or `h2`."""
    quic_engine: str
    """`auto`, `qh3` or `aioquic`."""
    redis: Redis
    address: SharedAddress | None = None
    interconnect: Interconnect | None = None
    """None: other edges do not reach this one."""


class Role(Enum):
    """What an operator may do."""

    VIEW = "view"
    """Read."""
    OPERATE = "operate"
    """Read, and give orders."""


@dataclass(frozen=True, slots=True)
class AdminToken:
    """A token that an operator shows."""

    name: str
    sha256: str
    """Of the token, in lower-case hexadecimal digits."""
    role: Role


@dataclass(frozen=True, slots=True)
class Admin:
    listen: Address
    tokens: tuple[AdminToken, ...] = ()
    """Empty: nobody is asked for one."""


@dataclass(frozen=True, slots=True)
class TrunkDoor:
    """Where nodes signal."""

    listen: Address
    secret_file: str | None
    """The bearer secret that nodes must show stands here."""
    tls: Tls | None
    advertise: str | None = None
    """Where nodes dial it that hear of it from other edges."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Where clients come in."""

    name: str
    listen: Address
    transports: tuple[str, ...]
    tls: Tls | None
    trusted_hops: int
    proxy_protocol: str
    """`off`, `accept` or `require`."""
    proxy_from: tuple[IPv4Network | IPv6Network, ...]
    quic_retry: str
    """`auto` or `always`."""


@dataclass(frozen=True, slots=True)
class NodeTls:
    """How TLS is spoken to the nodes of a pool: PEM files."""

    ca: str | None
    """None: the authorities of the system."""
    cert: str | None
    key: str | None
    """Both, or none: nodes are shown no certificate."""
    server_name: str | None
    """None: the host of a node's URL."""


@dataclass(frozen=True, slots=True)
class DnsNames:
    """See schema_pools.py for this and those below."""

    name: str
    port: int | None
    srv: bool
    servers: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class NodeFiles:
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EndpointSlices:
    service: str
    namespace: str
    port: str | None
    api: str
    token_file: str | None
    ca: str | None


@dataclass(frozen=True, slots=True)
class Discover:
    """Where further nodes of a pool are found."""

    where: DnsNames | NodeFiles | EndpointSlices
    every: float
    keep: float
    scheme: str
    capacity: int
    zone: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Pool:
    """Nodes of one kind: those written here; others may join over the trunk."""

    name: PoolName
    nodes: tuple[Node, ...]
    probe: Probe | None
    """None: its nodes are not probed."""
    tls: NodeTls | None = None
    """None: as the system has it, where a node's URL says so."""
    discover: Discover | None = None


@dataclass(frozen=True, slots=True)
class Shaping:
    """How packets leave a device."""

    device: str
    rate: int
    """Bytes a second."""
    shares: Mapping[Continuity, int]
    """Bytes a second that each class has for certain."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """What the warden is asked for."""

    socket: str
    shaping: tuple[Shaping, ...]


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration."""

    edge: Edge
    admin: Admin
    trunk: TrunkDoor | None
    listeners: tuple[Listener, ...]
    pools: Mapping[PoolName, Pool]
    agents: Mapping[AgentName, Manifest]
    policies: Mapping[str, Policy]
    routes: tuple[Route, ...]
    abuse: AbuseRules
    capacity: Capacity
    marking: Mapping[Continuity, int | None]
    """The DSCP of each class, the highest first; None: it bears none."""
    kernel: Kernel | None
    """None: the edge orders nothing of the kernel."""
    source: str
    """The file it was read from."""
