"""Who had which session at which epoch, as the nodes saw it: one owner, one edge, each message taken once. No I/O."""

from collections.abc import Iterator, Sequence

from tests.chaos.told import Fault
from tests.chaos.troubles import Fact, Troubles

Seat = tuple[str, int]
"""A session at an epoch."""


def owned(facts: Sequence[Fact], troubles: Troubles) -> Iterator[Fault]:
    """P3, and the nodes' side of P2."""
    edges: dict[Seat, str] = {}
    nodes: dict[Seat, str] = {}
    taken: dict[Seat, int] = {}
    requests: set[tuple[Seat, int]] = set()
    for fact in facts:
        if "session" not in fact or "epoch" not in fact:
            continue
        seat, at = (fact["session"], fact["epoch"]), fact["t"]
        match fact["what"]:
            case "leg" if fact["role"] == "owner":
                if edges.setdefault(seat, fact["edge"]) != fact["edge"]:
                    yield "P3", at, f"session {seat} comes from {troubles.edge_of(fact)}, and another edge owned it"
            case "owns":
                # A leg that broke may be opened once more for the same seat: at the same node.
                if nodes.setdefault(seat, fact["by"]) != fact["by"]:
                    yield "P3", at, f"session {seat} is owned by {fact['by']} and by {nodes[seat]}"
                taken[seat] = fact["received"]
            case "took" if "n" in fact:
                taken[seat] += 1
                if fact["n"] != taken[seat]:
                    yield "P2", at, f"{fact['by']} took message {fact['n']} of {seat}, where {taken[seat]} was due"
                    taken[seat] = fact["n"]
            case "took" if "bit" in fact:
                if (seat, fact["number"]) in requests:
                    yield "P2", at, f"{fact['by']} took request {fact['number']} of {seat} again"
                requests.add((seat, fact["number"]))


def had(facts: Sequence[Fact], troubles: Troubles) -> Iterator[Fault]:
    """P3, as the edges say themselves: nobody has a session any more once another one has it at a later epoch.

    A store that has forgotten the later one may give a session back, if its edge is lost too, to whoever had it not:
    that one is woken at the epoch that the store knows, and its owner gets another before it hears anything.
    """
    latest: dict[str, tuple[int, str, float]] = {}
    before: dict[str, dict[str, int]] = {}
    for fact in facts:
        if fact["what"] == "twice":
            yield "P3", fact["t"], f"{fact['host']} has session {fact['session']} twice, at epochs {fact['epochs']}"
        if fact["what"] != "has":
            continue
        for session, epoch in fact["sessions"].items():
            later, edge, since = latest.get(session, (0, "", 0.0))
            woken = before.get(fact["host"], {}).get(session) != epoch and troubles.forgotten(since, fact["t"])
            if later > epoch and edge != fact["host"] and since < fact["asked"] and not woken:
                yield "P3", fact["t"], (f"{fact['host']} has session {session} at epoch {epoch}, and {edge} had it at "
                                        f"{later} by {since:.3f}")
            elif epoch > later:
                latest[session] = epoch, fact["host"], fact["t"]
        before[fact["host"]] = fact["sessions"]


def given(facts: Sequence[Fact], troubles: Troubles) -> Iterator[Fault]:
    """P2 with agents that make no checkpoints: it is given to a node once, unless its edge forgot that it was.

    Their `durability` is `async`: an edge that lets go of a session while it does not reach the store has told nobody
    of what came last.
    """
    heard: dict[tuple[str, int], Fact] = {}
    for fact in facts:
        if fact["what"] != "heard" or "client" in fact or "n" not in fact:
            continue
        before = heard.setdefault((fact["session"], fact["n"]), fact)
        if before is not fact and not (troubles.of_edges(before["t"] - 1.0, fact["t"])
                                       or troubles.of_store(before["t"], fact["t"])):
            yield "P2", fact["t"], (f"message {fact['n']} of {fact['session']} was given to {before['by']} at "
                                    f"{before['t']:.3f}, and to {fact['by']}")
