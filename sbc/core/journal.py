"""The messages of one direction of a dialog, newer than its last checkpoint, within a bound.

One ring of bytes a journal, grown as needed and given back when empty; a message is copied in with its length
before it. Keeping the received bytes objects alive instead costs two to three times more (allocator churn).

    head              tail
     |-- oldest ... newest --|....free....|        in one piece
     |-- newest --|..free..|-- oldest ... --|wrap_at   gone round
"""

from sbc.core.octets import copy_into, get_length, put_length

_HEADER = 4
_SMALLEST = 512


class Journal:
    """Sequence numbers count messages from 1; `first` to `last` are kept, none if first > last."""

    __slots__ = (
        "_buffer", "_capacity", "_fresh_at", "_head", "_tail", "_wrap_at", "first", "last", "limit", "octets", "taken",
    )  # fmt: skip

    def __init__(self, limit: int) -> None:
        """limit: how many bytes the journal holds at most, 4 for each message included."""
        self.limit = limit
        self.first = 1
        self.last = 0
        self.octets = 0
        """How many bytes are kept."""
        self._buffer = bytearray()
        self._capacity = 0
        self._head = 0
        self._tail = 0
        self._wrap_at = 0
        """Where the older part ends when the ring has gone round, else 0."""
        self.taken = 0
        """The last message that `take` gave out."""
        self._fresh_at = 0
        """Where the message after it begins."""

    def append(self, data: bytes, start: int, end: int) -> None:
        """Keep data[start:end] as the next message; the oldest give way. One larger than the limit is not kept."""
        need = end - start + _HEADER
        if self._admit(need):
            self._put(data, start, end, need)

    def append_marked(self, mark: bytes, data: bytes) -> None:
        """The same for `mark` and `data` as one message."""
        need = len(mark) + len(data) + _HEADER
        if self._admit(need):
            put_length(self._buffer, self._tail, need - _HEADER)
            copy_into(self._buffer, self._tail + _HEADER, mark, 0, len(mark))
            copy_into(self._buffer, self._tail + _HEADER + len(mark), data, 0, len(data))
            self._added(need)

    def _admit(self, need: int) -> bool:
        """Make room for a message that takes so many bytes, its length included."""
        if need > self.limit:
            self.restart(self.last + 2)
            return False
        while self.octets + need > self.limit:
            self._drop_oldest()
        if self._capacity > self.limit:  # there was insisting before
            self._refit(need, self.limit)
        self._make_room(need, self.limit)
        return True

    def insist(self, data: bytes, start: int, end: int) -> None:
        """Keep data[start:end] as the next message even over the limit: nothing gives way.

        For messages that nobody has been sent yet; the caller stops reading when `octets` passes the limit.
        """
        need = end - start + _HEADER
        self._make_room(need, self._capacity + self.octets + need)
        self._put(data, start, end, need)

    def _put(self, data: bytes, start: int, end: int, need: int) -> None:
        put_length(self._buffer, self._tail, end - start)
        copy_into(self._buffer, self._tail + _HEADER, data, start, end)
        self._added(need)

    def _added(self, need: int) -> None:
        self._tail += need
        self.octets += need
        self.last += 1

    def _make_room(self, need: int, limit: int) -> None:
        while True:
            if self._wrap_at == 0:
                if self._capacity - self._tail >= need:
                    return
                if self._head > need:
                    self._wrap_at = self._tail
                    self._tail = 0
                elif self._capacity < limit:
                    self._refit(need, limit)
                else:
                    self._drop_oldest()
            elif self._head - self._tail > need:
                return
            elif self._capacity < limit:
                self._refit(need, limit)
            else:
                self._drop_oldest()

    def _refit(self, need: int, limit: int) -> None:
        """Another buffer, twice as large as far as `limit` allows."""
        capacity = max(_SMALLEST, self._capacity * 2)
        while capacity < self.octets + need:
            capacity *= 2
        kept = self._in_order()
        self._fresh_at = self._distance(self._fresh_at)
        self._capacity = min(capacity, limit)
        self._buffer = bytearray(self._capacity)
        self._buffer[: len(kept)] = kept
        self._head, self._tail, self._wrap_at = 0, len(kept), 0

    def _distance(self, at: int) -> int:
        """How many kept bytes lie before the one at `at`."""
        if self._wrap_at == 0 or at >= self._head:
            return at - self._head
        return self._wrap_at - self._head + at

    def _in_order(self) -> bytes:
        if self._wrap_at == 0:
            return bytes(self._buffer[self._head : self._tail])
        return bytes(self._buffer[self._head : self._wrap_at] + self._buffer[: self._tail])

    def _drop_oldest(self) -> None:
        if self.first >= self.last:
            self.restart(self.last + 1)
            return
        length = get_length(self._buffer, self._head) + _HEADER
        self._head += length
        self.octets -= length
        self.first += 1
        if self._wrap_at and self._head >= self._wrap_at:
            self._head = self._wrap_at = 0
        if self.taken < self.first:
            self.taken, self._fresh_at = self.first - 1, self._head

    def trim(self, through: int) -> None:
        """Forget the messages up to and with number `through`."""
        if through >= self.last:
            self.restart(self.last + 1)
            return
        while self.first <= through:
            self._drop_oldest()

    def restart(self, first: int) -> None:
        """Forget everything; the next message is number `first`. A large buffer is given back."""
        self.first = first
        self.last = self.taken = first - 1
        self.octets = self._head = self._tail = self._wrap_at = self._fresh_at = 0
        if self._capacity > _SMALLEST:
            self._buffer = bytearray()
            self._capacity = 0

    def since(self, after: int) -> list[bytes]:
        """The kept messages with numbers above `after`, oldest first."""
        kept, at, number, messages = self._in_order(), 0, self.first, []
        while at < len(kept):
            length = int.from_bytes(kept[at : at + _HEADER], "little")
            if number > after:
                messages.append(kept[at + _HEADER : at + _HEADER + length])
            at += _HEADER + length
            number += 1
        return messages

    def take(self) -> list[bytes]:
        """The messages that were not given out before, up to `last`: for whoever writes the journal elsewhere."""
        messages, at = [], self._fresh_at
        while self.taken < self.last:
            if self._wrap_at and at >= self._wrap_at:
                at = 0
            length = get_length(self._buffer, at)
            messages.append(bytes(self._buffer[at + _HEADER : at + _HEADER + length]))
            at += _HEADER + length
            self.taken += 1
        self._fresh_at = at
        return messages
