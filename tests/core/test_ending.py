"""Leaving seats and coming to an end: nothing is left over, and everybody is told once."""

import pytest

from sbc.core.dialog import Step
from sbc.core.ending import end, leave, turn_away
from sbc.model.commands import Close, CloseClient, CloseLeg, Refuse, Release
from sbc.model.errors import Refusal
from sbc.model.events import Accepted, ClientLost, DeadlinePassed, LegOpened, MoveOrdered
from sbc.model.leg import Cause, State
from sbc.model.manifest import Migration, Standby, When
from tests.core.playbook import confirmed, new_dialog, owner, play, start_of


@pytest.mark.parametrize(("step", "orders"), [
    (Step.CHOSEN, []), (Step.INVITED, [Release]), (Step.OPENING, [CloseLeg, Release]), (Step.OPEN, [CloseLeg, Release]),
    (Step.LOST, [CloseLeg, Release]),
])  # fmt: skip
def test_a_seat_is_left_as_far_as_it_was_taken(step: Step, orders: list[type]) -> None:
    dialog = confirmed()
    seat = owner(dialog)
    seat.step = step
    assert [type(command) for command in leave(dialog, seat, "why")] == orders
    assert dialog.roster.ledger.seats(seat.node) == 0
    seat.trunk = False
    assert Release not in [type(command) for command in leave(dialog, seat, "why")]


def test_owner_standby_and_the_one_to_come_are_all_left() -> None:
    dialog = confirmed(Migration(standby=Standby.WARM, when=When.NOW), nodes=3)
    play(dialog, (0.1, DeadlinePassed(), None), (0.1, MoveOrdered(None, Cause.MIGRATION, 1.0), None))
    assert len(dialog.seats) == 3
    commands = end(dialog, 1000, "done", "ordered")
    assert commands[0] == CloseClient(1000, "done")
    assert commands[-1] == Close(1000, "done", "ordered")
    assert {command.node for command in commands if isinstance(command, Release)} == {
        standing.node.id for standing in dialog.roster
    }
    assert all(dialog.roster.ledger.seats(standing.node.id) == 0 for standing in dialog.roster)
    assert (dialog.state, dialog.deadline) == (State.ENDED, None)
    assert end(dialog, 1000, "again", "again") == []


def test_a_client_that_is_away_is_not_closed() -> None:
    dialog = confirmed()
    play(dialog, (1.0, ClientLost(), None))
    assert not any(isinstance(command, CloseClient) for command in end(dialog, 1001, "x", "y"))


def test_a_client_that_waits_for_its_answer_is_refused_and_not_closed() -> None:
    dialog = new_dialog()
    start_of(dialog)
    play(dialog, (0.1, Accepted(1), None))
    refusal = Refusal(503, "x", "y")
    commands = turn_away(dialog, refusal)
    assert commands[0] == Refuse(refusal)
    assert [type(command) for command in commands[1:]] == [CloseLeg, Release, Close]
    play(dialog, (0.2, LegOpened(1), []))
