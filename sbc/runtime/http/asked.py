"""A request whose route is known: who asks, and which session is meant. There is a compiled twin."""

import time
from collections.abc import Callable

from sbc.core.authority import Authority
from sbc.core.rewriting import rewrite
from sbc.protocols.cors import is_preflight
from sbc.protocols.protocol import Key
from sbc.runtime.http.exchange import Exchange
from sbc.runtime.http.ways import Way
from sbc.runtime.interconnect import Arrived


class Asked:
    """A request whose route is known. Making it raises Refusal if it is not proven who asks, where that is asked."""

    __slots__ = ("again", "arrived", "exchange", "good_until", "keys", "principal", "races", "way")

    def __init__(self, exchange: Exchange, way: Way, arrived: Arrived | None) -> None:
        """arrived: the request as it came, if it may have to go on to another worker or edge."""
        self.exchange = exchange
        self.way = way
        self.arrived = arrived
        self.good_until = 0.0
        """Until when it is proven who asks, in wall-clock seconds; of use where the way has an authority."""
        if way.authority is None:
            self.principal = self.way.address(self.exchange.request.client)
        else:
            self._prove(way.authority)
        if way.rewrite is not None:
            rewrite(exchange.request, way.rewrite)
        self.keys: list[Key] = []
        """By which keys the session is meant, the most specific first."""
        self.again: Callable[[Asked], None] | None = None
        """How its session is looked for anew, if it was sent on to where that is no more; None: that cannot be."""
        self.races = 0
        """How often its session was not where it was looked for, or another edge was first to begin it."""

    def _prove(self, authority: Authority) -> None:
        request = self.exchange.request
        if is_preflight(request):  # it bears no credentials (Fetch Standard, CORS-preflight fetch)
            self.principal = self.way.address(request.client)
        else:
            identity = authority.identify(request, time.time())
            self.principal, self.good_until = identity.principal, identity.good_until
            self.exchange.identity = identity
        authority.withhold(request)
