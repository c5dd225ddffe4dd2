"""What the caller has said, until the edge is known to have it.

    said ──next──> written ──confirm──> confirmed ──(room is needed)──> forgotten

A connection that breaks takes what was written on it along, or does not: the edge says how many messages it has
(`rewind`), and the rest is written again. An edge that was killed may know of less than it had confirmed, as far as
its store had not been told: so what is confirmed is kept as long as there is room for it.
"""

import asyncio
from collections import deque

Message = str | bytes


def octets(message: Message) -> int:
    """What a message takes, roughly: text is counted in characters."""
    return len(message) + 64


class Outbox:
    """Messages are numbered from 1 on."""

    def __init__(self, limit: int) -> None:
        """limit: how many bytes may wait to be confirmed, and be kept. One message of any size always may."""
        self._limit = limit
        self._kept: deque[Message] = deque()
        self._first = 1
        """The number of the first that is kept."""
        self.written = 0
        self.confirmed = 0
        self._size = 0
        self._waiting = 0
        """Bytes of what is not confirmed."""
        self._room = asyncio.Event()

    @property
    def said(self) -> int:
        """The number of the latest."""
        return self._first + len(self._kept) - 1

    @property
    def crowded(self) -> bool:
        """Whether it is time to ask the edge what it has."""
        return self._waiting * 4 >= self._limit

    async def put(self, message: Message) -> None:
        """Take one in, waiting for room."""
        size = octets(message)
        while self._waiting and self._waiting + size > self._limit:
            self._room.clear()
            await self._room.wait()
        while self._size + size > self._limit and self._first <= self.confirmed:
            self._forget()
        self._kept.append(message)
        self._size += size
        self._waiting += size

    def _forget(self) -> None:
        self._size -= octets(self._kept.popleft())
        self._first += 1

    def next(self) -> Message | None:
        """What is to be written next, which is taken for written from now on."""
        if self.written == self.said:
            return None
        self.written += 1
        return self._kept[self.written - self._first]

    def confirm(self, count: int) -> None:
        """The edge has so many messages."""
        for number in range(self.confirmed + 1, min(count, self.written) + 1):
            self._waiting -= octets(self._kept[number - self._first])
            self.confirmed = number
        self._room.set()

    def rewind(self, count: int) -> int:
        """A new connection stands, and the edge has so many messages: write the rest again. How many of those that
        it had confirmed are lost, to it and here."""
        if count > self.said:  # said by another process with the same ticket
            self._kept.clear()
            self._first, self._size = count + 1, 0
        lost = max(0, self._first - 1 - count)
        self._first -= lost
        self.written = self.confirmed = max(count, self._first - 1)
        unconfirmed = list(self._kept)[self.written + 1 - self._first:]
        self._waiting = sum(octets(message) for message in unconfirmed)
        self._room.set()
        return lost
