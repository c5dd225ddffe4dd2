"""What clients were told: every message once and in order, each hole announced, nothing of a former owner. No I/O."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.chaos.troubles import Fact, Troubles

Fault = tuple[str, float, str]
"""Which promise was broken, when, and what was seen."""


@dataclass(slots=True)
class Talk:
    """A session over WebSocket, whose agent makes checkpoints."""

    name: str
    begun: float
    order: list[tuple[int, int]] = field(default_factory=list)
    """Which message each of the agent's answers, and which of the answers it is."""
    sums: dict[int, int] = field(default_factory=dict)
    heard: int = 0
    epoch: int = 0
    key: str = ""

    def say(self, n: int, say: int) -> None:
        self.order += [(n, turn) for turn in range(say)]
        self.sums[n] = self.sums.get(n - 1, 0) + n

    def hear(self, fact: Fact) -> Iterator[Fault]:
        """One message of the agent's."""
        self.heard += 1
        m, at = fact["m"], fact["t"]
        if m != self.heard:
            yield "P2", at, f"{self.name} hears message {m} where {self.heard} is due, of {fact}"
            self.heard = m
        elif m > len(self.order):
            yield "P2", at, f"{self.name} hears what it has not asked for: {fact}"
        elif self.order[m - 1] != (fact["n"], fact["i"]):
            yield "P2", at, f"{self.name} hears an answer that is not {self.order[m - 1]}: {fact}"
        elif fact["sum"] != self.sums[fact["n"]]:
            yield "P2", at, f"{self.name}: its messages were not each taken once, {self.sums[fact['n']]} is due: {fact}"
        yield from owner(self, fact)


@dataclass(slots=True)
class Ask:
    """A session of requests. A request is its bit; `4**bit` of each that was processed is in the sum of all."""

    name: str
    begun: float
    asked: dict[int, str] = field(default_factory=dict)
    answered: dict[int, Fact] = field(default_factory=dict)
    """POSTs that were answered whole."""
    denied: set[int] = field(default_factory=set)
    pieces: dict[int, int] = field(default_factory=dict)
    lost: int | None = None
    """What the gap has told that came just before."""
    edge: str = ""
    moved: bool = False
    """What it asked for last was asked for at several edges."""
    epoch: int = 0
    key: str = ""

    def hear(self, fact: Fact, troubles: Troubles) -> Iterator[Fault]:
        """A piece of an answer."""
        bit, at, turn = fact["bit"], fact["t"], fact["i"]
        due, lost, self.lost = self.pieces.get(bit, 0), self.lost, None
        # Behind a gap it goes on where that ends, or begins anew.
        if turn != due and (lost is None or turn not in (0, due + lost)):
            yield "P2", at, f"{self.name}: piece {turn} of the answer to {bit} where {due} is due"
        self.pieces[bit] = turn + 1
        yield from self._processed(fact, troubles)
        yield from owner(self, fact)

    def _processed(self, fact: Fact, troubles: Troubles) -> Iterator[Fault]:
        at, times = fact["t"], digits(fact["all"])
        known = {bit for bit in self.answered if bit < fact["bit"]}
        if doubled := {bit for bit, often in times.items() if often > 1}:
            yield "P2", at, f"{self.name}: requests {sorted(doubled)} were processed more than once"
        if denied := self.denied & times.keys():
            yield "P2", at, f"{self.name}: requests {sorted(denied)} were processed, and refused as not sent"
        if strange := {bit for bit in times if self.asked.get(bit) != "POST"}:
            yield "P2", at, f"{self.name}: requests {sorted(strange)} were processed, and never asked for"
        for bit in sorted(known - times.keys()):
            lost = self.answered.pop(bit)
            if not _may_be_lost(lost, at, troubles):
                when = f"at {lost['t']:.3f} by {lost['edge']}"
                yield "P2", at, f"{self.name}: request {bit} was answered {when}, and is lost"


def owner(talk: Talk | Ask, fact: Fact) -> Iterator[Fault]:
    """P3, as a client sees it."""
    if fact["epoch"] < talk.epoch:
        yield "P3", fact["t"], f"{talk.name} hears epoch {fact['epoch']} of {fact['node']} after {talk.epoch}"
    if talk.key not in ("", fact["key"]):
        yield "P3", fact["t"], f"{talk.name} hears session {fact['key']}, and was in {talk.key}"
    talk.epoch, talk.key = max(talk.epoch, fact["epoch"]), fact["key"]


def digits(number: int) -> dict[int, int]:
    """How often each bit is in a sum of powers of four."""
    found, bit = {}, 0
    while number:
        if number & 3:
            found[bit] = number & 3
        number, bit = number >> 2, bit + 1
    return found


def _may_be_lost(answered: Fact, at: float, troubles: Troubles) -> bool:
    """Whether an edge was killed while the store was out of order, or forgot: else it knew of each answer before the
    client did (`durability: sync`)."""
    return troubles.forgotten(answered["t"], at)


def told(facts: Sequence[Fact], troubles: Troubles) -> Iterator[Fault]:
    """P2 and P4, for every client whose agent makes checkpoints."""
    talks: dict[str, Talk] = {}
    asks: dict[str, Ask] = {}
    for fact in facts:
        name = fact.get("client", "")
        if fact["what"] == "begins" and fact["exact"]:
            if fact["path"] == "/ask":
                asks[name] = Ask(name, fact["t"])
            else:
                talks[name] = Talk(name, fact["t"])
        elif name in talks:
            yield from _of_talk(talks[name], fact, troubles)
        elif name in asks:
            yield from _of_ask(asks[name], fact, troubles)


def _of_talk(talk: Talk, fact: Fact, troubles: Troubles) -> Iterator[Fault]:
    match fact["what"]:
        case "say":
            talk.say(fact["n"], fact["say"])
        case "heard":
            yield from talk.hear(fact)
        case "in" if fact["gap"]:
            talk.heard += fact["gap"]
            if not troubles.forgotten(talk.begun, fact["t"]):
                yield "P4", fact["t"], f"{talk.name}: a gap of {fact['gap']} messages that nothing explains"
        case "settled" if talk.heard < len(talk.order) and not troubles.is_revoked(fact):
            yield "P2", fact["t"], f"{talk.name} settled with {talk.heard} of {len(talk.order)} messages"


def _of_ask(ask: Ask, fact: Fact, troubles: Troubles) -> Iterator[Fault]:
    at = fact["t"]
    match fact["what"]:
        case "asks":
            ask.asked[fact["bit"]] = fact["method"]
            ask.moved = False
        case "in":
            ask.moved = ask.moved or ask.edge not in ("", fact["edge"])
            ask.edge = fact["edge"]
        case "told":
            yield from ask.hear(fact, troubles)
        case "gap":
            # What was under way at one edge may not be whole when its client goes on at another.
            if not ask.moved and not troubles.of_edges(ask.begun, at):
                yield "P4", at, f"{ask.name}: a gap of {fact['lost']} that nothing explains"
            ask.lost = fact["lost"]
        case "denied":
            ask.denied.add(fact["bit"])
        case "short":
            yield "P4", at, f"{ask.name}: an answer of {fact['pieces']} pieces looks whole, {fact['say']} are due"
        case "answered" if ask.asked[fact["bit"]] == "POST":
            ask.answered[fact["bit"]] = fact
