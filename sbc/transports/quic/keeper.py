"""What a QUIC connection and its door know of each other."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeVar

from sbc.transports.quic.beat import Beat
from sbc.transports.quic.udp import Local
from sbc.transports.watch import Times
from sbc.wire.http3.engine import Address

HANDSHAKE_TIMEOUT = 10.0
"""How long a handshake may take, in seconds."""

TIMES = Times()

Connection_contra = TypeVar("Connection_contra", contravariant=True)


class State(Enum):
    """How far a connection is: see connection.py."""

    SHAKING = "shaking"
    OPEN = "open"
    NOTICED = "noticed"
    LEAVING = "leaving"
    OVER = "over"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Manners:
    """What holds for all connections of a listener."""

    listener: str
    engine: str
    """`auto`, `qh3` or `aioquic`."""
    websocket: bool
    """Whether WebSockets, and WebTransport sessions, are taken."""
    times: Times = TIMES
    handshake: float = HANDSHAKE_TIMEOUT


class Others(Protocol):
    """The other processes that serve the same port, or did so before (passing.py)."""

    @property
    def worker(self) -> int:
        """The number of this one."""

    def pass_on(self, listener: str, identity: bytes, datagram: bytes, source: Address, local: Local) -> bool:
        """A datagram with an id that leads nowhere here; whether another process has it now."""

    def bound(self, listener: str, connection_id: bytes) -> None:
        """Datagrams with this id are for us."""

    def unbound(self, listener: str, connection_id: bytes) -> None:
        """No longer."""


class Doorkeeper(Protocol[Connection_contra]):
    """Who knows which datagrams are for whom."""

    @property
    def retiring(self) -> bool:
        """Whether no more requests are to be taken."""

    @property
    def beat(self) -> Beat:
        """When pieces are sent that follow others closely."""

    def held_up(self, connection: Connection_contra) -> bool:
        """Whether nothing can be sent at the moment; if so, its `flowing` tells of the end of it."""

    def send(self, datagrams: list[tuple[bytes, Address]], local: Local) -> None:
        """Send them."""

    def bind(self, connection_id: bytes, connection: Connection_contra) -> None:
        """Datagrams with this id are for this connection."""

    def unbind(self, connection_id: bytes) -> None:
        """No longer."""

    def shaken(self, connection: Connection_contra) -> None:
        """Its handshake is done."""

    def moved(self, connection: Connection_contra) -> None:
        """Its client has another address now."""

    def over(self, connection: Connection_contra, *, shaken: bool) -> None:
        """It is no more but for its last words. shaken: whether its handshake was done."""

    def forget(self, connection: Connection_contra) -> None:
        """Nothing is left of it."""
