"""What went wrong when, as far as it explains what a client or a node saw. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.faults import Kind

Fact = dict[str, Any]

SHARED = "shared"
"""What the history calls the edges' common address."""
ECHO = 12.0
"""Seconds for which a fault that is over still explains what is seen: dead connections are noticed, clients wait."""
STORE_ECHO = 20.0
"""The same of the store's: leases have to end before sessions are claimed."""
HANDING_OVER = 45.0
"""Seconds for which a process that is succeeded by another one may have sessions, and send their clients away."""
PROCESS = {kind.value for kind in (Kind.KILL, Kind.STOP, Kind.TERM, Kind.LOSE, Kind.KILL_WORKER, Kind.STOP_WORKER)}
CUTS = {Kind.CUT.value, Kind.ONE_WAY.value}


@dataclass(slots=True)
class Span:
    kind: str
    who: tuple[str, ...]
    since: float
    until: float = float("inf")


@dataclass(slots=True)
class Troubles:
    hosts: dict[str, str] = field(default_factory=dict)
    """Names of hosts by their addresses."""
    spans: list[Span] = field(default_factory=list)
    fenced: list[tuple[str, float]] = field(default_factory=list)
    """Edges that had to let go of their sessions."""
    late: list[tuple[float, float]] = field(default_factory=list)
    """When the machine had no processor for somebody."""
    revoked: dict[str, float] = field(default_factory=dict)
    """Clients that are good no more, and since when somebody was told."""

    @classmethod
    def of(cls, facts: Sequence[Fact]) -> "Troubles":
        found = cls()
        for fact in facts:
            match fact["what"]:
                case "stage":
                    found.hosts = {address: name for name, address in fact["hosts"].items()}
                case "fault":
                    found.spans.append(Span(fact["kind"], tuple(fact["who"]), fact["t"]))
                case "over":
                    for span in found.spans:
                        if (span.kind, span.who) == (fact["kind"], tuple(fact["who"])) and span.until == float("inf"):
                            span.until = fact["t"]
                case "ended":
                    found.spans.append(Span(Kind.KILL.value, tuple(fact["who"]), fact["t"], fact["t"]))
                case "late":
                    found.late.append((fact["t"] - fact["seconds"], fact["t"]))
                case "revoking":
                    found.revoked.setdefault(fact["client"], fact["t"])
                case "log" if fact["event"] == "edge_fenced":
                    found.fenced.append((fact["edge"], fact["t"]))
        return found

    def of_process(self, host: str, since: float, until: float) -> bool:
        """Whether its process was killed or stopped, or had to let go of its sessions, or had only just begun."""
        return any(host in span.who and span.kind in PROCESS and _meets(span, since, until) for span in self.spans) \
            or any(edge == host and since - ECHO <= at <= until for edge, at in self.fenced)

    def between(self, one: str, other: str, since: float, until: float) -> bool:
        """Whether the way between two hosts was cut, or one of their processes not well."""
        if other == SHARED:  # whoever has the address
            return any(self.between(one, edge, since, until) for edge in self.edges)
        return self.of_process(one, since, until) or self.of_process(other, since, until) or any(
            span.kind in CUTS and set(span.who) == {one, other} and _meets(span, since, until) for span in self.spans)

    def roamed(self, host: str, at: float) -> bool:
        """Whether a host had another address before."""
        return any(span.kind == Kind.ROAM.value and host in span.who and _meets(span, at, at) for span in self.spans)

    def upgraded(self, edge: str, at: float) -> bool:
        """Whether a process of the edge was sending its clients to another one."""
        edges = self.edges if edge == SHARED else {edge}
        return any(span.kind == Kind.UPGRADE.value and edges & set(span.who) and _meets(span, at, at, HANDING_OVER)
                   for span in self.spans)

    def address_moved(self, since: float, until: float) -> bool:
        """Whether the edges' common address may have gone from one to another: also when the one that had it could not
        reach the store."""
        return SHARED in self.hosts.values() and (self.of_store(since, until) or self.of_edges(since, until))

    def of_edges(self, since: float, until: float) -> bool:
        """Whether any edge lost its sessions other than by handing them over."""
        return any(self.of_process(edge, since, until) for edge in self.edges)

    @property
    def edges(self) -> set[str]:
        return {name for name in self.hosts.values() if name[0] == "e"}

    def of_store(self, since: float, until: float) -> bool:
        """Whether the store may have forgotten something, or was not to be reached."""
        return any({name[0] for name in span.who} & {"r", "s"} and _meets(span, since, until, STORE_ECHO)
                   for span in self.spans)

    def forgotten(self, since: float, until: float, edge: str = SHARED) -> bool:
        """Whether the store may have forgotten a session, and its edge lost it before it could say it again.

        edge: which had it; the address of all: any of them.
        """
        edges = self.edges if edge == SHARED else {edge}
        lost = [span.since for span in self.spans if span.kind in PROCESS and edges & set(span.who)]
        lost += [at for one, at in self.fenced if one in edges]
        return any(self.of_store(at, at) for at in lost if since - ECHO <= at <= until)

    def was_late(self, since: float, until: float) -> bool:
        """Whether the machine had no time for its processes."""
        return any(begun <= until and over >= since for begun, over in self.late)

    def is_revoked(self, fact: Fact) -> bool:
        """Whether its client may have been good no more."""
        return self.revoked.get(fact["client"].partition(".")[0], float("inf")) <= fact["t"]

    def edge_of(self, fact: Fact) -> str:
        return self.hosts.get(fact["edge"], fact["edge"])


def _meets(span: Span, since: float, until: float, echo: float = ECHO) -> bool:
    return span.since <= until and span.until + echo >= since
