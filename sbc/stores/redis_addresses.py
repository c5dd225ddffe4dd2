"""Addresses that edges share, in the Redis store: a lease for each, with a number that grows with each taking.

Kept by whoever has it under its number; taken only if nobody has it, or the edge that had it is dead (redis_claims.py).
After the store was another one, nobody takes an address before every lease is over that the one before it may have
granted: so a holder of whom the store knows nothing any more still is the only one (core/floating.py).
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from sbc.model.errors import StoreError
from sbc.stores.operations import Question
from sbc.stores.redis_lease import Lease
from sbc.stores.shared import Held, Hold


class Asking(Protocol):
    """The store, as far as addresses need it."""

    lease: Lease

    async def asked(self, question: Callable[[Callable[[Any], None]], Question]) -> Any:
        """The answer to a question. Raises StoreError."""

    async def over(self, tenure: str, store: str) -> bool:
        """Whether this store says that a tenure is over. Raises StoreError."""


class Addresses:
    """See SharedStore.hold."""

    def __init__(self, name: str, store: Asking) -> None:
        self._name = name
        self._store = store
        self._loop = asyncio.get_running_loop()

    async def hold(self, address: str, number: int, lease: float) -> int:
        """The number under which it is ours; 0: another edge has it. Raises StoreError."""
        if number:
            kept: Held = await self._store.asked(partial(Hold, address, number, lease, "", ""))
            return kept.number
        grounds = self._store.lease.grounds
        store = grounds.known
        if store is None or not self._store.lease.holds() or not grounds.settled(lease, self._loop.time()):
            raise StoreError(f"{self._name}: it is not known yet who has address {address}")
        held: Held = await self._store.asked(partial(Hold, address, 0, lease, store, ""))
        if not held.number and await self._store.over(held.tenure, store):
            held = await self._store.asked(partial(Hold, address, 0, lease, store, held.tenure))
        return held.number
