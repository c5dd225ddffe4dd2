"""What may be written about the other edges of a store that edges share."""

from typing import Annotated

from sbc.config.section import Section
from sbc.config.values import File, ListenAddress, patterned

HostAndPort = Annotated[str, patterned(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}",
                                       "a host and a port, such as edge-1.internal:7070", "edge-1.internal:7070")]


class InterconnectTls(Section):
    """How edges know each other: TLS with certificates of both sides, vouched for by authorities of the edges' own."""

    cert: File
    """This edge's certificate, its chain behind it: for the host that is advertised, good for servers and clients."""
    key: File
    """Its private key, without a pass phrase."""
    ca: File
    """The certificates of those who vouch for edges, and for nobody else: whoever shows one of theirs may speak for any
    client."""


class Interconnect(Section):
    """Where other edges send the requests whose sessions are here (one hop; WebSockets bring their sessions along)."""

    listen: ListenAddress
    """Where it listens. With `workers`, the second has the port behind it, and so on."""
    advertise: HostAndPort | None = None
    """Where the other edges reach it; null: where it listens."""
    tls: InterconnectTls
    """How edges know each other."""
