"""What a connection and its streams know of each other."""

from typing import Final, Protocol

from sbc.model.http import Fields
from sbc.wire.http3.fields import Coder
from sbc.wire.http3.frames import StreamType


class Reader(Protocol):
    """Who reads what comes on a stream."""

    def take(self, data: bytes, end: bool) -> None:
        """Bytes, in order. Raises Fault."""


class Sender:
    """The edge's direction of a stream."""

    __slots__ = ("finished", "id", "over", "slow", "unconsumed", "unwanted", "whole")

    def __init__(self, stream: int) -> None:
        self.id = stream
        self.finished = False
        """Whether the edge has said all."""
        self.whole = False
        """Whether the other side has."""
        self.slow = False
        self.unconsumed = 0
        """Bytes that were told of and not consumed."""
        self.over = False
        """Whether nothing more is told of it."""
        self.unwanted = False
        """Whether what may still come is of no interest, and the other side was told so."""


class Hub(Protocol):
    """What a stream needs of its connection."""

    coder: Coder
    most_block: int
    """How long an encoded field section may be, in bytes."""
    webtransport: bool

    def told_head(self, stream: Sender, fields: Fields, end: bool) -> None:
        """A request is here."""

    def told_data(self, stream: Sender, data: bytes, end: bool) -> None:
        """A piece of what comes on a stream."""

    def told_trailers(self, stream: int, fields: Fields) -> None:
        """The request is complete, by these."""

    def received(self, stream: Sender) -> None:
        """The other side's direction of a stream is complete."""

    def break_off(self, stream: int, code: int, told: int) -> None:
        """End a stream for what came on it. code: an H3Error; told: an H2Error."""

    def odd(self) -> None:
        """Something came that carries nothing. Raises Fault if there is too much of it."""

    def belongs(self, stream: int, session: int) -> "Reader":
        """A stream of a WebTransport session, or one that nobody is interested in if there is no such session."""

    def take_place(self, stream: int, kind: StreamType) -> None:
        """A stream of which there can be one only. Raises Fault if it is the second."""

    def settled(self, settings: dict[int, int]) -> None:
        """The other side's settings are here. Raises Fault."""

    def leaving(self, last: int) -> None:
        """GOAWAY. Raises Fault."""


class Done:
    """A stream that was given up here: what still comes is of no interest."""

    __slots__ = ()

    def take(self, data: bytes, end: bool) -> None:
        """Nothing."""


DONE: Final = Done()
