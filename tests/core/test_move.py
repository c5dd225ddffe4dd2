"""A planned change of owner: make before break, and nothing given up until the compare-and-set."""

import pytest

from sbc.core.dialog import Dialog, MoveStep, NodeSide
from sbc.core.move import CHECKPOINT_WAIT, LOOK, QUIET
from sbc.core.seating import ATTEMPT
from sbc.model.binding import BIRTH, Checkpoint, Resume
from sbc.model.commands import (
    CheckpointNow,
    CloseLeg,
    Command,
    FreezeNode,
    Invite,
    OpenLeg,
    Promote,
    Release,
    Report,
    Serve,
    Trim,
)  # fmt: skip
from sbc.model.events import (
    Accepted,
    BindFailed,
    Bound,
    Checkpointed,
    DeadlinePassed,
    Declined,
    LegClosed,
    LegOpened,
    MoveOrdered,
    NodeSilent,
    TurnEnded,
)  # fmt: skip
from sbc.model.leg import Cause, Role, State
from sbc.model.manifest import Migration, Output, Standby, When
from tests.core.playbook import (
    about,
    asked,
    binding,
    checkpointed,
    claim,
    confirmed,
    exchange,
    new_dialog,
    others,
    owner,
    play,
    said,
    target,
)  # fmt: skip

NOW = Migration(when=When.NOW)
ORDER = MoveOrdered(None, Cause.MIGRATION, 5.0)


def moving(dialog: Dialog, checkpoint: Checkpoint | None = None) -> Dialog:
    """A move that has come as far as the invitation of the new owner, at the time 2."""
    if checkpoint is not None:
        play(dialog, (1.0, checkpointed(dialog, checkpoint.received, checkpoint.sent, "x"), None))
    play(dialog, (1.0, ORDER, None))
    if dialog.move is not None and dialog.move.step is MoveStep.CHECKPOINT:
        play(dialog, (1.0 + CHECKPOINT_WAIT, DeadlinePassed(), None))
    assert dialog.move is not None and dialog.move.step is MoveStep.SEAT
    return dialog


def binding_to_come(dialog: Dialog) -> Dialog:
    """As above, as far as the compare-and-set."""
    seat = target(dialog)
    play(dialog, (2.0, Accepted(seat.number), None), (2.0, LegOpened(seat.number), [claim(dialog, seat, 1)]))
    return dialog


def test_the_whole_of_a_move() -> None:
    dialog = confirmed(NOW)
    exchange(dialog, 2, 3)
    old = owner(dialog)
    play(dialog, (1.0, ORDER, [CheckpointNow(old.node, 1, CHECKPOINT_WAIT)]))
    assert dialog.state is State.CONFIRMED
    assert dialog.inbound.admit(asked("held")) == b""
    made = Checkpoint(2, 3, "x")
    play(dialog, (1.1, Checkpointed(old.node, 1, made), None))
    new = target(dialog)
    assert (new.epoch, new.role) == (2, Role.OWNER)
    play(
        dialog,
        (1.2, Accepted(new.number), [
            OpenLeg(new.number, new.node, 2, Role.OWNER, Resume(2, 3, 3, "migration")),
        ]),
        (1.3, LegOpened(new.number), [claim(dialog, new, 1)]),
    )  # fmt: skip
    play(dialog, (1.4, Bound(claim(dialog, new, 1).binding), [
        CloseLeg(old.number, old.node, 1001, "moved"), Release(old.node, 1, "moved"),
        Serve(new.number, [asked("held")]), Report(Cause.MIGRATION, "moved", about(0.4), 1, 0, 0),
    ]))  # fmt: skip
    assert owner(dialog) is new
    assert dialog.move is None
    assert dialog.roster.ledger.seats(old.node) == 0


@pytest.mark.parametrize("given", [True, False])
def test_at_once_is_at_the_deadline_for_what_nobody_else_can_answer(given: bool) -> None:
    dialog = confirmed(NOW)
    dialog.bound, dialog.under_way = True, 1
    play(dialog, (1.0, ORDER, []), (2.0, DeadlinePassed(), []), (5.9, DeadlinePassed(), []))
    assert dialog.move is not None and dialog.move.step is MoveStep.TURN
    dialog.bound = not given
    play(dialog, (5.95 if given else 6.0, DeadlinePassed(), None))
    assert dialog.move.step is not MoveStep.TURN


def test_the_new_owner_is_invited_with_the_checkpoint_it_is_resumed_from() -> None:
    dialog = confirmed(NOW, nodes=2)
    exchange(dialog, 1, 1)
    node, (other,) = owner(dialog).node, others(dialog)
    play(dialog, (1.0, ORDER, None))
    made = Checkpoint(1, 1, "x")
    commands: list[Command] = [Trim(made), FreezeNode(), Invite(2, other, 2, Role.OWNER, made)]
    play(dialog, (1.1, Checkpointed(node, 1, made), commands))


