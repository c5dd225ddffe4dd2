"""What a run has done: which faults hit how often, what became of sessions. A run that does nothing proves nothing."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.chaos.carriers import TRANSPORTS
from tests.chaos.told import Fault
from tests.chaos.troubles import Fact

MOVING = ("kill", "stop", "term", "cut", "one way", "drain", "migrate", "upgrade", "kill a worker", "stop a worker")
ENOUGH = 8
"""Faults of these kinds after which some session must have moved."""
QUIET = 2.0
"""Messages a second that clients hear at the least."""


@dataclass(slots=True)
class Tally:
    seconds: float = 0.0
    hit: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    """Faults that nobody noticed: the order was not taken, or the process had ended."""
    heard: Counter[str] = field(default_factory=Counter)
    """Messages by the transport of their client."""
    taken: int = 0
    moved: int = 0
    """How often a session went from one node to another."""
    claimed: int = 0
    """From one edge to another."""
    returns: int = 0
    gaps: int = 0
    """Announced ones."""
    settled: int = 0
    records: int = 0

    def __str__(self) -> str:
        def counted(counter: Counter[str]) -> str:
            return ", ".join(f"{name} {count}" for name, count in sorted(counter.items())) or "none"
        return "\n".join([
            f"{sum(self.heard.values())} messages heard ({counted(self.heard)}), {self.taken} taken, {self.settled} "
            f"clients settled, {self.records} records",
            f"{self.moved} times a session moved to another node, {self.claimed} times to another edge; {self.returns} "
            f"returns of clients, {self.gaps} gaps announced",
            f"{sum(self.hit.values())} faults hit: {counted(self.hit)}; missed: {counted(self.missed)}"])


def tally(facts: Sequence[Fact]) -> Tally:
    """facts: in the order of time."""
    made = Tally(facts[-1]["t"] - facts[0]["t"] if facts else 0.0)
    owners: dict[str, str] = {}
    edges: dict[str, str] = {}
    transports: dict[str, str] = {}
    for fact in facts:
        match fact["what"]:
            case "begins":
                transports[fact["client"]] = fact["transport"]
            case "hit":
                made.hit[fact["kind"]] += 1
            case "missed":
                made.missed[fact["kind"]] += 1
            case "heard" | "told" if "client" in fact:
                made.heard[transports[fact["client"]]] += 1
            case "took":
                made.taken += 1
            case "owns":
                made.moved += owners.setdefault(fact["session"], fact["by"]) != fact["by"]
                owners[fact["session"]] = fact["by"]
            case "leg" if fact["role"] == "owner":
                made.claimed += edges.setdefault(fact["session"], fact["edge"]) != fact["edge"]
                edges[fact["session"]] = fact["edge"]
            case "in":
                made.returns += bool(fact.get("returning"))
                made.gaps += bool(fact.get("gap"))
            case "gap":
                made.gaps += 1
            case "settled":
                made.settled += 1
            case "records":
                made.records += fact["records"]
    return made


def idle(done: Tally) -> Iterator[Fault]:
    """Why a run proves nothing."""
    if done.missed.total() > done.hit.total():
        yield "run", 0.0, f"{done.missed.total()} faults missed, {done.hit.total()} hit"
    if silent := [transport for transport in TRANSPORTS if not done.heard[transport]]:
        yield "run", 0.0, f"nothing was heard over {silent}"
    if done.heard.total() < QUIET * done.seconds:
        yield "run", 0.0, f"{done.heard.total()} messages heard in {done.seconds:.0f} s"
    if sum(done.hit[kind] for kind in MOVING) >= ENOUGH and not (done.moved and done.returns):
        yield "run", 0.0, "no session moved, or no client came back"
