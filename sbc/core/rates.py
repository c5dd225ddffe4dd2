"""Rates: how much of something may come a second, and how long to wait for more.

A bucket's whole state is one number: the time at which it is full again (the generic cell rate algorithm, ITU-T I.371
annex A, which is a token bucket told in time). Nothing has to be refilled, an idle bucket is as good as none, and a
rate that a reload changes holds for what comes next.
"""

import math
from collections import Counter
from ipaddress import IPv6Address, ip_address

from sbc.model.errors import Refusal
from sbc.model.ids import AgentName, PrincipalId
from sbc.model.policy import Limits

Spent = tuple[str, str, str, float]
"""Of what kind of bucket, the policy, whose bucket, and its rate a second."""

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

    def wait(self, name: tuple[str, str], per_second: float, burst: float, now: float) -> float:
        """For how many seconds one more has to wait; 0.0: it may come."""
        bucket = Bucket()
        bucket.full_at = self._full_at.get(name, 0.0)
        return bucket.wait(1, per_second, burst, now)

    def spend(self, name: tuple[str, str], per_second: float, now: float, amount: int = 1) -> None:
        """Count so many."""
        bucket = Bucket()
        bucket.full_at = self._full_at.pop(name, 0.0)
        bucket.spend(amount, per_second, now)
        if len(self._full_at) >= self._most:
            del self._full_at[next(iter(self._full_at))]
        self._full_at[name] = bucket.full_at


class Meter:
    """What the client of one session says, held against the rates of its policy."""

    __slots__ = ("_limits", "_messages", "_octets")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._messages = Bucket()
        self._octets = Bucket()

    def spend(self, messages: int, octets: int, now: float) -> None:
        """Count what came."""
        limits = self._limits
        if limits.messages_per_second is not None:
            self._messages.spend(messages, limits.messages_per_second, now)
        if limits.bytes_per_second is not None:
            self._octets.spend(octets, limits.bytes_per_second, now)

    def wait(self, messages: int, now: float) -> tuple[str, float]:
        """Which rate is used up, by the name of its limit, and for how many seconds so many messages more have to wait
        for it: of two the longer. ("", 0.0): they may come."""
        limits, longest = self._limits, ("", 0.0)
        if limits.messages_per_second is not None:
            wait = self._messages.wait(messages, limits.messages_per_second, limits.burst, now)
            longest = ("messages_per_second", wait) if wait else longest
        if limits.bytes_per_second is not None:
            wait = self._octets.wait(0, limits.bytes_per_second, limits.burst, now)
            longest = ("bytes_per_second", wait) if wait > longest[1] else longest
        return longest

    def take(self, octets: int, now: float) -> None:
        """Count one message of so many bytes. Raises Refusal 429 if it comes too soon."""
        kind, wait = self.wait(1, now)
        if wait:
            raise too_soon(kind, wait)
        self.spend(1, octets, now)


def meter_of(limits: Limits) -> Meter | None:
    """A meter for a new session; None: its policy has no rates."""
    if limits.messages_per_second is None and limits.bytes_per_second is None:
        return None
    return Meter(limits)


class Turnstile:
    """Counts the new sessions of principals, sources and agents, and requests that name no session."""

    __slots__ = ("_tables", "spent")

    def __init__(self, most: int = MOST_BUCKETS) -> None:
        self._tables = {kind: Buckets(most) for kind in ("principal", "source", "agent", "tenant", "stray")}
        self.spent: Counter[Spent] | None = None
        """What other workers have yet to be told of; None: there are none."""

    def enter(self, policy: str, limits: Limits, agent: AgentName, principal: PrincipalId, client: str,
              tenant: str, now: float) -> None:  # fmt: skip
        """Count a new session; one that is refused counts for nobody. client: its address; tenant: empty if nobody
        said.

        Raises Refusal: 429 if its principal, tenant or source begins too many, 503 if all clients of its agent do.
        """
        rates, burst = limits.sessions_per_second, limits.burst
        if rates is None:
            return
        due = [
            (kind, (policy, name), rate) for kind, name, rate in (
                ("principal", principal, rates.principal), ("source", source(client), rates.source),
                ("agent", agent, rates.agent), ("tenant", tenant, rates.tenant if tenant else None),
            ) if rate is not None
        ]  # fmt: skip
        for kind, name, rate in due:
            wait = self._tables[kind].wait(name, rate, burst, now)
            if wait:
                raise too_soon(f"sessions_per_second_{kind}", wait, 503 if kind == "agent" else 429)
        for kind, name, rate in due:
            self._spend(kind, name, rate, now)

    def stray(self, policy: str, limits: Limits, principal: PrincipalId, now: float) -> None:
        """Count a request that names no session: those of a principal are held together against the messages of
        one. Raises Refusal 429."""
        rate, name = limits.messages_per_second, (policy, principal)
        if rate is None:
            return
        wait = self._tables["stray"].wait(name, rate, limits.burst, now)
        if wait:
            raise too_soon("messages_per_second", wait)
        self._spend("stray", name, rate, now)

    def _spend(self, kind: str, name: tuple[str, str], rate: float, now: float) -> None:
        self._tables[kind].spend(name, rate, now)
        if self.spent is not None and len(self.spent) < MOST_BUCKETS:
            self.spent[kind, *name, rate] += 1

    def hear(self, spent: Spent, amount: int, now: float) -> None:
        """Another worker has counted so many."""
        kind, policy, name, rate = spent
        self._tables[kind].spend((policy, name), rate, now, amount)


def source(client: str) -> str:
    """Who an address counts as: itself, but of IPv6 its /64, which one customer has whole (RFC 6177)."""
    try:
        address = ip_address(client)
    except ValueError:  # what a trusted proxy calls it
        return client
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64))
    return client


def too_soon(kind: str, wait: float, status: int = 429) -> Refusal:
    """What is told to whoever is over a rate; wait: seconds."""
    return Refusal(status, kind, "too much in too short a time", retry_after=math.ceil(wait))
