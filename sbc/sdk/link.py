"""What lies between a node and the server that carries its legs: aiohttp (web.py), ASGI (asgi.py), or yours."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from sbc.sdk.answer import Answer, Asked


class LegRefused(Exception):
    """A leg that this node does not take. status: the HTTP status to answer with; reason: why, in a sentence."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class SessionClosed(Exception):
    """The session is over on this node: nothing can be said in it any more. An agent may let it pass through."""


class Link(Protocol):
    """An open WebSocket to the edge."""

    close_code: int
    """How it was closed: the edge's code, 1006 as long as there is none."""

    async def receive(self) -> str | bytes | None:
        """The next message; None once it is closed."""

    async def send(self, message: str | bytes) -> None:
        """Send one message, waiting while the edge does not read. Raises SessionClosed."""

    async def close(self, code: int, reason: str) -> None:
        """Close it, with a close frame if it is still open."""


class Host(Protocol):
    """What a server asks of a node."""

    subprotocols: tuple[str, ...]

    @property
    def answers_requests(self) -> bool:
        """Whether there is an agent for HTTP requests."""

    async def run(self) -> None:
        """Keep the trunk open until cancelled."""

    async def answer(self, asked: Asked, answer: Answer) -> None:
        """Answer one HTTP request. Raises RequestRefused, and whatever the agent raises."""

    async def serve(self, headers: Mapping[str, str], accept: Callable[[], Awaitable[Link]]) -> None:
        """Carry one leg: `headers` (in any case) ask for it, `accept` answers 101. Raises LegRefused before that."""

    async def leave(self) -> None:
        """Ask the edge to move the sessions elsewhere, wait for it a while, and give up what is still here."""

    def end_sessions(self) -> None:
        """Give up the sessions that are here; the edge takes them elsewhere."""
