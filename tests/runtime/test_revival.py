"""Clients that know more of an answer than the store did when its edge died."""

from types import SimpleNamespace
from typing import Any

import pytest

from sbc.core.dialog import Dialog
from sbc.core.journal import Journal
from sbc.core.relay import Relay, Tally
from sbc.core.roster import Roster
from sbc.model.binding import Checkpoint
from sbc.model.http import Request
from sbc.model.ids import AgentName, PoolName, SessionId
from sbc.model.manifest import Manifest
from sbc.runtime.http.exchange import Exchange
from sbc.runtime.http.revival import FORMER, MOST_MISSING, believe

SEVEN = 7


def exchange(number: int, seat: int) -> Exchange:
    found = Exchange(None, Request(b"GET", b"/", b"x", []))
    found.number, found.seat, found.answer.delivered = number, seat, 3
    return found


def session(*exchanges: Exchange, checkpoints: bool) -> Any:
    inbound, outbound = (
        Relay(Journal(4096), Tally(), masked=masked, limit=1024) for masked in (True, False)
    )  # fmt: skip
    for _ in range(10):
        outbound.journal.append(b"x" * 20, 0, 20)
    outbound.count = 10
    dialog = Dialog(SessionId("s"), Manifest(AgentName("a"), PoolName("p")), Roster(), inbound, outbound, 0.0)
    dialog.checkpoint = Checkpoint(1, 2, "") if checkpoints else None
    return SimpleNamespace(dialog=dialog, outbound=outbound, exchanges=dict.fromkeys(exchanges))


@pytest.mark.parametrize(("checkpoints", "delivered", "skip"), [(True, 5, 0), (False, 3, 2)])
def test_of_the_only_answer_under_way_it_was_given_so_many_more(checkpoints: bool, delivered: int, skip: int) -> None:
    found = exchange(SEVEN, FORMER)
    home = session(found, checkpoints=checkpoints)
    believe(home, SEVEN, 12)
    assert (found.answer.delivered, found.answer.skip) == (delivered, skip)
    assert home.outbound.count == 12 and home.outbound.journal.first == 13, "what is said next has a number of its own"
    believe(home, SEVEN, 12)
    assert (found.answer.delivered, found.answer.skip) == (delivered, skip), "once"


@pytest.mark.parametrize(("seat", "number", "last", "more"), [
    (FORMER, SEVEN, 10, False), (FORMER, SEVEN, 4, False), (FORMER, SEVEN, 11 + MOST_MISSING, False),
    (FORMER, 8, 12, False), (1, SEVEN, 12, False), (FORMER, SEVEN, 12, True),
])  # fmt: skip
def test_nothing_is_believed_that_need_not_be_so(seat: int, number: int, last: int, more: bool) -> None:
    found = exchange(number, seat)
    home = session(found, *([exchange(9, FORMER)] if more else []), checkpoints=True)
    believe(home, SEVEN, last)
    assert (found.answer.delivered, home.outbound.count, home.outbound.journal.first) == (3, 10, 1)