def test_a_turn_is_waited_for_and_taken_as_ended_when_quiet() -> None:
    dialog = confirmed()
    play(dialog, (1.0, ORDER, []))
    assert dialog.move is not None and dialog.move.look_at == pytest.approx(1.0 + LOOK)
    exchange(dialog, 0, 1)
    play(dialog, (1.0 + LOOK, DeadlinePassed(), []))
    play(dialog, (1.01 + LOOK + QUIET, DeadlinePassed(), None))
    assert dialog.move.step is not MoveStep.TURN


def test_the_protocol_knows_when_a_turn_ends_and_the_deadline_cuts_it_short() -> None:
    for event, now in ((TurnEnded(), 1.01), (DeadlinePassed(), 6.0)):
        dialog = confirmed()
        play(dialog, (1.0, ORDER, []))
        exchange(dialog, 0, 1)
        play(dialog, (now, event, None))
        assert dialog.move is not None and dialog.move.step is not MoveStep.TURN


def test_a_node_that_declines_is_followed_by_another_and_then_by_the_old_one() -> None:
    dialog = moving(confirmed(NOW, nodes=3))
    first = target(dialog)
    play(dialog, (2.0, Declined(first.number, "busy"), None))
    second = target(dialog)
    assert second.node != first.node and second.epoch == first.epoch + 1
    held = asked("held")
    dialog.inbound.admit(held)
    play(dialog, (2.1, Declined(second.number, "busy"), [
        Release(second.node, second.epoch, "moved elsewhere"), FreezeNode(), Serve(owner(dialog).number, [held]),
        Report(Cause.MIGRATION, "aborted", about(1.1), 0, 0, 0),
    ]))  # fmt: skip
    assert dialog.inbound.admit(held) == held


def test_a_node_that_does_not_answer_is_given_up() -> None:
    dialog = moving(confirmed(NOW))
    first = target(dialog)
    play(dialog, (1.0 + CHECKPOINT_WAIT + ATTEMPT, DeadlinePassed(), None))
    assert target(dialog).node != first.node


def test_a_checkpoint_that_comes_too_late_does_not_take_messages_from_the_new_owner() -> None:
    dialog = confirmed(NOW)
    exchange(dialog, 2, 0)
    moving(dialog)
    play(dialog, (2.0, checkpointed(dialog, 2, 0, "late"), []))
    seat = target(dialog)
    play(
        dialog,
        (2.0, Accepted(seat.number), [
            OpenLeg(seat.number, seat.node, seat.epoch, Role.OWNER, Resume(0, 0, 0, "migration")),
        ]),
        (2.1, LegOpened(seat.number), None),
        (2.1, checkpointed(dialog, 2, 0, "later"), []),
    )  # fmt: skip
    old = owner(dialog)
    play(dialog, (2.2, Bound(claim(dialog, seat, 1).binding), [
        CloseLeg(old.number, old.node, 1001, "moved"), Release(old.node, 1, "moved"),
        Serve(seat.number, [asked("q1"), asked("q2")]), Report(Cause.MIGRATION, "moved", about(1.2), 2, 0, 0),
    ]))  # fmt: skip
    play(dialog, (3.0, LegClosed(seat.number, 1006, ""), None))
    assert dialog.checkpoint is None, "what the former owner said last is of another past"


def test_a_late_checkpoint_counts_when_the_move_is_called_off() -> None:
    dialog = confirmed(NOW, nodes=2)
    exchange(dialog, 2, 0)
    moving(dialog)
    play(
        dialog,
        (2.0, checkpointed(dialog, 1, 0, "late"), []),
        (2.1, Declined(target(dialog).number, "busy"), None),
        (2.2, LegClosed(owner(dialog).number, 1006, ""), None),
    )
    assert dialog.checkpoint == Checkpoint(1, 0, "late")


def test_what_the_client_has_is_still_suppressed_when_a_move_is_called_off() -> None:
    dialog = confirmed(Migration(when=When.NOW, output=Output.REGENERATE), nodes=2)
    exchange(dialog, 1, 2)
    play(dialog, (1.0, LegClosed(1, 1006, ""), None))
    play(dialog, (1.0, Bound(claim(dialog, owner(dialog), 1).binding), None))
    seat = owner(dialog).number
    play(dialog, (1.0, Accepted(seat), None), (1.0, LegOpened(seat), None))
    assert dialog.outbound.admit(said("a1")) == b""
    play(dialog, (1.0, ORDER, None), (1.0 + CHECKPOINT_WAIT, DeadlinePassed(), None))
    play(dialog, (3.0, Declined(target(dialog).number, "busy"), None))
    assert dialog.move is None
    assert dialog.outbound.admit(said("a2")) == b""
    assert dialog.outbound.admit(said("a3")) == said("a3")


