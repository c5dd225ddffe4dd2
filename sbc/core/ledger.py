"""Capacity, reserved at once: a seat counts from the moment a node is chosen, not from the next load report.

Sampled load over-admits: between two samples every placement sees the same free node.
"""

from collections import Counter

from sbc.model.errors import Refusal
from sbc.model.identity import Tenancy
from sbc.model.ids import NodeId, PrincipalId
from sbc.model.node import Node


class Ledger:
    """Who sits where, and how many sessions each principal and each tenant has."""

    __slots__ = ("_principals", "_seats", "_tenancies", "taken")

    def __init__(self) -> None:
        self._seats: Counter[NodeId] = Counter()
        self.taken = 0
        """How many seats are taken on all nodes together: each has a leg, or will have."""
        self._principals: Counter[PrincipalId] = Counter()
        self._tenancies: Counter[Tenancy] = Counter()

    def load(self, node: Node, elsewhere: int) -> float:
        """How full a node is: 1 and more is full. elsewhere: sessions that it has of other edges."""
        return (self._seats[node.id] + elsewhere) / node.capacity if node.capacity else 1.0

    def seats(self, node: NodeId) -> int:
        return self._seats[node]

    def sit(self, node: NodeId) -> None:
        self._seats[node] += 1
        self.taken += 1

    def rise(self, node: NodeId) -> None:
        self._seats[node] -= 1
        self.taken -= 1
        if self._seats[node] <= 0:
            del self._seats[node]

    def check(self, principal: PrincipalId, limit: int, tenancy: Tenancy | None, tenancy_limit: int | None) -> None:
        """Raise Refusal 429 if a principal, or the tenant whose client that is, has as many sessions as its limit."""
        if self._principals[principal] >= limit:
            raise Refusal(429, "sessions_per_principal", f"at most {limit} sessions at a time", retry_after=5)
        if tenancy is not None and tenancy_limit is not None and self._tenancies[tenancy] >= tenancy_limit:
            raise Refusal(429, "sessions_per_tenant", f"at most {tenancy_limit} sessions of all your clients at a time",
                          retry_after=5)  # fmt: skip

    def enter(self, principal: PrincipalId, limit: int, tenancy: Tenancy | None = None,
              tenancy_limit: int | None = None) -> None:  # fmt: skip
        """Count a new session of both. Raises Refusal 429 as `check` does."""
        self.check(principal, limit, tenancy, tenancy_limit)
        self._principals[principal] += 1
        self.join(tenancy)

    def join(self, tenancy: Tenancy | None) -> None:
        """Count a session of a tenant that is counted for its principal already."""
        if tenancy is not None:
            self._tenancies[tenancy] += 1

    def sessions(self, principal: PrincipalId) -> int:
        """How many sessions a principal has."""
        return self._principals[principal]

    def leave(self, principal: PrincipalId, tenancy: Tenancy | None = None) -> None:
        self._principals[principal] -= 1
        if self._principals[principal] <= 0:
            del self._principals[principal]
        if tenancy is not None:
            self._tenancies[tenancy] -= 1
            if self._tenancies[tenancy] <= 0:
                del self._tenancies[tenancy]
