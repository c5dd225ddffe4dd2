"""What goes wrong when: a plan made of a seed alone, so that the same seed gives the same faults in the same order.

What is not the same in two runs of one seed: how far everybody has come when a fault strikes. Processes are scheduled,
and packets are carried, as it happens.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

PAUSE = (0.5, 3.0)
"""Seconds between the beginnings of two faults."""


class Kind(Enum):
    KILL = "kill"  # SIGKILL, and started again at the end
    STOP = "stop"  # SIGSTOP, and SIGCONT at the end
    TERM = "term"  # SIGTERM, and started again at the end
    CUT = "cut"  # nothing passes between the two hosts
    ONE_WAY = "one way"  # nothing passes from the first to the second
    LOSE = "lose"  # the replica hears no more, writes are acknowledged for a second, and the server is killed
    DRAIN = "drain"  # the edge is told to drain the node; and to take it back at the end
    MIGRATE = "migrate"  # the edge is told to move some sessions


@dataclass(frozen=True, slots=True)
class Fault:
    at: float
    """Seconds since the beginning."""
    kind: Kind
    who: tuple[str, ...]
    seconds: float
    """How long it lasts."""

    @property
    def over(self) -> float:
        return self.at + self.seconds


@dataclass(frozen=True, slots=True)
class Cast:
    """The hosts, by what runs on them."""

    edges: tuple[str, ...]
    nodes: tuple[str, ...]
    plain: tuple[str, ...]
    redis: tuple[str, ...]
    sentinels: tuple[str, ...]
    clients: tuple[str, ...]

    @classmethod
    def of(cls, edges: int, nodes: int, plain: int, redis: int, sentinels: int, clients: int) -> "Cast":
        """So many of each, with short names."""
        def named(letter: str, count: int) -> tuple[str, ...]:
            return tuple(f"{letter}{number}" for number in range(1, count + 1))
        return cls(named("e", edges), named("n", nodes), named("p", plain), named("r", redis), named("s", sentinels),
                   named("c", clients))

    @property
    def hosts(self) -> tuple[str, ...]:
        return self.redis + self.sentinels + self.edges + self.nodes + self.plain + self.clients

    @property
    def ways(self) -> list[tuple[str, str]]:
        """Between whom anything is said."""
        stores = self.redis + self.sentinels
        return [(one, other) for some, others in (
            (self.edges, stores), (self.edges, self.nodes + self.plain), (self.clients, self.edges),
            (self.redis[:1], self.redis[1:]), (self.sentinels, self.redis), (self.edges[:1], self.edges[1:]),
        ) for one in some for other in others]


def plan(seed: int, seconds: float, cast: Cast) -> list[Fault]:
    """The faults of so many seconds, in their order."""
    dice = random.Random(seed)
    made: list[Fault] = []
    at = dice.uniform(*PAUSE)
    while at < seconds:
        fault = _one(dice, at, cast)
        # A process has one fault at a time: what would a second one show?
        if fault is not None and not any(set(other.who) & set(fault.who) and other.over > at for other in made
                                         if _of_process(other) and _of_process(fault)):
            made.append(fault)
        at += dice.uniform(*PAUSE)
    return made


def _of_process(fault: Fault) -> bool:
    return fault.kind in (Kind.KILL, Kind.STOP, Kind.TERM, Kind.LOSE)


def _one(dice: random.Random, at: float, cast: Cast) -> Fault | None:
    def one(of: Sequence[str]) -> tuple[str, ...]:
        return (dice.choice(of),)

    def lasting(kind: Kind, who: tuple[str, ...], least: float, most: float) -> Fault:
        return Fault(round(at, 3), kind, who, round(dice.uniform(least, most), 3))
    workers = cast.nodes + cast.plain
    choices: list[tuple[int, Callable[[], Fault]]] = [
        (6, lambda: lasting(Kind.KILL, one(workers), 0.5, 5.0)),
        (4, lambda: lasting(Kind.STOP, one(workers), 0.3, 6.0)),
        (2, lambda: lasting(Kind.TERM, one(cast.nodes), 0.5, 3.0)),
        (3, lambda: lasting(Kind.KILL, one(cast.edges), 0.5, 8.0)),
        (2, lambda: lasting(Kind.STOP, one(cast.edges), 0.3, 10.0)),
        (1, lambda: lasting(Kind.TERM, one(cast.edges), 0.5, 3.0)),
        (2, lambda: lasting(Kind.KILL, one(cast.redis), 0.0, 8.0)),
        (2, lambda: lasting(Kind.STOP, one(cast.redis), 0.3, 12.0)),
        (1, lambda: lasting(Kind.LOSE, cast.redis, 3.0, 8.0)),
        (1, lambda: lasting(Kind.KILL, one(cast.sentinels or cast.redis), 0.5, 5.0)),
        (1, lambda: lasting(Kind.STOP, one(cast.clients), 0.3, 5.0)),
        (6, lambda: lasting(Kind.CUT, dice.choice(cast.ways), 0.3, 9.0)),
        (2, lambda: lasting(Kind.ONE_WAY, dice.choice(cast.ways)[::dice.choice((1, -1))], 0.3, 6.0)),
        (2, lambda: lasting(Kind.DRAIN, one(cast.edges) + one(workers), 1.0, 6.0)),
        (3, lambda: lasting(Kind.MIGRATE, one(cast.edges), 0.0, 0.0)),
    ]
    weights, makers = [weight for weight, _ in choices], [make for _, make in choices]
    fault = dice.choices(makers, weights)[0]()
    return None if fault.kind is Kind.LOSE and len(cast.redis) < 2 else fault
