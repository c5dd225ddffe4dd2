"""What a connection with streams (HTTP/2, HTTP/3) and its streams know of each other."""

from enum import Enum
from typing import Any, Protocol

from sbc.model.http import Fields
from sbc.wire.http2.engine import StreamOrders


class Stage(Enum):
    """How far a stream has come on this side of it."""

    WAITING = "waiting"
    """Nothing was answered yet."""
    ANSWERING = "answering"
    OVER = "over"
    """All was said, or it was given up."""


class Inbound(Protocol):
    """Who is told what comes on a stream: a request, a hello, or a WebSocket connection."""

    stage: Stage
    sent: int
    """Bytes of body given to the engine."""

    def data(self, data: bytes, end: bool, /) -> None:
        """A piece of what the other side sends."""

    def trailers(self, fields: Fields, /) -> None:
        """The other side has said all."""

    def slow(self) -> None:
        """What is sent piles up."""

    def ready(self) -> None:
        """It does no longer."""

    def closed(self) -> None:
        """The stream is over, or its whole connection."""


class Carrier(Protocol):
    """What a stream needs of its connection."""

    @property
    def engine(self) -> StreamOrders:
        """What reads and writes the connection."""

    def put(self, stream: int, data: bytes) -> None:
        """Send a piece on a stream, at the end of this turn of the loop at the latest."""

    def touch(self) -> None:
        """The engine was given an order: write what comes of it, at the end of this turn of the loop at the latest."""

    def extra(self, name: str, default: Any) -> Any:
        """What the connection's transport says of itself (`get_extra_info`)."""
