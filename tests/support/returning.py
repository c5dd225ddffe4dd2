"""A client that comes back, says again what the edge has not, and takes note of what each of both has lost."""

import asyncio
import json
from typing import Any

from tests.support.clients import Talker
from tests.support.edge import Edge


class Returner(Talker):
    """`lost` has the numbers of node messages whose loss was announced to it."""

    def __init__(self, url: str, **headers: str) -> None:
        super().__init__(url, **headers)
        self.lost: list[int] = []
        self.confirmed = 0
        """How many of its messages the edge has answered for, by a pong after them."""
        self.forgotten = 0
        """Of how many of those it knew nothing afterwards."""
        self.said_again = 0

    async def say(self, say: int = 1, every: float = 0.0, pad: int = 0, ballast: int = 0) -> int:
        """See Talker; a ping goes along."""
        number = await super().say(say, every, pad, ballast)
        assert self.socket is not None
        pong = await self.socket.ping()
        pong.add_done_callback(lambda done: self._confirm(number, done))
        return number

    def _confirm(self, number: int, pong: "asyncio.Future[Any]") -> None:
        if not pong.cancelled() and pong.exception() is None:
            self.confirmed = max(self.confirmed, number)

    async def come_back(self, edge: Edge) -> None:
        """Come back there, as often as it takes, and say again what the edge has not."""
        await self.come_again(edge.port, received=len(self.heard) + len(self.lost))
        has = int(self.answer_headers["session-received"])
        gap, after = int(self.answer_headers.get("session-gap", 0)), len(self.heard) + len(self.lost)
        self.lost += range(after + 1, after + gap + 1)
        self.forgotten += max(0, self.confirmed - has)
        self.confirmed = min(self.confirmed, has)
        assert self.socket is not None
        for message in self.said[has:]:
            self.said_again += 1
            await self.socket.send(json.dumps(message))
