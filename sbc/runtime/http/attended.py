"""A session of requests as its clients have it: what those are told that wait, and when it is let go. The nodes' side
is in session.py.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sbc.core.relay import Relay
from sbc.model.commands import ELSEWHERE, Answer
from sbc.model.errors import CloseCode, Refusal
from sbc.model.events import EndOrdered
from sbc.runtime.http import waits
from sbc.runtime.http.answers import turned_away
from sbc.runtime.http.exchange import Exchange
from sbc.runtime.http.journal import said
from sbc.runtime.http.known import KnownSession
from sbc.runtime.http.legs import Places
from sbc.runtime.http.withheld import Withheld
from sbc.runtime.review import Ousted, Review


class AttendedSession(KnownSession):
    """What it has to do with those who ask."""

    __slots__ = ("exchanges", "newcomers", "outbound", "withheld")

    legs: Places
    outbound: Relay
    exchanges: dict[Exchange, None]
    """Those under way, in the order in which they came."""
    newcomers: list[Callable[[], None]] | None
    """While another edge may be first to begin it: how each of its requests looks for it then."""
    withheld: Withheld | None
    """What waits for the store, if anything does."""

    def answer(self, order: Answer) -> None:
        self.newcomers = None
        self.house.metrics.admissions["admitted" if order.resumed is None else "reattached"] += 1

    def refuse(self, refusal: Refusal) -> None:
        if self.newcomers is not None and refusal.code == ELSEWHERE:
            waits.give_way(self.exchanges, self.newcomers, self.house.loop)
            return
        if self.exchanges:
            self.house.metrics.turned_away(refusal.code)
        for exchange in list(self.exchanges):
            exchange.refuse(refusal)

    def replace_client(self) -> None:
        """There is no connection that could be replaced."""

    def park(self) -> None:
        """A client is never away: it is just not asking anything."""

    def close_client(self, code: int, reason: str) -> None:
        if code == CloseCode.RESTART and self.docket is not None:
            docket, self.docket = self.docket, None  # what is under way is gone on with elsewhere
            waits.cut(self.exchanges, docket, turned_away(code, reason))
        if self.withheld is not None:
            self.withheld.end(elsewhere=code == CloseCode.RESTART)
        waits.close(self.exchanges, code, reason)

    def abandon(self, retry_after: int = 1) -> None:
        self.close_client(CloseCode.RESTART, "this edge is being stopped")
        self.stop_timer()

    def oust(self, why: Ousted) -> None:
        waits.oust(self.exchanges, why, self.house.metrics)

    def review(self, review: Review) -> int:
        return waits.review(self.exchanges, review, self.record.principal, self.house.metrics)

    @property
    def alone(self) -> float:
        return 0.0 if self.exchanges else self._idle

    def look(self, elapsed: float) -> None:
        hold = self.dialog.manifest.migration.hold
        waits.look(self.exchanges, self.legs, hold, elapsed)
        if self.exchanges:
            return
        quiet = self.idle_for(elapsed)
        if self.handle and quiet >= hold:
            self.tell(EndOrdered(CloseCode.GOING_AWAY, "nobody came back", "client_gone"))
        elif quiet >= self.policy.limits.idle:
            self.house.metrics.abuse["idle"] += 1
            self.tell(EndOrdered(CloseCode.POLICY, "idle", "expelled"))

    def said(self, after: int) -> Sequence[Mapping[str, Any]]:
        return said(self.outbound.journal, after)
