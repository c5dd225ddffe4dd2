"""Who misbehaves: counts it, holds it against its source, tells operators once, and keeps that source outside."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from math import ceil
from typing import Any, Final

from sbc.core.abuse import Blotter, Standing
from sbc.kernel.orders import Block, Unblock
from sbc.kernel.ward import Ward
from sbc.model.abuse import AbuseRules
from sbc.telemetry.metrics import Metrics

MOST_BLAMED: Final = 1024
"""That other workers are told of at a time: each bars by itself whoever is beyond that."""


class Constable:
    """Keeps the blotter of one edge."""

    def __init__(
        self, rules: AbuseRules, hops: Mapping[str, int], metrics: Metrics,
        announce: Callable[[str, Mapping[str, Any]], None], clock: Callable[[], float], ward: Ward | None,
    ) -> None:
        """hops: how many proxies are trusted that stand before a listener, by its name. ward: has the kernel block."""
        self.blamed: Counter[tuple[str, str]] | None = None
        """Kinds and clients of which other workers have yet to be told; None: there are none."""
        self._ward = ward
        self._blotter = Blotter(rules)
        self._hops = hops
        self._metrics = metrics
        self._announce = announce
        self._clock = clock
        self._unsaid: list[str] = []
        """Sources that the warden who has come is still to be told of."""
        if ward is not None:
            ward.watch(self._recite)

    def _recite(self, there: bool) -> None:
        """A warden that comes knows of nobody."""
        self._unsaid = self._blotter.blocked(self._clock()) if there else []
        self._say_next(True)

    def _say_next(self, _done: bool) -> None:
        # One by one: thousands of orders at once would hold up those that cannot wait.
        while self._unsaid and self._ward is not None:
            source = self._unsaid.pop()
            left = ceil(self._blotter.blocked_for(source, self._clock()))
            if left:
                self._ward.tell(Block(source, left), self._say_next)
                return

    def apply(self, rules: AbuseRules, hops: Mapping[str, int]) -> None:
        """What holds from now on."""
        self._blotter.rules, self._hops = rules, hops

    def blame(self, kind: str, client: str, listener: str) -> None:
        """Hold something against the source of a client, if it is to blame for such things. It is not counted here."""
        if self._hops.get(listener, 0):
            return  # it is a proxy of the operator's own that is seen there, with many clients behind it
        if self.blamed is not None and len(self.blamed) < MOST_BLAMED:
            self.blamed[kind, client] += 1
        found = self._blotter.charge(kind, client, self._clock())
        if found is not None:
            source, entry = found
            period = round(self._blotter.rules.period)
            self._announce(f"source_{entry.standing.value}", {
                "source": source, "score": round(entry.score), "kind": kind, "listener": listener, "seconds": period,
            })  # fmt: skip
            if entry.standing is Standing.BLOCKED and self._ward is not None:
                self._ward.tell(Block(source, period))

    def hear(self, kind: str, client: str, count: int) -> None:
        """Another worker has blamed a client so often; it tells of it, and has it blocked."""
        for _ in range(min(count, MOST_BLAMED)):
            self._blotter.charge(kind, client, self._clock())

    def told(self) -> list[tuple[str, float, str, str, float]]:
        """What is held against sources, for another process of this edge; JSON values."""
        return self._blotter.told(self._clock())

    def learn(self, told: Iterable[tuple[str, float, str, str, float]]) -> None:
        """Hold it against them here too. Who is blocked is told to a warden that comes later."""
        self._blotter.learn(told, self._clock())

    @property
    def wary(self) -> bool:
        """Whether anybody is barred."""
        return self._blotter.any_barred

    def bars(self, client: str, listener: str, *, proven: bool) -> bool:
        """Whether a client that knocks is left outside; that is counted, and held against it if it is proven to be
        there."""
        if not (self._blotter.any_barred and self._blotter.bars(client, self._clock())):
            return False
        self._metrics.abuse["barred"] += 1
        if proven:
            self.blame("barred", client, listener)
        return True

    def pardon(self, source: str) -> bool:
        """Forget what was held against a source; whether there was anything."""
        pardoned = self._blotter.pardon(source)
        if pardoned:
            if self._ward is not None:
                self._ward.tell(Unblock(source))
            self._announce("source_pardoned", {"source": source})
        return pardoned

    def rows(self, limit: int) -> list[dict[str, Any]]:
        """The sources against whom something is held, the worst first."""
        now = self._clock()
        return [
            {"source": source, "standing": entry.standing.value, "score": round(entry.score, 1), "kind": entry.kind,
             "seconds_left": max(0, round(entry.until - now))}
            for source, entry in self._blotter.entries(now, limit)
        ]  # fmt: skip
