"""Requests whose answer does not begin within their agent's latency ceiling, where the agent wants them refused then.

Looked at now and then from outside: an exchange knows nothing of it, and costs nothing for it.
"""

from collections.abc import Iterable, Iterator

from sbc.core.exchange import SENT
from sbc.model.errors import Outcome, Refusal
from sbc.model.manifest import Manifest
from sbc.runtime.http.exchange import Exchange
from sbc.runtime.http.session import HttpSession
from sbc.runtime.http.single import Single
from sbc.runtime.session import Session
from sbc.telemetry.metrics import Metrics


class Lateness:
    """Since when the exchanges under way wait for their answers."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._since: dict[Exchange, float] = {}

    def look(self, exchanges: Iterable[tuple[Exchange, Manifest]], now: float) -> None:
        """These are under way, of agents that want late ones refused. now: seconds of a clock that stands still when
        the edge does."""
        waiting, late = {}, []
        for exchange, manifest in exchanges:
            ceiling = manifest.latency_ceiling
            # Before the client has said all, and while no node was asked, nobody keeps it waiting.
            if ceiling is None or exchange.stage is not SENT or not exchange.upload.ended or exchange.reading.standing:
                continue
            since = self._since.get(exchange, now)
            if now - since >= ceiling:
                late.append(exchange)
            else:
                waiting[exchange] = since
        self._since = waiting
        for exchange in late:
            self._refuse(exchange)

    def _refuse(self, exchange: Exchange) -> None:
        self._metrics.refused["ceiling_passed"] += 1
        if exchange.home is not None and not exchange.reading.safe:
            exchange.home.unknown(exchange)
        exchange.refuse(Refusal(504, "ceiling_passed", "no answer has begun in time", outcome=Outcome.UNKNOWN))


def of_strict_agents(sessions: Iterable[Session], singles: Iterable[Single]) -> Iterator[tuple[Exchange, Manifest]]:
    """The requests under way of agents that want late ones refused."""
    for session in sessions:
        if session.dialog.manifest.refuses_late and isinstance(session, HttpSession):
            for exchange in session.exchanges:
                yield exchange, session.dialog.manifest
    for single in singles:
        if single.manifest.refuses_late:
            yield single.exchange, single.manifest
