"""What a configuration says about pools: their nodes, where further ones are found, how they are probed and trusted."""

from typing import Annotated, Final

from pydantic import Field

from sbc.config.section import Section, default
from sbc.config.units import Duration
from sbc.config.values import (
    File,
    Label,
    ListenAddress,
    Name,
    NodeUrl,
    RouteHost,
    RoutePath,
    choice,
    patterned,
    whole,
)

ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where a pod finds what it shows to the API server."""
# RFC 1123 labels, as names in Kubernetes are.
KubernetesName = Annotated[str, patterned(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", "a name in Kubernetes", "tutors")]


class Node(Section):
    """A node whose place is known beforehand; others register over the trunk."""

    name: Name
    """Its name within the pool; a node that registers under it is this one."""
    url: NodeUrl
    """Where it takes sessions; a path in it is put before that of every request."""
    zone: Name | None = None
    """What fails together with it; replicas go to another zone."""
    capacity: Annotated[int, whole(1, 1_000_000)] = 1000
    """How many sessions it may have at once."""
    labels: dict[Name, Label] = Field(default={}, max_length=64)
    """What agents may ask for in `placement.labels`."""


class Probe(Section):
    """How a node without a trunk is asked over HTTP whether it lives."""

    path: RoutePath | None = None
    """A 2xx or 3xx to this path is a sign of life; null: any HTTP answer to `/` is."""
    every: Annotated[float, Duration("50ms", "1h")] = default("1s")
    """The pause between two probes."""
    timeout: Annotated[float, Duration("10ms", "1m")] = default("500ms")
    """When an answer is late."""
    fall: Annotated[int, whole(1, 100)] = 2
    """How many failures in a row take a node down."""
    rise: Annotated[int, whole(1, 100)] = 2
    """How many answers in a row bring it up again."""


class NodeTls(Section):
    """How TLS is spoken to nodes."""

    ca: File | None = None
    """The certificates (PEM) of those who vouch for the nodes'; null: the authorities of the system."""
    cert: File | None = None
    """The certificate that nodes are shown, its chain behind it; null: none."""
    key: File | None = None
    """Its private key, without a pass phrase."""
    server_name: RouteHost | None = None
    """What the certificates of the nodes have to be for; null: for the host of their URL."""


class DnsNames(Section):
    """A name whose addresses, or whose services, are the nodes."""

    name: Annotated[str, patterned(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?", "a name in DNS",
                                   "tutors.internal")]
    """What is asked for; it is taken as it is, no search domain is put behind it."""
    port: Annotated[int, whole(1, 65535)] | None = None
    """Where the nodes listen; not with `srv`, which says that itself."""
    srv: bool = False
    """Ask for SRV records, of which those of the lowest priority are the nodes; else for A and AAAA."""
    servers: list[ListenAddress] = Field(default=[], max_length=8)
    """Whom to ask; none: those of /etc/resolv.conf."""


class NodeFiles(Section):
    """Files with lists of nodes, each as under `nodes`, in YAML or JSON."""

    paths: list[File] = Field(min_length=1, max_length=64)
    """Together they are the nodes."""


class EndpointSlices(Section):
    """A service of Kubernetes, whose pods are the nodes. They are named after their pods."""

    service: KubernetesName
    """Its name."""
    namespace: KubernetesName = "default"
    """Where it is."""
    port: Annotated[str, patterned(r"[a-z0-9](?:[a-z0-9-]{0,13}[a-z0-9])?", "a port's name or number", "http")] | None \
        = None
    """Which of its ports, by name or number; null: the only one."""
    api: Annotated[str, patterned(r"https?://[A-Za-z0-9.\[\]:-]+", "the URL of the API server",
                                  "https://kubernetes.default.svc")] = "https://kubernetes.default.svc"
    """Where the API server is."""
    token_file: File | None = f"{ACCOUNT}/token"
    """The bearer token, read anew for each request; null: none is shown."""
    ca: File | None = f"{ACCOUNT}/ca.crt"
    """Who vouches for the API server (PEM); null: the authorities of the system."""


class Discover(Section):
    """Where further nodes of a pool are found: in one of `dns`, `files` and `kubernetes`. One that is found no more is
    drained: its sessions move."""

    dns: DnsNames | None = None
    """In DNS."""
    files: NodeFiles | None = None
    """In files that others write."""
    kubernetes: EndpointSlices | None = None
    """With Kubernetes, by its EndpointSlices."""
    every: Annotated[float, Duration("100ms", "1h")] = default("5s")
    """The pause between two looks, and after a failure. DNS is asked again only once what it said has expired, and
    Kubernetes tells of changes by itself."""
    keep: Annotated[float, Duration("1s", "30d")] = default("1h")
    """For how long the nodes stay that were found last when nothing is found, or nobody answers."""
    scheme: Annotated[str, choice("http", "https", "h2c", "h2")] = "http"
    """What is spoken to nodes of DNS and Kubernetes."""
    capacity: Annotated[int, whole(1, 1_000_000)] = 1000
    """How many sessions each of these may have at once."""
    zone: Name | None = None
    """Their zone, where Kubernetes does not say it."""
    labels: dict[Name, Label] = Field(default={}, max_length=64)
    """Their labels."""


class Pool(Section):
    """Nodes of one kind."""

    nodes: list[Node] = Field(default=[], max_length=4096)
    """The nodes that are known beforehand."""
    discover: Discover | None = None
    """From where further nodes become known, and which of them are there no more."""
    tls: NodeTls | None = None
    """How TLS is spoken to its nodes; with it, all of them have to speak it. null: as the system has it, where a node's
    URL says so."""
    probe: Probe | None = Field(default_factory=Probe)
    """How its nodes are probed; null: not at all."""
