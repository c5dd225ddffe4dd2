"""How long exchanges wait or say nothing, and what clients are told that wait in vain, or may wait no longer.

There is a compiled twin.
"""

import asyncio
from collections.abc import Callable, Iterable

from sbc.core.exchange import WAITING
from sbc.model.errors import CloseCode, Refusal
from sbc.model.ids import PrincipalId
from sbc.protocols.events import KEEP_ALIVE
from sbc.runtime.http.answers import turned_away
from sbc.runtime.http.docket import Docket
from sbc.runtime.http.exchange import Exchange
from sbc.runtime.http.legs import Places
from sbc.runtime.http.withheld import as_it_came
from sbc.runtime.review import Ousted, Review, refusal_of
from sbc.telemetry.metrics import Metrics

COMMENT_AFTER = 15.0
"""How long an open stream of events may say nothing before the edge says a comment, in seconds."""


def look(exchanges: Iterable[Exchange], legs: Places, hold: float, elapsed: float) -> None:
    """These have gone on for `elapsed` seconds more. hold: for how many one may wait for an owner, or for a client that
    left it."""
    for exchange in list(exchanges):
        exchange.quiet += elapsed
        if exchange.begun and exchange.node is not None:
            exchange.attempts = 0  # it stands: a stream may outlive any number of nodes, if not all at once
        exchange.held = exchange.held + elapsed if exchange.waiting and legs.place() is None else 0.0
        if exchange.held >= hold and not (exchange.reading.standing and exchange.begun):
            _turn_away(exchange, CloseCode.BAD_GATEWAY, "")
        elif exchange.client is None and exchange.quiet >= hold:
            exchange.over()
        elif exchange.client is not None and exchange.answer.streams and exchange.quiet >= COMMENT_AFTER:
            exchange.quiet = 0.0
            exchange.client.send(KEEP_ALIVE)


def close(exchanges: Iterable[Exchange], code: int, reason: str) -> None:
    """Their session is over, or is not theirs any more: each client is told, as far as its answer has come."""
    for exchange in list(exchanges):
        if exchange.reading.standing and exchange.begun:
            exchange.say_farewell()
        else:
            _turn_away(exchange, code, reason)


def cut(exchanges: Iterable[Exchange], docket: Docket, refusal: Refusal) -> None:
    """Their session goes on elsewhere, and so do the answers on record of which a client has something: it comes back
    by the last event that it has, which it would not do for the rest of one that was ended in good order."""
    recorded = {number for number, _ in docket}
    for exchange in list(exchanges):
        if exchange.number in recorded and exchange.answer.delivered and not exchange.reading.standing:
            exchange.refuse(refusal)


def give_way(exchanges: dict[Exchange, None], look_again: Iterable[Callable[[], None]],
             loop: asyncio.AbstractEventLoop) -> None:  # fmt: skip
    """Another edge was first to begin their session: they belong to none again, and look for it once this is gone."""
    for exchange in exchanges:
        exchange.client, exchange.home = as_it_came(exchange.client), None
        exchange.waiting = exchange.in_turn = False
    exchanges.clear()
    for look in look_again:
        loop.call_soon(look)


def oust(exchanges: Iterable[Exchange], why: Ousted, metrics: Metrics) -> None:
    """Their client may not be here any more."""
    ousted = list(exchanges)
    if ousted:
        metrics.abuse[why.value] += 1
    for exchange in ousted:
        _oust(exchange, why)


def review(exchanges: Iterable[Exchange], review: Review, principal: PrincipalId, metrics: Metrics) -> int:
    """Oust whoever would not be let in now; how many that were."""
    count = 0
    for exchange in list(exchanges):
        why = review.verdict(exchange.request, principal, exchange.identity)
        if why is not None:
            _oust(exchange, why)
            metrics.abuse[why.value] += 1
            count += 1
    return count


def _oust(exchange: Exchange, why: Ousted) -> None:
    if exchange.stage is WAITING:
        exchange.refuse(refusal_of(why))
    elif exchange.reading.standing and exchange.begun:
        exchange.say_farewell()
    else:
        exchange.tell()


def _turn_away(exchange: Exchange, code: int, reason: str) -> None:
    if exchange.stage is WAITING:
        exchange.refuse(turned_away(code, reason))
    else:
        exchange.tell()
