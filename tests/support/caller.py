"""The client SDK as an application uses it, with the numbered traffic and the record that the oracle judges."""

import asyncio
import json
from typing import Any

from sbc.sdk.client import Gap, SessionEnded, Transport, connect
from tests.support.clients import Talker
from tests.support.wait import PATIENCE, wait_until


class Caller(Talker):
    """One session. What is lost in a gap is noted in `gaps`; how the session ended in `end`."""

    def __init__(self, url: str, **how: Any) -> None:
        """how: what `connect` takes."""
        super().__init__(url)
        self.session = connect(url, **({"ping": 0.5} | how))
        self.gaps: list[Gap] = []
        self.before_gaps: list[int] = []
        """How many messages had come before each of them."""
        self.end: SessionEnded | str = ""
        """`said goodbye`, or what the iteration raised; empty as long as it goes on."""

    async def __aenter__(self) -> "Caller":
        await self.session.__aenter__()
        self._reader = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *raised: Any) -> None:
        await self.session.__aexit__(None, None, None)
        assert self._reader is not None
        await self._reader

    async def _listen(self) -> None:
        try:
            async for item in self.session:
                if isinstance(item, Gap):
                    self.gaps.append(item)
                    self.before_gaps.append(len(self.heard))
                else:
                    self.heard.append(json.loads(item))
            self.end = "said goodbye"
        except SessionEnded as ended:
            self.end = ended

    async def say(self, say: int = 1, every: float = 0.0, pad: int = 0, ballast: int = 0) -> int:
        """As Talker has it."""
        message = {"n": len(self.said) + 1, "say": say, "every": every, "pad": pad}
        self.said.append(message)
        await self.session.send(json.dumps(message | ({"ballast": "x" * ballast} if ballast else {})))
        return int(message["n"])

    @property
    def closed(self) -> tuple[int | None, str | None]:
        if isinstance(self.end, SessionEnded):
            return self.end.code, self.end.reason
        return None, None

    async def stands(self, transport: Transport | None = None) -> None:
        """Wait until a connection carries it, over this transport or any."""
        await wait_until(lambda: self.session.transport is not None
                         and transport in (None, self.session.transport), "the session stands")

    async def is_over(self) -> SessionEnded | str:
        """Wait for its end."""
        return await wait_until(lambda: self.end, "the session is over", PATIENCE)
