"""Messages that have arrived and were not taken yet. Full, it stops the reading of the connection that they come on."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

INBOX_MESSAGES = 1024
INBOX_BYTES = 4 * 1024 * 1024

T = TypeVar("T")


class Inbox(Generic[T]):
    """One reader puts in, one taker takes out."""

    def __init__(self) -> None:
        self._items: deque[tuple[T, int]] = deque()
        self._size = 0
        self._ended = False
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether whoever puts in has to wait."""
        return len(self._items) >= INBOX_MESSAGES or self._size >= INBOX_BYTES

    async def put(self, item: T, size: int) -> None:
        """Put one in, then wait until there is room for another. size: in bytes."""
        self._items.append((item, size))
        self._size += size
        self._arrived.set()
        while self.full and not self._ended:
            self._room.clear()
            await self._room.wait()

    def end(self) -> None:
        """Nothing more will come."""
        self._ended = True
        self._arrived.set()
        self._room.set()

    async def get(self) -> T | None:
        """The next one; None if there is none and nothing more will come."""
        while not self._items:
            if self._ended:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        item, size = self._items.popleft()
        self._size -= size
        self._room.set()
        return item
