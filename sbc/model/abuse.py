"""What is done about sources that misbehave, as the configuration says it."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

LOOPBACK: tuple[IPv4Network | IPv6Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


@dataclass(frozen=True, slots=True)
class AbuseRules:
    refuse: int | None = 100
    """The score at which a source is let in no more; None: never."""
    block: int | None = None
    """The score at which the kernel drops what it sends; None: never."""
    period: float = 600.0
    """For how long, in seconds; in so long, half of a score is forgotten, too."""
    exempt: tuple[IPv4Network | IPv6Network, ...] = LOOPBACK
    """From where nothing is held against anybody."""
