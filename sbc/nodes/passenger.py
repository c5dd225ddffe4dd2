"""The seam between an HTTP/2 connection to a node and who has a stream on it: an errand, or a WebSocket leg."""

from typing import Protocol

from sbc.model.http import Fields


class Passenger(Protocol):
    """Who has a stream, and is told what comes on it."""

    def head(self, fields: Fields, end: bool) -> None:
        """The final head of the answer, pseudo-headers first."""

    def interim(self, fields: Fields) -> None:
        """An answer of 1xx."""

    def data(self, data: bytes, end: bool) -> None:
        """A piece of the answer's body; each byte is to be consumed once."""

    def trailers(self, fields: Fields) -> None:
        """The answer is complete."""

    def closed(self, code: int, remote: bool) -> None:
        """The stream is over."""

    def refused(self, reason: str) -> None:
        """The node has not seen to the request, and will not."""

    def lost(self, reason: str) -> None:
        """The connection is over."""

    def slow(self) -> None:
        """What is sent on the stream piles up."""

    def ready(self) -> None:
        """It does no longer."""

    def sweep(self, now: float) -> None:
        """Once a second."""
