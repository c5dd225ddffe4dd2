"""What the edge needs of a QUIC engine with HTTP/3 on it, for one connection of a client. No I/O, no clock.

    datagrams ──receive──> QuicEngine ──facts──> QuicOwner         (from within `receive` and `ring` only)
    socket <──outgoing── QuicEngine <──orders── whoever has the connection

Streams are told of and ordered as those of HTTP/2 are (wire/http2/engine.py: the same facts, the same orders, the same
error codes, which an engine translates to those of RFC 9114 section 8.1), so that one kind of stream serves both.
Times are those of the event loop, in seconds. Addresses are as a socket gives them.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from sbc.wire.http2.engine import EngineOwner, StreamOrders

Address = tuple[Any, ...]
"""(host, port), and for IPv6 flow and scope behind it."""

MOST_DATAGRAM_OCTETS = 1100
"""The longest message that fits in a datagram on any path."""


@dataclass(frozen=True, slots=True)
class QuicTerms:
    """What a client may do on one connection."""

    max_streams: int = 100
    """How many requests it may have open."""
    stream_window: int = 256 * 1024
    connection_window: int = 1024 * 1024
    """How many bytes may be under way that were not consumed: of a stream, of all together. An engine that credits the
    sender before they are consumed ends a stream that goes beyond its cap, or takes the connection beyond its own."""
    stream_cap: int = 4 * 1024 * 1024
    connection_cap: int = 16 * 1024 * 1024
    header_octets: int = 32 * 1024
    """The longest decoded field section, with 32 bytes more for each field (RFC 9114 section 4.2.2)."""
    websocket: bool = False
    """RFC 9220: extended CONNECT is announced."""
    webtransport: bool = False
    idle: float = 60.0
    """Seconds of silence after which the connection is gone (RFC 9000 section 10.1)."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What the first datagram of a connection says, and how it is to be answered."""

    connection_id: bytes
    """Ours, the first of the connection. Its first byte is the worker's number, and that of all ids that an engine
    makes up itself, where it can."""
    original: bytes
    """The destination id of the client's very first Initial."""
    source: bytes
    """The client's own id; browsers have an empty one."""
    retried: bytes | None = None
    """The id that a Retry of ours gave the client: then its address is known to be its own."""


class QuicOwner(EngineOwner, Protocol):
    """Who is told what comes. `ended` is told for a connection that closes in any way, once, and nothing after it."""

    def shaken(self, name: str) -> None:
        """The handshake is complete: the client's address is its own. name: the server that it asked for (SNI)."""

    def issued(self, connection_id: bytes) -> None:
        """Datagrams with this connection id are for this connection, too."""

    def retired(self, connection_id: bytes) -> None:
        """No longer."""

    def moved(self, source: Address) -> None:
        """The client has another address now, and has shown that it is there (RFC 9000 section 9)."""

    def opened(self, session: int, stream: int) -> None:
        """WebTransport: the client has opened a stream of a session; `data` and `closed` tell of it. session: the
        stream of its CONNECT. Whether the stream goes both ways stands in its number (RFC 9000 section 2.1)."""

    def datagram(self, session: int, data: bytes) -> None:
        """WebTransport: an unreliable message of a session (RFC 9297)."""


class QuicEngine(StreamOrders, Protocol):
    """One connection, made from its first datagram on. A reset ends a stream in both directions."""

    most_moves: int
    """To how many other addresses a client may go with it in its life."""

    def receive(self, datagram: bytes, source: Address, now: float) -> None:
        """A datagram for one of the ids of this connection. Raises nothing, whatever is in it."""

    def outgoing(self, now: float) -> list[tuple[bytes, Address]]:
        """Datagrams to be sent, in order."""

    def due(self) -> float | None:
        """When `ring` has to be called, if nothing comes before."""

    def ring(self, now: float) -> None:
        """That time has come."""

    def close(self, code: int, reason: str) -> None:
        """Close the connection at once. code: an H2Error."""

    def release(self) -> None:
        """Let go of all: nothing is received, sent, told or due any more. What is held refers to this engine, and
        would stay until a collection that comes once in a great while."""

    # WebTransport.

    def open_stream(self, session: int, *, both_ways: bool) -> int:
        """A new stream of a session; 0 if the client takes no more of them now: `ready` is told of the session when it
        does. `send`, `finish`, `reset` are for it, too: bytes go out as they are, without frames of HTTP/3."""

    def first_unknown(self, stream: int) -> int:
        """The lowest number, of streams of the client's that go both ways or one way as this one does, of which
        nothing is known yet. `ready` is told of the session when it is behind a gap of such numbers."""

    def send_datagram(self, session: int, data: bytes) -> None:
        """Send an unreliable message. It is dropped if it is longer than MOST_DATAGRAM_OCTETS, or could not be sent
        soon."""
