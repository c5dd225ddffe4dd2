"""The Sentinels that watch over a Redis server: where it is, as far as most of them know.

They are asked with every beat of the lease. A server that stood still or was cut off while they put another one into
its place goes on taking what it is told, for ten seconds and more: a lease that is renewed there holds back nobody, for
the others ask the new one. Who can reach only a few of them may be on the wrong side of a broken network, so that these
few do not count.
"""

import asyncio
from contextlib import suppress
from typing import Final

from redis.asyncio.connection import Connection, SSLConnection

from sbc.model.errors import StoreError
from sbc.stores.redis_dial import FAULTS, NEVER, Terms

Where = tuple[str, int]
"""Host and port."""
AGAIN: Final = 5.0
"""Seconds until one that did not answer is asked again."""
QUICK: Final = 0.1
"""How long it has then, in seconds: all else waits for it."""


class Sentinels:
    """Those of one service. Connections to them stay open."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._lines: dict[Where, Connection] = {}
        self._silent: dict[Where, float] = {}
        """Those that did not answer, and when they are asked again."""

    async def master(self) -> Where:
        """Where the server is. Raises StoreError if fewer than most of them say it, or they do not agree."""
        every, service = self._terms.at.hosts, self._terms.at.service
        said = [found for found in await asyncio.gather(*map(self._ask, every)) if found is not None]
        if 2 * len(said) <= len(every):
            raise StoreError(f"{len(said)} of {len(every)} Sentinels say where {service} is, too few")
        if len(set(said)) > 1:
            raise StoreError(f"the Sentinels do not agree where {service} is")
        return said[0]

    async def close(self) -> None:
        """Let go of all."""
        for where in [*self._lines]:
            await self._drop(where)

    async def _ask(self, where: Where) -> Where | None:
        now, again = asyncio.get_running_loop().time(), self._silent.get(where)
        if again is not None and now < again:
            return None
        try:
            async with asyncio.timeout(self._terms.patience if again is None else min(QUICK, self._terms.patience)):
                line = self._lines.get(where) or await self._connect(where)
                await line.send_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._terms.at.service)
                found = await line.read_response()
        except FAULTS:
            self._silent[where] = now + AGAIN
            await self._drop(where)
            return None
        self._silent.pop(where, None)
        return (str(found[0], "utf-8"), int(found[1])) if isinstance(found, list) else None

    async def _connect(self, where: Where) -> Connection:
        terms = self._terms
        kind = SSLConnection if terms.at.tls else Connection
        line = self._lines[where] = kind(
            host=where[0], port=where[1], retry=NEVER, socket_timeout=None, protocol=2, client_name="sbc",
            password=terms.sentinel_password, socket_connect_timeout=terms.patience, **terms.tls())
        await line.connect()  # type: ignore[no-untyped-call]
        return line

    async def _drop(self, where: Where) -> None:
        line = self._lines.pop(where, None)
        if line is not None:
            with suppress(*FAULTS):
                await line.disconnect(nowait=True)
