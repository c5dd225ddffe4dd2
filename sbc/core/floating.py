"""An address that several edges share, of which one has it at a time: when an edge takes it, keeps it, gives it up.

    AWAY ──granted──> COMING ──assigned──> HERE          asked for and kept by a lease in the store (core/tenure.py)
      ^                  │                   │
      └───released──── GOING <──unfit, refused, fenced    the store is told once it is off the device

The device is told until when (`Put`), and has no address any more then, whether this edge still runs or not: so nobody
has it when the store says that another edge may, by clocks that drift as far as `tenure.DRIFT`. What makes an edge fit
is the shell's affair; it stays the holder while the store is silent, for as long as its lease is.
"""

from dataclasses import dataclass, field
from enum import Enum, auto

from sbc.core.tenure import Tenure


class Where(Enum):
    """The address, as this edge sees it."""

    AWAY = auto()
    COMING = auto()
    """It is ours in the store, and ordered onto the device."""
    HERE = auto()
    GOING = auto()
    """It is ordered off the device."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the store for it, or for longer."""

    number: int
    """Under which it is ours; 0: it is not, and is to be taken if it is free."""


@dataclass(frozen=True, slots=True)
class Put:
    """Have it on the device, until then by the monotonic clock."""

    until: float
    number: int


@dataclass(frozen=True, slots=True)
class Drop:
    """Have it off the device."""


@dataclass(frozen=True, slots=True)
class Yield:
    """Tell the store that others may have it, if it is still ours under this number."""

    number: int


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell operators."""

    event: str
    """`address_taken`, `address_left` (given up), `address_lost`."""


Order = Ask | Put | Drop | Yield | Tell


@dataclass(slots=True)
class Floating:
    """One edge's part in it. Every method is a fact, and answers with what is to be done now, in order."""

    lease: float
    """In seconds of the store's."""
    where: Where = Where.AWAY
    number: int = 0
    fit: bool = False
    """Whether this edge wants it."""
    warden: bool = False
    """Whether somebody is there who changes the device."""
    left: float = float("-inf")
    """When it was given up last: what was asked before then and is granted later is not ours."""
    newest: int = 0
    """The highest number of a grant: one of a lower number that comes behind it is not in force any more."""
    tenure: Tenure = field(init=False)

    def __post_init__(self) -> None:
        self.tenure = Tenure(self.lease)

    @property
    def held(self) -> bool:
        """Whether clients reach this edge by it."""
        return self.where is Where.HERE

    def beat(self, now: float) -> list[Order]:
        """Some time has passed."""
        orders = self.look(now)
        if not self.warden or self.where is Where.GOING:
            return orders  # what the device is told no more is not to be kept in the store for longer
        if self.fit:
            orders.append(Ask(self.number))
        return orders

    def look(self, now: float) -> list[Order]:
        """It may be `tenure.until`: the address is off the device by now."""
        if self.where is Where.AWAY or self.tenure.holds(now):
            return []
        event = "address_left" if self.where is Where.GOING else "address_lost"
        self._away(now)
        return [Drop(), Tell(event)]

    def wish(self, fit: bool, now: float) -> list[Order]:
        """Whether this edge is to have it."""
        self.fit = fit
        return [] if fit else self.give_up(now)

    def give_up(self, now: float) -> list[Order]:
        """It is not to be ours any more, for now."""
        if self.where not in (Where.COMING, Where.HERE):
            return []
        self.where = Where.GOING
        self.left = now
        return [Drop()]

    def granted(self, asked: float, number: int, now: float) -> list[Order]:
        """The store says that it is ours; it was asked not before `asked`."""
        stale = asked < self.left or number < self.newest
        self.newest = max(self.newest, number)
        if stale or not self.fit or self.where is Where.GOING:
            return [Yield(number)] if self.where is Where.AWAY else []
        self.tenure.granted(asked)
        if not self.tenure.holds(now):
            return [*self.look(now), Yield(number)]
        self.number = number
        if self.where is Where.AWAY:
            self.where = Where.COMING
        return [Put(self.tenure.until, number)]

    def refused(self, now: float) -> list[Order]:
        """The store says that it is another edge's."""
        if self.where not in (Where.COMING, Where.HERE):
            return []
        self.where, self.left = Where.GOING, now
        return [Drop(), Tell("address_lost")]

    def assigned(self, done: bool, now: float) -> list[Order]:
        """The warden answers a `Put`."""
        if self.where is Where.COMING:
            if done:
                self.where = Where.HERE
                return [Tell("address_taken")]
            number = self.number
            self._away(now)
            return [Drop(), Yield(number)]
        if self.where is Where.HERE and not done:
            return [*self.give_up(now), Tell("address_lost")]
        return []

    def dropped(self, done: bool, now: float) -> list[Order]:
        """The warden answers a `Drop`."""
        if self.where is not Where.GOING or not done:
            return []
        number = self.number
        self._away(now)
        return [Yield(number), Tell("address_left")]

    def warden_there(self, there: bool, now: float) -> list[Order]:
        """A warden has come, or is gone: that one says no more what it did."""
        self.warden = there
        if not there or not self.tenure.holds(now):
            return []
        match self.where:
            case Where.COMING | Where.HERE:
                return [Put(self.tenure.until, self.number)]
            case Where.GOING:
                return [Drop()]
            case _:
                return []

    def _away(self, now: float) -> None:
        self.where, self.number, self.left = Where.AWAY, 0, now
        self.tenure.until = float("-inf")
