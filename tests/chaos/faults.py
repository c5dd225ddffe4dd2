"""What goes wrong when: a plan made of a seed alone, so that the same seed gives the same faults in the same order.

What is not the same in two runs of one seed: how far everybody has come when a fault strikes. Processes are scheduled,
and packets are carried, as it happens.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from tests.chaos.cast import Cast

PAUSE = (0.5, 3.0)
"""Seconds between the beginnings of two faults."""


Choice = tuple["Kind", tuple[str, ...], float, float]
"""What happens to whom, for how many seconds at least and at most."""


class Kind(Enum):
    KILL = "kill"  # SIGKILL, and started again at the end
    STOP = "stop"  # SIGSTOP, and SIGCONT at the end
    TERM = "term"  # SIGTERM, and started again at the end
    CUT = "cut"  # nothing passes between the two hosts
    ONE_WAY = "one way"  # nothing passes from the first to the second
    LOSE = "lose"  # the replica hears no more, writes are acknowledged for a second, and the server is killed
    DRAIN = "drain"  # the edge is told to drain the node; and to take it back at the end
    MIGRATE = "migrate"  # the edge is told to move some sessions
    KILL_WORKER = "kill a worker"  # SIGKILL; its supervisor starts another one
    STOP_WORKER = "stop a worker"  # SIGSTOP, and SIGCONT at the end
    UPGRADE = "upgrade"  # another process takes the place of the edge's
    ROAM = "roam"  # the client's host has another address from then on
    FULL = "full disk"  # that of the edge's records; there is room again at the end
    REVOKE = "revoke"  # the edge is told that one client of the host is good no more


# An upgrade is no fault: whatever befalls the two processes meanwhile is one.
ONE_AT_A_TIME = {Kind.KILL, Kind.STOP, Kind.TERM, Kind.LOSE, Kind.KILL_WORKER, Kind.STOP_WORKER, Kind.FULL}
"""What befalls processes."""


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


def plan(seed: int, seconds: float, cast: Cast) -> list[Fault]:
    """The faults of so many seconds, in their order."""
    dice = random.Random(seed)
    made: list[Fault] = []
    at = dice.uniform(*PAUSE)
    while at < seconds:
        fault = _one(dice, at, cast)
        # A process has one fault at a time: what would a second one show?
        if not any(set(other.who) & set(fault.who) and other.over > at for other in made
                   if {other.kind, fault.kind} <= ONE_AT_A_TIME):
            made.append(fault)
        at += dice.uniform(*PAUSE)
    return made


def _one(dice: random.Random, at: float, cast: Cast) -> Fault:
    def lasting(kind: Kind, who: tuple[str, ...], least: float, most: float) -> Fault:
        return Fault(round(at, 3), kind, who, round(dice.uniform(least, most), 3))
    weights, makers = zip(*_choices(dice, cast), strict=True)
    return lasting(*dice.choices(makers, weights)[0]())


def _choices(dice: random.Random, cast: Cast) -> list[tuple[int, Callable[[], Choice]]]:
    """What may happen in this cast, and how often."""
    def one(of: Sequence[str]) -> tuple[str, ...]:
        return (dice.choice(of),)
    agents, edges, clients = cast.nodes + cast.plain, cast.edges, cast.clients
    return [
        (6, lambda: (Kind.KILL, one(agents), 0.5, 5.0)),
        (4, lambda: (Kind.STOP, one(agents), 0.3, 6.0)),
        (2, lambda: (Kind.TERM, one(cast.nodes), 0.5, 3.0)),
        (3, lambda: (Kind.KILL, one(edges), 0.5, 8.0)),
        (2, lambda: (Kind.STOP, one(edges), 0.3, 10.0)),
        (1, lambda: (Kind.TERM, one(edges), 0.5, 3.0)),
        (2, lambda: (Kind.KILL, one(cast.redis), 0.0, 8.0)),
        (2, lambda: (Kind.STOP, one(cast.redis), 0.3, 12.0)),
        (1, lambda: (Kind.LOSE, dice.choice(cast.pairs), 3.0, 8.0)),
        (1, lambda: (Kind.KILL, one(cast.sentinels or cast.redis), 0.5, 5.0)),
        (1, lambda: (Kind.STOP, one(clients), 0.3, 5.0)),
        (6, lambda: (Kind.CUT, dice.choice(cast.ways), 0.3, 9.0)),
        (2, lambda: (Kind.ONE_WAY, dice.choice(cast.ways)[::dice.choice((1, -1))], 0.3, 6.0)),
        (2, lambda: (Kind.DRAIN, one(edges) + one(agents), 1.0, 6.0)),
        (3, lambda: (Kind.MIGRATE, one(edges), 0.0, 0.0)),
        (3 * (cast.workers > 1), lambda: (Kind.KILL_WORKER, one(edges), 0.5, 0.5)),
        (3 * (cast.workers > 1), lambda: (Kind.STOP_WORKER, one(edges), 0.3, 10.0)),
        (3, lambda: (Kind.UPGRADE, one(edges), 0.0, 0.0)),
        (3, lambda: (Kind.ROAM, one(clients), 0.0, 0.0)),
        (1, lambda: (Kind.FULL, one(edges), 3.0, 10.0)),
        (1, lambda: (Kind.REVOKE, one(edges) + one(clients), 0.0, 0.0)),
    ]
