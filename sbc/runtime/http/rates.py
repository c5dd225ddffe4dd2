"""Requests of no session, and those that begin one, held against the rates of their policy before a node is asked."""

import time

from sbc.core.rates import Turnstile
from sbc.model.ids import PrincipalId
from sbc.runtime.http.exchange import Exchange
from sbc.runtime.http.ways import Way


def count(turnstile: Turnstile, way: Way, exchange: Exchange, principal: PrincipalId, *, begins: bool,
          named: bool) -> None:  # fmt: skip
    """Count a request. begins: whether it begins a session, or its answer may; named: whether it says which, so that
    its session counts what comes next. Raises Refusal if it comes too soon."""
    now, limits = time.monotonic(), way.limits
    if not named:
        turnstile.stray(way.policy.name, limits, principal, now)
    if begins:
        turnstile.enter(way.policy.name, limits, way.agent, principal, exchange.request.client,
                        exchange.identity.tenant if exchange.identity is not None else "", now)  # fmt: skip
