"""What the client of one session says, held against the rates of its policy: its own, and those that it shares."""

from collections.abc import Iterator

from sbc.core.rates import Bucket, too_soon
from sbc.core.turnstile import Share, Turnstile, Whose
from sbc.model.policy import Limits


class Meter:
    """Counts for one session."""

    __slots__ = ("_limits", "_messages", "_octets", "_said", "_shared", "_turnstile")

    def __init__(self, limits: Limits, turnstile: Turnstile) -> None:
        self._limits = limits
        self._turnstile = turnstile
        self._messages = Bucket()
        self._octets = Bucket()
        self._shared: tuple[Share, ...] = ()
        """The buckets of messages that it fills together with other sessions."""
        self._said: tuple[Share, ...] = ()
        """Those of bytes."""

    def count_for(self, whose: Whose) -> None:
        """Its client is this one, from here on."""
        limits = self._limits
        self._shared = tuple(whose.shares("messages_per_second", limits.messages_per_second_of))
        self._said = tuple(whose.shares("bytes_per_second", limits.bytes_per_second_of))

    def spend(self, messages: int, octets: int, now: float) -> None:
        """Count what came."""
        limits = self._limits
        if limits.messages_per_second is not None:
            self._messages.spend(messages, limits.messages_per_second, now)
        if limits.bytes_per_second is not None:
            self._octets.spend(octets, limits.bytes_per_second, now)
        for shares, amount in ((self._shared, messages), (self._said, octets)):
            for share in shares if amount else ():
                self._turnstile.spend(share, amount, now)

    def owed(self, messages: int, now: float) -> tuple[str, float]:
        """Which rate of its own is used up, by the name of its limit, and for how many seconds so many messages more
        have to wait for it: of two the longer. ("", 0.0): they may come."""
        limits, longest = self._limits, ("", 0.0)
        if limits.messages_per_second is not None:
            wait = self._messages.wait(messages, limits.messages_per_second, limits.burst, now)
            longest = ("messages_per_second", wait) if wait else longest
        if limits.bytes_per_second is not None:
            wait = self._octets.wait(0, limits.bytes_per_second, limits.burst, now)
            longest = ("bytes_per_second", wait) if wait > longest[1] else longest
        return longest

    def wait(self, messages: int, now: float) -> tuple[str, float]:
        """The same of all rates, also those that others may have used up."""
        return max(self.owed(messages, now), *self._waits(messages, now), ("", 0.0), key=lambda found: found[1])

    def _waits(self, messages: int, now: float) -> Iterator[tuple[str, float]]:
        for shares, amount in ((self._shared, messages), (self._said, 0)):
            for share in shares:
                yield share[0], self._turnstile.wait(share, amount, self._limits.burst, now)

    def take(self, octets: int, now: float) -> None:
        """Count one message of so many bytes. Raises Refusal 429 if it comes too soon, or 503 if all clients of its
        agent say too much."""
        limit, wait = self.wait(1, now)
        if wait:
            raise too_soon(limit, wait)
        self.spend(1, octets, now)


def meter_of(limits: Limits, turnstile: Turnstile) -> Meter | None:
    """A meter for a new session; None: its policy has no rates."""
    rates = (limits.messages_per_second, limits.bytes_per_second,
             limits.messages_per_second_of, limits.bytes_per_second_of)  # fmt: skip
    return Meter(limits, turnstile) if any(rate is not None for rate in rates) else None
