"""How long the exchanges of a session wait or say nothing, and what clients are told that wait in vain.

There is a compiled twin.
"""

from collections.abc import Iterable

from sbc.core.exchange import WAITING
from sbc.model.errors import CloseCode
from sbc.protocols.events import KEEP_ALIVE
from sbc.runtime.http.answers import turned_away
from sbc.runtime.http.exchange import Exchange
from sbc.runtime.http.legs import Places

COMMENT_AFTER = 15.0
"""How long an open stream of events may say nothing before the edge says a comment, in seconds."""


def look(exchanges: Iterable[Exchange], legs: Places, hold: float, elapsed: float) -> None:
    """These have gone on for `elapsed` seconds more. hold: for how many one may wait for an owner, or for a client that
    left it."""
    for exchange in list(exchanges):
        exchange.quiet += elapsed
        if exchange.begun and exchange.node is not None:
            exchange.attempts = 0  # it stands: a stream may outlive any number of nodes, if not all at once
        exchange.held = exchange.held + elapsed if exchange.waiting and legs.place is None else 0.0
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


def _turn_away(exchange: Exchange, code: int, reason: str) -> None:
    if exchange.stage is WAITING:
        exchange.refuse(turned_away(code, reason))
    else:
        exchange.tell()
