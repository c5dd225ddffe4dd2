"""Who waits for a stream of its own on a connection that many share (nodes/lines.py)."""

from typing import Protocol

from sbc.nodes.http2 import Http2Line


class Traveller(Protocol):
    """Who waits for a stream of its own: a WebSocket leg, or a WebSocket that is forwarded."""

    since: float
    """From when on, by the loop's clock."""

    @property
    def wanted(self) -> bool:
        """Whether anybody still waits for what comes of it."""

    def start(self, line: Http2Line, /) -> None:
        """Go, on a line that is free, and whose other end has said what it can do."""

    def fail(self, reason: str, *, reached: bool) -> None:
        """There will be no stream."""
