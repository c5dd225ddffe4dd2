"""A client with numbered traffic on `websockets`, which records what it hears and can come back."""

import asyncio
import json
import ssl
import time
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.support.wait import PATIENCE, STARTING, wait_until

__all__ = ["InvalidStatus", "Talker"]


class Talker:
    """One session as its client sees it, over any number of connections.

    `heard` holds every node message in order; `said` every `{"n", "say"}` sent, so that what must come is known.
    """

    def __init__(self, url: str, address: str = "127.0.0.1", **headers: str) -> None:
        self.url, self.address, self.headers = url, address, {k.replace("_", "-"): v for k, v in headers.items()}
        self.token: str | None = None
        self.trusts: ssl.SSLContext | None = None
        """Which certificates are believed, for a wss:// URL."""
        self.said: list[dict[str, Any]] = []
        self.heard: list[dict[str, Any]] = []
        self.answer_headers: dict[str, str] = {}
        self.socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None

    async def open(self, *, token: str | None = None, received: int | None = None, address: str | None = None) -> None:
        """Connect; with a token, re-attach. Raises InvalidStatus when refused."""
        headers = dict(self.headers)
        if token is not None:
            headers |= {"Session-Id": token, "Session-Received": str(len(self.heard) if received is None else received)}
        self.socket = await connect(self.url, additional_headers=headers, max_size=None, compression=None, proxy=None,
                                    ssl=self.trusts, ping_interval=None, open_timeout=PATIENCE, close_timeout=2,
                                    local_addr=(address or self.address, 0))
        assert self.socket.response is not None
        self.answer_headers = {key.lower(): value for key, value in self.socket.response.headers.raw_items()}
        self.token = self.answer_headers.get("session-id", self.token)
        self._reader = asyncio.create_task(self._read(self.socket))

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for text in socket:
                self.heard.append(json.loads(text))
        except ConnectionClosed:
            pass

    async def say(self, say: int = 1, every: float = 0.0, pad: int = 0, ballast: int = 0) -> int:
        """Send the next numbered message, to be answered with `say` messages; gives its number.

        every: seconds between them; pad: bytes of padding in each; ballast: bytes of padding in the question.
        """
        assert self.socket is not None
        message = {"n": len(self.said) + 1, "say": say, "every": every, "pad": pad}
        self.said.append(message)
        await self.socket.send(json.dumps(message | ({"ballast": "x" * ballast} if ballast else {})))
        return int(message["n"])

    @property
    def owed(self) -> int:
        """How many node messages there must be in the end."""
        return sum(message["say"] for message in self.said)

    async def has(self, count: int, patience: float = PATIENCE) -> None:
        """Wait until at least so many node messages have come."""
        await wait_until(lambda: len(self.heard) >= count or self._ended(), f"{count} node messages", patience)
        assert len(self.heard) >= count, f"closed with {self.closed} after {len(self.heard)} of {count} messages"

    async def answered(self, patience: float = PATIENCE) -> None:
        """Wait until everything said so far is answered."""
        try:
            await self.has(self.owed, patience)
        except AssertionError as fault:
            last = self.heard[-1] if self.heard else None
            raise AssertionError(f"{fault}; has {len(self.heard)} of {self.owed}, last {last}") from None

    def _ended(self) -> bool:
        return self._reader is not None and self._reader.done()

    @property
    def open_still(self) -> bool:
        return self.socket is not None and not self._ended()

    @property
    def closed(self) -> tuple[int | None, str | None]:
        """Close code and reason of the last connection; 1006 if it just broke; (None, None) while it is open."""
        if self.socket is None or not self._ended():
            return None, None
        return self.socket.close_code, self.socket.close_reason

    async def ended(self, patience: float = PATIENCE) -> tuple[int | None, str | None]:
        """Wait until the connection is closed; its code and reason."""
        await wait_until(self._ended, "the client's connection is closed", patience)
        return self.closed

    @property
    def node(self) -> str:
        """The name of the node that spoke last."""
        return str(self.heard[-1]["node"])

    async def drop(self) -> None:
        """The network is gone: no close frame, the TCP connection reset."""
        assert self.socket is not None
        self.socket.transport.abort()
        await self.ended()

    async def reattach(self, **how: Any) -> None:
        """Come back with the token and the count of what was received (`received`, `address` to say otherwise)."""
        await self.open(token=self.token, **how)

    async def come_again(self, port: int | None = None, **how: Any) -> None:
        """The same as often as it takes, at the edge of this port. Raises AssertionError if it is not let in."""
        if port is not None:
            self.url = self.url.replace(self.url.split("/")[2], f"127.0.0.1:{port}")
        deadline = time.monotonic() + STARTING
        while True:
            try:
                return await self.reattach(**how)
            except Exception as refusal:
                assert time.monotonic() < deadline, f"it is not let in: {refusal!r}"
                await asyncio.sleep(0.1)

    async def close(self) -> None:
        """Say goodbye; harmless at any time."""
        if self.socket is not None:
            await self.socket.close()
        if self._reader is not None:
            await self._reader
