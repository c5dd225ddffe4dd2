"""The verdict on a history: every fact that all processes recorded, in the order of time, against P1 to P5. No I/O.

A promise has conditions (a live edge, a store that works): a fault of the plan explains what it may cause, while it
lasts and a little longer. What nothing explains is a violation.
"""

from collections.abc import Iterator, Sequence

from tests.chaos.owned import given, had, owned
from tests.chaos.told import Fault, told
from tests.chaos.troubles import SHARED, Fact, Troubles

MEMORY = 350 * 1024 * 1024
"""Bytes that no edge may have, with so few sessions."""
HEARSAY = 8.0
"""Seconds within which an edge hears of an order that another one was given: it asks every 5 s."""
SILENCE = 5.0
"""Seconds within which a client is sure to have asked in vain whether its edge is there, before it leaves."""
ABANDONED = 40.0
"""Seconds after which nothing comes any more of an attempt to come in that a client has given up."""
FAULTS_OF_OURS = ("task_failed", "admin_crashed", "crashed")


def judge(facts: Sequence[Fact]) -> list[Fault]:
    """All violations, in the order of time. facts: each with `t` and `what`."""
    facts = sorted(facts, key=lambda fact: fact["t"])
    troubles = Troubles.of(facts)
    found = [*told(facts, troubles), *owned(facts, troubles), *had(facts, troubles), *given(facts, troubles),
             *left(facts, troubles), *ended(facts, troubles), *stuck(facts), *barred(facts, troubles),
             *bounded(facts), *recorded(facts), *sound(facts)]
    return sorted(found, key=lambda fault: fault[1])


def left(facts: Sequence[Fact], troubles: Troubles) -> Iterator[Fault]:
    """P1: no client loses its connection for what befalls a node; over HTTP/3 none for a change of its address."""
    abandoned: dict[str, float] = {}
    transports: dict[str, str] = {}
    for fact in facts:
        name, at = fact.get("client", ""), fact["t"]
        match fact["what"]:
            case "begins":
                transports[name] = fact["transport"]
            case "unreachable":
                abandoned[name] = at
            case "out" if fact["whose"] in ("theirs", "silent"):
                edge, how = troubles.edge_of(fact), f"{fact['whose']} {fact['code']} {fact['reason']}"
                # An attempt that was given up may take the session along later, when a way is healed.
                if at - abandoned.get(name, float("-inf")) > ABANDONED and not excused(
                        fact, edge, transports[name], troubles):
                    yield "P1", at, f"{name} lost its connection to {edge}: {how}"


def excused(out: Fact, edge: str, transport: str, troubles: Troubles) -> bool:
    """Whether anything explains that a client lost its connection."""
    host, at = out["client"].partition("-")[0], out["t"]
    return (troubles.between(host, edge, at, at) or troubles.is_revoked(out)
            or (out["whose"] == "silent" and troubles.was_late(at - SILENCE, at))
            or (edge == SHARED and troubles.address_moved(at, at))
            or (transport != "http3" and troubles.roamed(host, at))
            # After a GOAWAY the client's library carries nothing more over HTTP/2, not even a close frame.
            or ((out["code"] == 1012 or transport == "http2") and troubles.upgraded(edge, at)))


def ended(facts: Sequence[Fact], troubles: Troubles) -> Iterator[Fault]:
    """No session ends before its time, but one that its edge has lost while the store forgot it, or a part of it.

    While it is on its way from one edge to another the store alone has it.
    """
    begun: dict[str, float] = {}
    away: dict[str, float] = {}
    edges: dict[str, str] = {}
    for fact in facts:
        match fact["what"]:
            case "begins":
                begun[fact["client"]] = fact["t"]
            case "in":
                edges[fact["client"]] = troubles.edge_of(fact)
                away.pop(fact["client"], None)
            case "out":
                away[fact["client"]] = fact["t"]
            case "ends":
                name, at = fact["client"], fact["t"]
                lost = fact["why"] == "refused 404" or fact["why"].startswith("closed 1014 gap=")
                forgotten = troubles.forgotten(begun[name], at, edges.get(name, SHARED)) or (
                    name in away and troubles.of_store(away[name], at))
                if not troubles.is_revoked(fact) and not (lost and forgotten):
                    yield "P1", at, f"{name} ended: {fact['why']}"


def barred(facts: Sequence[Fact], troubles: Troubles) -> Iterator[Fault]:
    """P5: who is revoked has nothing any more, and gets nothing, at any edge that can have heard of it."""
    since: dict[str, float] = {}
    for fact in facts:
        name, at = fact.get("client", "").partition(".")[0], fact["t"]
        match fact["what"]:
            case "revoked":
                since.setdefault(name, at)
            case "in" | "heard" if name in since and at > since[name] + HEARSAY and not (
                    troubles.of_store(at - HEARSAY, at) or troubles.of_edges(at - HEARSAY, at)):
                yield "P5", at, f"{name} was revoked at {since[name]:.3f}: {fact}"


def stuck(facts: Sequence[Fact]) -> Iterator[Fault]:
    """When all is well again, everybody gets what he is owed."""
    waiting: dict[str, Fact] = {}
    for fact in facts:
        match fact["what"]:
            case "begins":
                waiting[fact["client"]] = fact
            case "settled" | "ends":
                waiting.pop(fact["client"], None)
            case "in" | "heard" | "told" | "out" | "refused" | "unreachable" | "denied" | "unknown" \
                    if fact.get("client") in waiting:
                waiting[fact["client"]] = fact
    for name, last in waiting.items():
        yield "P2", last["t"], f"{name} was not answered in the end; the last it saw: {last}"


def bounded(facts: Sequence[Fact]) -> Iterator[Fault]:
    """P5: so many sessions, so much memory."""
    over: set[str] = set()
    for fact in facts:
        if fact["what"] == "memory":
            for host, resident in fact["resident"].items():
                if host[0] == "e" and resident > MEMORY and host not in over:
                    over.add(host)
                    yield "P5", fact["t"], f"{host} has {resident / 2**20:.0f} MiB of memory"


def recorded(facts: Sequence[Fact]) -> Iterator[Fault]:
    """P7: session records are whole, whatever became of who wrote them and of their disk."""
    for fact in facts:
        if fact["what"] == "records" and (fact["faulty"] or fact["missing"]):
            yield "P7", fact["t"], f"the session records of {fact['edge']} are not whole: {fact}"


def sound(facts: Sequence[Fact]) -> Iterator[Fault]:
    """Nothing was thrown where nobody expected it."""
    for fact in facts:
        if fact["what"] == "log" and (fact["event"] in FAULTS_OF_OURS or "trace" in fact):
            yield "P7", fact["t"], f"{fact['edge']} says {fact['event']}: {str(fact.get('trace', fact))[-1500:]}"
