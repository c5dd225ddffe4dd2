"""What lies between a node and the server that carries its requests and their answers: aiohttp, ASGI, or yours."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of a session made of HTTP requests."""

    method: str
    target: str
    """Path and query."""
    headers: Mapping[str, str]
    """In any case."""
    read: Callable[[], Awaitable[bytes]]
    """The whole body."""


class RequestRefused(Exception):
    """A request that this node does nothing about: the edge takes its session to another one."""


class Answer(Protocol):
    """Where the answer to a request goes. The calls raise SessionClosed once nobody takes it any more."""

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head. With `Content-Length` among the headers the body has that length, else any."""

    async def send(self, data: bytes) -> None:
        """Send a piece of the body, waiting while it is not taken."""

    async def finish(self) -> None:
        """The answer is complete."""
