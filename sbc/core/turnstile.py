"""What all sessions of one principal, tenant or source, or of an agent, may do a second together."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from sbc.core.rates import MOST_BUCKETS, Buckets, source, too_soon
from sbc.model.ids import AgentName, PrincipalId
from sbc.model.policy import Limits, PerSecond

Spent = tuple[str, str, str, float]
"""Of what kind of bucket, the policy, whose bucket, and its rate a second."""
Share = tuple[str, tuple[str, str], int]
"""Of what kind of bucket, the policy and whose bucket, and its rate a second."""


@dataclass(frozen=True, slots=True)
class Whose:
    """Whom something that comes counts for."""

    policy: str
    agent: AgentName
    principal: PrincipalId
    client: str
    """Its address."""
    tenant: str = ""
    """Empty: nobody said."""

    def shares(self, limit: str, rates: PerSecond | None) -> Iterator[Share]:
        """The buckets that these rates fill, for a limit of this name."""
        if rates is None:
            return
        for scope, name, rate in (
            ("principal", self.principal, rates.principal),
            ("source", source(self.client) if rates.source is not None else "", rates.source),
            ("agent", self.agent, rates.agent), ("tenant", self.tenant, rates.tenant if self.tenant else None),
        ):  # fmt: skip
            if rate is not None:
                yield f"{limit}_{scope}", (self.policy, name), rate


class Turnstile:
    """Counts new sessions, and what is said in all of them."""

    __slots__ = ("_most", "_tables", "spent")

    def __init__(self, most: int = MOST_BUCKETS) -> None:
        self._most = most
        self._tables: dict[str, Buckets] = {}
        self.spent: Counter[Spent] | None = None
        """What other workers have yet to be told of; None: there are none."""

    def enter(self, limits: Limits, whose: Whose, now: float) -> None:
        """Count a new session; one that is refused counts for nobody.

        Raises Refusal: 429 if its principal, tenant or source begins too many, 503 if all clients of its agent do.
        """
        due = list(whose.shares("sessions_per_second", limits.sessions_per_second))
        self._check([(share, 1) for share in due], limits.burst, now)
        for share in due:
            self.spend(share, 1, now)

    def stray(self, limits: Limits, whose: Whose, octets: int, now: float) -> None:
        """Count a request that names no session, with a body of so many bytes: those of a principal are held together
        against the messages of one. Raises Refusal 429, or 503 if all clients of its agent say too much."""
        due = [(share, 1) for share in whose.shares("messages_per_second", limits.messages_per_second_of)]
        if limits.messages_per_second is not None:
            due.append((("messages_per_second", (whose.policy, whose.principal), limits.messages_per_second), 1))
        said = list(whose.shares("bytes_per_second", limits.bytes_per_second_of))
        self._check([*due, *((share, 0) for share in said)], limits.burst, now)
        for share, amount in (*due, *((share, octets) for share in said)):
            self.spend(share, amount, now)

    def _check(self, due: list[tuple[Share, int]], burst: float, now: float) -> None:
        for share, amount in due:
            wait = self.wait(share, amount, burst, now)
            if wait:
                raise too_soon(share[0], wait)

    def wait(self, share: Share, amount: int, burst: float, now: float) -> float:
        """For how many seconds so much more has to wait; 0.0: it may come."""
        kind, name, rate = share
        table = self._tables.get(kind)
        return table.wait(name, rate, burst, now, amount) if table is not None else 0.0

    def spend(self, share: Share, amount: int, now: float) -> None:
        """Count so much."""
        kind, name, rate = share
        self._table(kind).spend(name, rate, now, amount)
        if self.spent is not None and len(self.spent) < MOST_BUCKETS:
            self.spent[kind, *name, rate] += amount

    def hear(self, spent: Spent, amount: int, now: float) -> None:
        """Another worker has counted so much."""
        kind, policy, name, rate = spent
        self._table(kind).spend((policy, name), rate, now, amount)

    def _table(self, kind: str) -> Buckets:
        table = self._tables.get(kind)
        if table is None:
            table = self._tables[kind] = Buckets(self._most)
        return table
