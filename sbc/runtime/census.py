"""What the workers of an edge count together: sessions of principals and tenants, seats on nodes, rates, and who
misbehaves. Each tells the others what has changed ten times a second, so that a limit holds for the sum of all.

Within that tenth of a second two workers may each let one in where there was room for one.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from sbc.core.ledger import Ledger
from sbc.core.turnstile import Turnstile
from sbc.runtime.constable import Constable

EVERY: Final = 0.1
"""Seconds."""


class Census:
    """One worker's side. What is told is JSON values."""

    def __init__(self, ledger: Ledger, turnstile: Turnstile, constable: Constable, now: Callable[[], float]) -> None:
        self._ledger = ledger
        self._turnstile = turnstile
        self._constable = constable
        self._now = now
        turnstile.spent = Counter()
        constable.blamed = Counter()

    def again(self) -> None:
        """There is a worker that has heard of nothing: tell all the next time."""
        self._ledger.changed = None

    def tell(self) -> dict[str, Any]:
        """What has changed; {}: nothing."""
        principals, tenancies, seats = self._ledger.told()
        spent, self._turnstile.spent = self._turnstile.spent or Counter(), Counter()
        blamed, self._constable.blamed = self._constable.blamed or Counter(), Counter()
        told = {
            "principals": principals, "tenancies": [[*name, count] for name, count in tenancies.items()],
            "seats": seats, "spent": [[*name, count] for name, count in spent.items()],
            "blamed": [[*name, count] for name, count in blamed.items()],
        }  # fmt: skip
        return {name: value for name, value in told.items() if value}

    def hear(self, worker: int, told: Mapping[str, Any]) -> None:
        """What another worker told."""
        ledger = self._ledger
        ledger.other_principals.hear(worker, told.get("principals", {}))
        ledger.other_tenancies.hear(
            worker, {(policy, tenant): count for policy, tenant, count in told.get("tenancies", ())})
        ledger.other_seats.hear(worker, told.get("seats", {}))
        now = self._now()
        for kind, policy, name, rate, count in told.get("spent", ()):
            self._turnstile.hear((kind, policy, name, rate), count, now)
        for kind, client, count in told.get("blamed", ()):
            self._constable.hear(kind, client, count)

    def forget(self, worker: int) -> None:
        """A worker is gone, and all that it had with it."""
        for others in (self._ledger.other_principals, self._ledger.other_tenancies, self._ledger.other_seats):
            others.forget(worker)
