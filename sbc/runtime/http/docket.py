"""What a store knows of the answers of a session that are under way, beside their events, which its journal has: the
requests, and where their answers began. So another edge, or the next process of this one, can go on with them.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import NamedTuple

import orjson

MOST_OCTETS = 64 * 1024
"""Of all requests of a session together. Who comes back for an answer whose request is not on record is told a gap."""


class Open(NamedTuple):
    """One answer under way."""

    entry: bytes
    """The request, as it stands in a journal (runtime/http/journal.py)."""
    began: int
    """How many messages the session had from its node before the first of this answer."""


class Docket:
    """The answers that a client could come back to."""

    __slots__ = ("_octets", "_open")

    def __init__(self) -> None:
        self._open: dict[int, Open] = {}
        self._octets = 0

    def __iter__(self) -> Iterator[tuple[int, Open]]:
        return iter(list(self._open.items()))

    @property
    def last(self) -> int:
        """The highest number of a request; 0: there is none."""
        return max(self._open, default=0)

    def begin(self, number: int, entry: bytes, began: int) -> bool:
        """The answer to the request of this number begins; False: there is no room for its request."""
        if self._octets + len(entry) > MOST_OCTETS or number in self._open:
            return False
        self._open[number] = Open(entry, began)
        self._octets += len(entry)
        return True

    def end(self, number: int) -> bool:
        """It is over; False: it was not on record."""
        found = self._open.pop(number, None)
        if found is not None:
            self._octets -= len(found.entry)
        return found is not None

    def dump(self) -> str:
        """All of it as one line of text; empty: there is nothing."""
        said = {str(number): [one.began, b64encode(one.entry).decode()] for number, one in self._open.items()}
        return orjson.dumps(said).decode() if said else ""

    def load(self, text: str) -> None:
        """Be again what `dump` wrote. Raises ValueError."""
        if not text:
            return
        try:
            said = orjson.loads(text)
            read = {int(number): Open(b64decode(entry), int(began)) for number, (began, entry) in said.items()}
        except (AttributeError, TypeError) as fault:
            raise ValueError(f"not a list of answers under way: {fault!r}") from None
        self._open, self._octets = read, sum(len(one.entry) for one in read.values())