def test_a_new_owner_that_falls_silent_during_the_compare_and_set() -> None:
    dialog = binding_to_come(moving(confirmed(NOW)))
    seat = target(dialog)
    play(dialog, (2.1, NodeSilent(seat.node), []))
    play(dialog, (2.2, Bound(claim(dialog, seat, 1).binding), None))
    assert dialog.node is NodeSide.BINDING
    assert owner(dialog).node != seat.node
    assert binding(dialog).epoch == seat.epoch


def test_a_new_owner_that_breaks_while_the_store_fails() -> None:
    dialog = binding_to_come(moving(confirmed(NOW)))
    seat = target(dialog)
    play(dialog, (2.1, LegClosed(seat.number, 1006, ""), []))
    play(dialog, (2.2, BindFailed(), [
        CloseLeg(seat.number, seat.node, 1001, "called off"), Release(seat.node, seat.epoch, "called off"),
        Serve(1, []), Report(Cause.MIGRATION, "aborted", about(1.2), 0, 0, 0),
    ]))  # fmt: skip


def test_the_old_owner_breaks_during_the_compare_and_set() -> None:
    dialog = binding_to_come(moving(confirmed(NOW)))
    exchange(dialog, 1, 0)
    seat = target(dialog)
    play(dialog, (2.1, LegClosed(1, 1006, ""), []))
    play(dialog, (2.2, Bound(claim(dialog, seat, 1).binding), None))
    assert dialog.node is NodeSide.SERVING
    assert owner(dialog) is seat


def test_a_move_that_would_lose_messages_is_not_made() -> None:
    dialog = confirmed(NOW, journal=64)
    exchange(dialog, 20, 0)
    assert dialog.inbound.journal.first > 1
    play(dialog, (1.0, ORDER, None))
    play(dialog, (1.0 + CHECKPOINT_WAIT, DeadlinePassed(), [
        Serve(1, []), Report(Cause.MIGRATION, "aborted", CHECKPOINT_WAIT, 0, 0, 0),
    ]))  # fmt: skip
    assert dialog.node is NodeSide.SERVING


def test_a_warm_standby_is_promoted_without_another_invitation() -> None:
    dialog = confirmed(Migration(when=When.NOW, standby=Standby.WARM), nodes=2)
    play(dialog, (0.1, DeadlinePassed(), None))
    warm = dialog.standby
    assert warm is not None
    play(dialog, (0.1, Accepted(warm.number), None), (0.1, LegOpened(warm.number), []))
    exchange(dialog, 1, 1)
    play(dialog, (1.0, ORDER, None))
    made = Checkpoint(1, 1, "x")
    old = owner(dialog)
    play(dialog, (1.1, Checkpointed(old.node, 1, made), None))
    assert target(dialog) is warm and warm.epoch == 2
    play(dialog, (1.2, Bound(claim(dialog, warm, 1).binding), [
        CloseLeg(old.number, old.node, 1001, "moved"), Release(old.node, 1, "moved"),
        Promote(warm.node, 2, Resume(1, 1, 1, "migration"), made), Serve(warm.number, []),
        Report(Cause.MIGRATION, "moved", about(0.2), 0, 0, 0),
    ]))  # fmt: skip


def test_nothing_moves_that_may_not_or_is_not_served() -> None:
    play(confirmed(Migration(allowed=False)), (1.0, ORDER, []))
    play(new_dialog(), (1.0, ORDER, []))
    dialog = moving(confirmed(NOW))
    play(dialog, (2.0, ORDER, []))


def test_a_move_to_a_node_that_cannot_take_it_is_called_off() -> None:
    dialog = confirmed(NOW)
    to = others(dialog)[0]
    standing = dialog.roster.get(to)
    assert standing is not None
    standing.health.draining = True
    play(dialog, (1.0, MoveOrdered(to, Cause.MIGRATION, 0.0), [
        FreezeNode(), Serve(1, []), Report(Cause.MIGRATION, "aborted", 0.0, 0, 0, 0),
    ]))  # fmt: skip


def test_birth_counts_as_a_checkpoint_of_nothing() -> None:
    dialog = confirmed(NOW)
    assert BIRTH.covers(Checkpoint(0, 0, None))
    play(dialog, (1.0, ORDER, None))
    assert dialog.move is not None and dialog.move.step is MoveStep.SEAT
