"""What the edge needs of an HTTP/2 engine, in either role: bytes in, facts out; orders in, bytes out. No I/O, no clock.

    bytes read ──receive──> Engine ──facts──> EngineOwner          (from within `receive` and `outgoing` only)
    socket <──outgoing── Engine <──orders── whoever has the connection

An order on a stream that is over does nothing. Field names and values given by an engine are well-formed (RFC 9113
section 8.2), and so is the order of HEADERS, DATA and trailers; what they mean is for the owner to judge.
"""

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Protocol

from sbc.model.http import Fields

HIGH_WATER_BYTES = 64 * 1024
LOW_WATER_BYTES = 16 * 1024
"""A stream is `slow` when more than the first stays queued after a write, and `ready` again below the second."""

NO_LIMIT = 2**31 - 1


class Role(Enum):
    CLIENT = "client"
    SERVER = "server"


class H2Error(IntEnum):
    """RFC 9113 section 7."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


@dataclass(frozen=True, slots=True)
class Terms:
    """What one side lets the other do; sent in the first SETTINGS."""

    max_streams: int = 100
    """How many streams the other side may have open (server only)."""
    stream_window: int = 64 * 1024
    connection_window: int = 1024 * 1024
    """How many bytes may be under way that were not consumed: of a stream, of all together."""
    header_octets: int = 32 * 1024
    """The longest decoded header list, with 32 bytes more for each field. Announced; a list of more than twice as much
    breaks the connection."""
    extended_connect: bool = False
    """RFC 8441 section 3 (server only)."""


class EngineOwner(Protocol):
    """Who is told what comes."""

    def head(self, stream: int, fields: Fields, end: bool) -> None:
        """A request, or the final head of an answer: pseudo-headers first. end: nothing follows."""

    def interim(self, stream: int, fields: Fields) -> None:
        """An answer of 1xx."""

    def data(self, stream: int, data: bytes, end: bool) -> None:
        """A piece of a body; `data` may be empty if it is the end. Each byte has to be consumed once."""

    def trailers(self, stream: int, fields: Fields) -> None:
        """The message is complete."""

    def closed(self, stream: int, code: int, remote: bool) -> None:
        """The stream is over: both directions are complete (code NO_ERROR, remote False), or it was reset by the other
        side (remote), or by this one: also by the engine itself, for a message that is malformed, so that the owner
        may never have heard of the stream. Told once."""

    def slow(self, stream: int) -> None:
        """What is sent on the stream piles up."""

    def ready(self, stream: int) -> None:
        """It does no longer."""

    def settings(self) -> None:
        """The other side's settings are here, or new: see `max_streams` and `extended_connect` of the engine."""

    def goaway(self, last: int, code: int) -> None:
        """The other side takes no new streams; those above `last` it has not seen to. Streams go on."""

    def pong(self) -> None:
        """A ping was answered."""

    def ended(self, code: int, reason: str) -> None:
        """The connection is at its end, in good order after a GOAWAY (NO_ERROR), or because the other side broke the
        protocol: write what is `outgoing`, and close. Nothing more is told, `closed` neither."""


class StreamOrders(Protocol):
    """What may be ordered on the streams of a server's connection, by HTTP/2 or HTTP/3."""

    def inform(self, stream: int, fields: Fields) -> None:
        """Send an answer of 1xx (server only)."""

    def respond(self, stream: int, fields: Fields, *, end: bool) -> None:
        """Send the head of the answer (server only)."""

    def send(self, stream: int, data: bytes) -> None:
        """Queue a piece of the body; it goes out as far as the other side's windows allow."""

    def finish(self, stream: int, trailers: Fields) -> None:
        """The body is complete."""

    def reset(self, stream: int, code: int) -> None:
        """End a stream in the middle; what is queued on it is dropped. code: an H2Error."""

    def consume(self, stream: int, octets: int) -> None:
        """So much of what was received is taken: the other side may send as much again. For a stream that is over it
        counts for the connection."""

    def queued(self, stream: int) -> int:
        """How many bytes of body wait on a stream."""

    def ping(self) -> None:
        """Ask for a sign of life; `pong` tells of it."""

    def notice(self) -> None:
        """A GOAWAY that refuses nothing yet (server only): RFC 9113 section 6.8, RFC 9114 section 5.2."""

    def goaway(self, code: int) -> None:
        """Second phase: streams newer than those seen so far are refused; those that are open go on."""


class Engine(StreamOrders, Protocol):
    """One connection. Begins with its preface and SETTINGS in `outgoing`."""

    max_streams: int
    """How many streams the other side lets us have open; 100 until it has said."""
    extended_connect: bool
    """Whether the other side takes extended CONNECT (RFC 8441)."""
    greeted: bool
    """Whether the other side's SETTINGS are here."""

    def receive(self, data: bytes) -> None:
        """Bytes from the other side."""

    def outgoing(self, limit: int = NO_LIMIT) -> bytes:
        """What is to be written, at most `limit` bytes of it; fewer only if there is no more at the moment."""

    def open(self, fields: Fields, *, end: bool) -> int:
        """Begin a request (client only): the stream, or 0 if the connection takes no more. It is for the caller to have
        no more than `max_streams` at a time."""
