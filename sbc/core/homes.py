"""At which worker of an edge a session is at home, where each worker has a store of its own: its id alone says it.

A session that its client's key names is at home where the hash that is its id says, so that two first requests of one
key never make two sessions; whatever has no such id is given one that is at home with the worker that begins it.
"""

from sbc.model.ids import SessionId

_DIGITS = 8
"""So many hexadecimal digits of an id say where it is at home."""
_BITS = 128


class Homes:
    """The homes of `count` workers, as worker `number` (from 0) sees them."""

    __slots__ = ("count", "number")

    def __init__(self, number: int, count: int) -> None:
        self.number = number
        self.count = count

    def of(self, session: SessionId) -> int:
        """The number of the worker at which a session is at home."""
        return int(session[:_DIGITS], 16) % self.count

    def here(self, session: SessionId) -> bool:
        """Whether that is this one."""
        return self.count == 1 or self.of(session) == self.number

    def mint(self, bits: int) -> SessionId:
        """A new id that is at home here. bits: 128 of them, drawn at random."""
        rest = _BITS - 4 * _DIGITS
        first = bits >> rest
        first += (self.number - first) % self.count
        if first >> (4 * _DIGITS):
            first -= self.count
        return SessionId(f"{first << rest | bits & ((1 << rest) - 1):032x}")
