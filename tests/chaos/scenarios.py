"""Troubles of the store by name, and what must not come of them: live sessions go on as if there were none.

In these the clients leave no edge by themselves, so that each connection that ends before its client has settled is a
fault; and so is an edge that has to let go of its sessions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.cast import Cast
from tests.chaos.faults import Fault, Kind
from tests.chaos.told import Fault as Broken
from tests.chaos.troubles import Fact


@dataclass(frozen=True, slots=True)
class Scenario:
    faults: tuple[Fault, ...]
    seconds: float
    redis: int = 1
    sentinels: int = 0
    lease: str = "45s"

    @property
    def cast(self) -> Cast:
        return Cast.of(edges=2, nodes=3, plain=2, redis=self.redis, sentinels=self.sentinels, clients=2)


SCENARIOS: dict[str, Scenario] = {
    "stopped": Scenario((Fault(4.0, Kind.STOP, ("r1",), 30.0),), 40.0),
    "emptied": Scenario((Fault(3.0, Kind.KILL, ("r1",), 0.0), Fault(6.0, Kind.KILL, ("r1",), 2.0)), 11.0),
    "failed-over": Scenario((Fault(4.0, Kind.LOSE, ("r1", "r2"), 8.0),), 18.0, redis=2, sentinels=3),
}


def unharmed(facts: Sequence[Fact]) -> list[Broken]:
    """Whoever noticed anything."""
    return [("P1", fact["t"], str(fact)) for fact in facts if (
        (fact["what"] == "out" and fact["whose"] != "settled") or fact["what"] in ("ends", "unknown", "broken")
        or (fact["what"] == "log" and fact["event"] == "edge_fenced"))]
