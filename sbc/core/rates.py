"""Rates: how much of something may come a second, and how long to wait for more.

A bucket's whole state is one number: the time at which it is full again (the generic cell rate algorithm, ITU-T I.371
annex A, which is a token bucket told in time). Nothing has to be refilled, an idle bucket is as good as none, and a
rate that a reload changes holds for what comes next.
"""

import math
from ipaddress import IPv6Address, ip_address

from sbc.model.errors import Refusal

MOST_BUCKETS = 65_536
"""Of more principals or sources than these, the one that has rested longest is forgotten."""
_ROUNDING = 1e-6
"""A wait that is shorter than this many seconds is none: sums of times are not exact."""


class Bucket:
    """How far one rate has been used up. Times are in seconds of any one clock."""

    __slots__ = ("full_at",)

    def __init__(self) -> None:
        self.full_at = 0.0
        """When all of its burst may come again."""

    def spend(self, amount: float, per_second: float, now: float) -> None:
        """Count what came, however much that was."""
        self.full_at = max(self.full_at, now) + amount / per_second

    def wait(self, amount: float, per_second: float, burst: float, now: float) -> float:
        """For how many seconds `amount` more has to wait; 0.0: it may come. burst: so many seconds' worth may come at
        once, and one of it always may."""
        most = max(burst, amount / per_second)
        wait = max(self.full_at, now) + amount / per_second - now - most
        return wait if wait > _ROUNDING else 0.0


class Buckets:
    """Buckets by name, a bounded number of them."""

    __slots__ = ("_full_at", "_most")

    def __init__(self, most: int) -> None:
        self._full_at: dict[tuple[str, str], float] = {}
        """The state of each, the one that has rested longest first."""
        self._most = most

    def __len__(self) -> int:
        return len(self._full_at)

    def wait(self, name: tuple[str, str], per_second: float, burst: float, now: float, amount: int = 1) -> float:
        """For how many seconds so many more have to wait; 0.0: they may come."""
        bucket = Bucket()
        bucket.full_at = self._full_at.get(name, 0.0)
        return bucket.wait(amount, per_second, burst, now)

    def spend(self, name: tuple[str, str], per_second: float, now: float, amount: int = 1) -> None:
        """Count so many."""
        bucket = Bucket()
        bucket.full_at = self._full_at.pop(name, 0.0)
        bucket.spend(amount, per_second, now)
        if len(self._full_at) >= self._most:
            del self._full_at[next(iter(self._full_at))]
        self._full_at[name] = bucket.full_at


def source(client: str) -> str:
    """Who an address counts as: itself, but of IPv6 its /64, which one customer has whole (RFC 6177)."""
    try:
        address = ip_address(client)
    except ValueError:  # what a trusted proxy calls it
        return client
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64))
    return client


def too_soon(limit: str, wait: float) -> Refusal:
    """What is told to whoever is over a rate: 429, or 503 if it is one of all clients together. wait: seconds."""
    status = 503 if limit.endswith("_agent") else 429
    return Refusal(status, limit, "too much in too short a time", retry_after=math.ceil(wait))
