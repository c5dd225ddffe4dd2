"""What the packets of a session's connections bear, so that networks and queues can tell the classes apart."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mark:
    """What the packets of one class bear."""

    rank: int
    """Of the class: on a connection that several share the lowest holds."""
    dscp: int
    """0 to 63 (RFC 2474), for the network."""
    priority: int
    """SO_PRIORITY (socket(7)), for the queues of this machine: at most 6, above which a privilege is needed."""
