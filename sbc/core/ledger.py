"""Capacity, reserved at once: a seat counts from the moment a node is chosen, not from the next load report.

Sampled load over-admits: between two samples every placement sees the same free node. Only of what other workers of the
same edge have taken is there nothing better than what they told last (`others`).
"""

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

from sbc.model.errors import Refusal
from sbc.model.identity import Tenancy
from sbc.model.ids import NodeId, PrincipalId
from sbc.model.node import Node

Name = TypeVar("Name", bound=Hashable)


class Others(Generic[Name]):
    """What other workers have counted under each name, as they told it last."""

    __slots__ = ("_counts", "_sums")

    def __init__(self) -> None:
        self._counts: dict[int, dict[Name, int]] = {}
        self._sums: Counter[Name] = Counter()

    def __getitem__(self, name: Name) -> int:
        return self._sums[name]

    def hear(self, worker: int, counts: Mapping[Name, int]) -> None:
        """A worker has so many now of each of these; of the others as before."""
        known = self._counts.setdefault(worker, {})
        for name, count in counts.items():
            self._sums[name] += count - known.pop(name, 0)
            if count:
                known[name] = count
            if not self._sums[name]:
                del self._sums[name]

    def forget(self, worker: int) -> None:
        """A worker is gone."""
        self.hear(worker, dict.fromkeys(self._counts.get(worker, ()), 0))
        self._counts.pop(worker, None)


class Changed:
    """The names whose counts have changed since somebody was told."""

    __slots__ = ("principals", "seats", "tenancies")

    def __init__(self) -> None:
        self.principals: set[PrincipalId] = set()
        self.tenancies: set[Tenancy] = set()
        self.seats: set[NodeId] = set()


class Ledger:
    """Who sits where, and how many sessions each principal and each tenant has."""

    __slots__ = ("_principals", "_seats", "_tenancies", "changed", "other_principals", "other_seats",
                 "other_tenancies", "taken")

    def __init__(self) -> None:
        self.changed: Changed | None = None
        """None: there are no other workers to be told."""
        self.other_principals: Others[PrincipalId] = Others()
        self.other_tenancies: Others[Tenancy] = Others()
        self.other_seats: Others[NodeId] = Others()
        self._seats: Counter[NodeId] = Counter()
        self.taken = 0
        """How many seats are taken on all nodes together: each has a leg, or will have."""
        self._principals: Counter[PrincipalId] = Counter()
        self._tenancies: Counter[Tenancy] = Counter()

    def load(self, node: Node, elsewhere: int) -> float:
        """How full a node is: 1 and more is full. elsewhere: sessions that it has of other edges, as it says."""
        others = max(elsewhere, self.other_seats[node.id])
        return (self._seats[node.id] + others) / node.capacity if node.capacity else 1.0

    def seats(self, node: NodeId) -> int:
        return self._seats[node]

    def sit(self, node: NodeId) -> None:
        self._seats[node] += 1
        self.taken += 1
        if self.changed is not None:
            self.changed.seats.add(node)

    def rise(self, node: NodeId) -> None:
        self._seats[node] -= 1
        self.taken -= 1
        if self._seats[node] <= 0:
            del self._seats[node]
        if self.changed is not None:
            self.changed.seats.add(node)

    def check(self, principal: PrincipalId, limit: int, tenancy: Tenancy | None, tenancy_limit: int | None) -> None:
        """Raise Refusal 429 if a principal, or the tenant whose client that is, has as many sessions as its limit."""
        if self.sessions(principal) >= limit:
            raise Refusal(429, "sessions_per_principal", f"at most {limit} sessions at a time", retry_after=5)
        if tenancy is None or tenancy_limit is None:
            return
        if self._tenancies[tenancy] + self.other_tenancies[tenancy] >= tenancy_limit:
            raise Refusal(429, "sessions_per_tenant", f"at most {tenancy_limit} sessions of all your clients at a time",
                          retry_after=5)  # fmt: skip

    def enter(self, principal: PrincipalId, limit: int, tenancy: Tenancy | None = None,
              tenancy_limit: int | None = None) -> None:  # fmt: skip
        """Count a new session of both. Raises Refusal 429 as `check` does."""
        self.check(principal, limit, tenancy, tenancy_limit)
        self._principals[principal] += 1
        if self.changed is not None:
            self.changed.principals.add(principal)
        self.join(tenancy)

    def join(self, tenancy: Tenancy | None) -> None:
        """Count a session of a tenant that is counted for its principal already."""
        if tenancy is not None:
            self._tenancies[tenancy] += 1
            if self.changed is not None:
                self.changed.tenancies.add(tenancy)

    def sessions(self, principal: PrincipalId) -> int:
        """How many sessions a principal has, at all workers."""
        return self._principals[principal] + self.other_principals[principal]

    def leave(self, principal: PrincipalId, tenancy: Tenancy | None = None) -> None:
        self._principals[principal] -= 1
        if self._principals[principal] <= 0:
            del self._principals[principal]
        if self.changed is not None:
            self.changed.principals.add(principal)
            if tenancy is not None:
                self.changed.tenancies.add(tenancy)
        if tenancy is not None:
            self._tenancies[tenancy] -= 1
            if self._tenancies[tenancy] <= 0:
                del self._tenancies[tenancy]

    # What other workers are told.

    def told(self) -> tuple[dict[PrincipalId, int], dict[Tenancy, int], dict[NodeId, int]]:
        """What has changed since this was asked last: sessions by principal and by tenant, seats by node; 0: none."""
        changed, self.changed = self.changed, Changed()
        if changed is None:  # for the first time
            return dict(self._principals), dict(self._tenancies), dict(self._seats)
        return ({name: self._principals[name] for name in changed.principals},
                {name: self._tenancies[name] for name in changed.tenancies},
                {name: self._seats[name] for name in changed.seats})  # fmt: skip
