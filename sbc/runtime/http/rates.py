"""Requests of no session, and those that begin one, held against the rates of their policy before a node is asked."""

import time

from sbc.core.turnstile import Turnstile, Whose
from sbc.model.ids import AgentName, PrincipalId
from sbc.runtime.http.exchange import Exchange
from sbc.runtime.http.ways import Way


def count(turnstile: Turnstile, way: Way, exchange: Exchange, principal: PrincipalId, *, begins: bool,
          named: bool) -> None:  # fmt: skip
    """Count a request. begins: whether it begins a session, or its answer may; named: whether it says which, so that
    its session counts what comes next. Raises Refusal if it comes too soon."""
    now, client = time.monotonic(), whose(way.policy.name, way.agent, principal, exchange)
    if not named:
        turnstile.stray(way.limits, client, exchange.request.length or 0, now)
    if begins:
        turnstile.enter(way.limits, client, now)


def whose(policy: str, agent: AgentName, principal: PrincipalId, exchange: Exchange) -> Whose:
    """Whom a request counts for."""
    identity = exchange.identity
    return Whose(policy, agent, principal, exchange.request.client, identity.tenant if identity is not None else "")
