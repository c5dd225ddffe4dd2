"""Finding a session its owner: at the start, after a loss, while nobody is there, when the store is out of order."""

import pytest

from sbc.core.dialog import Dialog, NodeSide
from sbc.core.seating import ATTEMPT, FRUITLESS_BORNE, LONGEST_RETRY, RETRY, start
from sbc.core.transitions import receive
from sbc.model.binding import Checkpoint, Resume
from sbc.model.commands import (
    Answer,
    Bind,
    Close,
    CloseClient,
    CloseLeg,
    Invite,
    OpenLeg,
    Promote,
    Refuse,
    Release,
    Report,
    Serve,
    Trim,
)
from sbc.model.events import (
    Accepted,
    BindFailed,
    BindLost,
    Bound,
    Checkpointed,
    DeadlinePassed,
    Declined,
    LegClosed,
    LegOpened,
    LegRefused,
    NodeReady,
    NodeSilent,
)
from sbc.model.leg import Cause, Role, State
from sbc.model.manifest import Migration, Output, Standby
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
)
from tests.core.world import roster_of

RESET = LegClosed(1, 1006, "reset")


def rebound(dialog: Dialog, now: float, expected: int | None = 1) -> None:
    """The store takes the new owner, and the node takes the session."""
    seat = owner(dialog)
    play(dialog, (now, Bound(claim(dialog, seat, expected).binding), None))
    play(dialog, (now, Accepted(seat.number), None), (now, LegOpened(seat.number), None))
    assert dialog.node is NodeSide.SERVING


def test_a_session_begins() -> None:
    dialog = new_dialog()
    commands = start(dialog, 0.0)
    seat = owner(dialog)
    assert commands == [claim(dialog, seat, None)]
    assert dialog.state.value == "early"
    play(
        dialog,
        (0.1, Bound(claim(dialog, seat, None).binding), [Invite(1, seat.node, 1, Role.OWNER, None)]),
        (0.2, Accepted(1), [OpenLeg(1, seat.node, 1, Role.OWNER, None)]),
        (0.3, LegOpened(1), [Answer(None, 0, []), Serve(1, [])]),
    )
    assert dialog.state is State.CONFIRMED


def test_a_plain_node_is_not_invited() -> None:
    roster = roster_of(1)
    next(iter(roster)).trunk = False
    dialog = new_dialog(roster=roster)
    start(dialog, 0.0)
    seat = owner(dialog)
    play(dialog, (0.1, Bound(claim(dialog, seat, None).binding), [OpenLeg(1, seat.node, 1, Role.OWNER, None)]))


@pytest.mark.parametrize("event", [Declined(1, "busy"), LegRefused(1, 503, "no"), NodeSilent, "late"])
def test_a_node_that_does_not_take_it_is_followed_by_another(event: object) -> None:
    dialog = new_dialog()
    start(dialog, 0.0)
    first = owner(dialog)
    play(dialog, (0.0, Bound(claim(dialog, first, None).binding), None))
    now = 0.1
    if event == "late":
        event, now = DeadlinePassed(), ATTEMPT
    elif event is NodeSilent:
        event = NodeSilent(first.node)
    assert isinstance(event, Declined | LegRefused | NodeSilent | DeadlinePassed)
    play(dialog, (now, event, None))
    second = owner(dialog)
    assert (second.epoch, second.node != first.node) == (2, True)
    assert dialog.roster.ledger.seats(first.node) == 0


def test_a_client_that_nobody_can_take_is_refused() -> None:
    dialog = new_dialog(nodes=1)
    start(dialog, 0.0)
    play(dialog, (0.0, Bound(claim(dialog, owner(dialog), None).binding), None))
    commands = receive(dialog, Declined(1, "busy"), 0.1)
    assert [type(command) for command in commands] == [Release, Refuse, Close]
    assert dialog.state is State.ENDED


def test_a_client_that_is_turned_away_is_told_how_long_the_node_asks_for() -> None:
    dialog = new_dialog(nodes=1)
    start(dialog, 0.0)
    play(dialog, (0.0, Bound(claim(dialog, owner(dialog), None).binding), None))
    commands = receive(dialog, Declined(1, "busy", 7.0), 0.1)
    refused = next(command for command in commands if isinstance(command, Refuse))
    assert (refused.refusal.status, refused.refusal.retry_after) == (503, 7.0)


@pytest.mark.parametrize("event", [BindLost(), BindFailed()])
def test_a_new_session_that_cannot_be_recorded_is_refused(event: BindLost | BindFailed) -> None:
    dialog = new_dialog()
    start(dialog, 0.0)
    play(dialog, (0.1, event, None))
    assert dialog.state is State.ENDED
    assert not dialog.seats


def test_the_owner_dies_and_the_next_goes_on_from_the_checkpoint() -> None:
    dialog = confirmed()
    old = owner(dialog)
    exchange(dialog, 3, 2)
    made = Checkpoint(1, 2, "x")
    play(dialog, (1.0, Checkpointed(old.node, 1, made), [Trim(made)]))
    play(dialog, (2.0, RESET, None))
    new = owner(dialog)
    assert dialog.state is State.HELD
    assert dialog.inbound.admit(asked("q4")) == b""
    play(
        dialog,
        (2.1, Bound(claim(dialog, new, 1).binding), [Invite(2, new.node, 2, Role.OWNER, made)]),
        (2.2, Accepted(2), [OpenLeg(2, new.node, 2, Role.OWNER, Resume(1, 2, 2, "failover"))]),
        (2.5, LegOpened(2), [
            Serve(2, [asked("q2"), asked("q3"), asked("q4")]),
            Report(Cause.FAILOVER, "moved", about(0.5), 3, 0, 0),
        ]),
    )  # fmt: skip


def test_the_next_owner_says_again_what_the_client_has_and_it_is_suppressed() -> None:
    dialog = confirmed(Migration(output=Output.REGENERATE))
    exchange(dialog, 1, 2)
    play(dialog, (1.0, RESET, None))
    rebound(dialog, 1.0)
    assert dialog.outbound.admit(said("a1") + said("a2") + said("a3")) == said("a3")
    assert dialog.outbound.tally.suppressed == 2


def test_a_checkpoint_whose_messages_were_lost_with_its_node_is_forgotten() -> None:
    dialog = confirmed()
    exchange(dialog, 2, 1)
    play(dialog, (1.0, checkpointed(dialog, 2, 3, "lost"), []), (1.1, RESET, None))
    rebound(dialog, 1.1)
    exchange(dialog, 0, 2)
    play(dialog, (2.0, LegClosed(owner(dialog).number, 1006, ""), None))
    assert dialog.checkpoint is None


def test_a_checkpoint_that_is_settled_by_the_loss_is_recorded() -> None:
    dialog = confirmed()
    exchange(dialog, 2, 0)
    made = Checkpoint(1, 1, "x")
    play(dialog, (1.0, checkpointed(dialog, 1, 1, "x"), []))
    exchange(dialog, 0, 1)
    old = owner(dialog)
    assert receive(dialog, RESET, 1.1)[:3] == [
        Trim(made), CloseLeg(1, old.node, 1001, "lost"), Release(old.node, 1, "lost"),
    ]  # fmt: skip


def test_a_promoted_standby_is_served_without_another_invitation() -> None:
    dialog = confirmed(Migration(standby=Standby.WARM), nodes=2)
    old, (node,) = owner(dialog), others(dialog)
    play(
        dialog,
        (0.1, DeadlinePassed(), [Invite(2, node, 1, Role.STANDBY, None)]),
        (0.1, Accepted(2), [OpenLeg(2, node, 1, Role.STANDBY, None)]),
        (0.1, LegOpened(2), []),
    )
    exchange(dialog, 1, 1)
    seat = dialog.standby
    assert seat is not None
    dialog.last_epoch = 1
    play(dialog, (1.0, RESET, None))
    assert owner(dialog) is seat and seat.epoch == 2
    play(dialog, (1.1, Bound(claim(dialog, seat, 1).binding), [
        Promote(node, 2, Resume(0, 0, 1, "failover"), None), Serve(2, [asked("q1")]),
        Report(Cause.FAILOVER, "moved", about(0.1), 1, 0, 0),
    ]))  # fmt: skip
    assert dialog.roster.ledger.seats(old.node) == 0


def test_a_standby_that_is_not_there_yet_gives_way_to_its_node_as_owner() -> None:
    dialog = confirmed(Migration(standby=Standby.WARM), nodes=2)
    (node,) = others(dialog)
    play(dialog, (0.1, DeadlinePassed(), None), (0.2, RESET, None))
    assert dialog.standby is None
    assert owner(dialog).node == node
    assert dialog.roster.ledger.seats(node) == 1


def test_nobody_is_there_and_the_client_is_held_until_somebody_is() -> None:
    dialog = confirmed(nodes=1)
    play(dialog, (1.0, RESET, None))
    assert (dialog.node, dialog.state) == (NodeSide.WAITING, State.HELD)
    assert dialog.outage is not None and dialog.outage.retry_at == pytest.approx(1.0 + RETRY)
    play(dialog, (1.05, NodeReady(), None))
    rebound(dialog, 1.2)


def test_nobody_comes_and_the_session_ends_when_it_was_held_long_enough() -> None:
    dialog = confirmed(Migration(hold=2.0), nodes=1)
    standing = next(iter(dialog.roster))
    standing.health.alive = False
    play(
        dialog,
        (1.0, RESET, None),
        (1.1, DeadlinePassed(), []),
        (3.0, DeadlinePassed(), [
            Report(Cause.FAILOVER, "failed", 2.0, 0, 0, 0),
            CloseClient(1014, "retry_after=5"), Close(1014, "retry_after=5", "no_replica"),
        ]),
    )  # fmt: skip


def test_a_session_of_exchanges_stays_while_nobody_comes() -> None:
    dialog = confirmed(Migration(hold=2.0), nodes=1)
    dialog.patient = True
    standing = next(iter(dialog.roster))
    standing.health.alive = False
    play(dialog, (1.0, RESET, None))
    play(dialog, (1.1, DeadlinePassed(), []), (3.0, DeadlinePassed(), []), (9.0, DeadlinePassed(), []))
    assert (dialog.node, dialog.state, dialog.deadline) == (NodeSide.WAITING, State.HELD, 9.0 + LONGEST_RETRY)
    standing.health.alive = True
    play(dialog, (9.5, NodeReady(), None))
    rebound(dialog, 9.6)


def test_a_session_of_exchanges_that_nobody_takes_is_not_begun() -> None:
    dialog = new_dialog()
    dialog.patient = True
    for standing in dialog.roster:
        standing.health.alive = False
    commands = start(dialog, 0.0)
    assert isinstance(commands[0], Refuse)


def test_a_store_that_is_out_of_order_stops_no_session_now_or_later() -> None:
    dialog = confirmed()
    play(dialog, (1.0, RESET, None))
    seat = owner(dialog)
    play(dialog, (1.1, BindFailed(), [Invite(2, seat.node, 2, Role.OWNER, None)]))
    play(dialog, (1.1, Accepted(2), None), (1.2, LegOpened(2), None))
    assert binding(dialog).epoch == 2
    exchange(dialog, 0, 1)
    commands = receive(dialog, LegClosed(2, 1006, ""), 2.0)
    assert isinstance(commands[-1], Bind)
    assert commands[-1].expected == 1, "the store still has the epoch before"
    play(dialog, (2.1, Bound(commands[-1].binding), None))
    play(dialog, (2.1, Accepted(3), None), (2.2, LegOpened(3), None))
    commands = receive(dialog, LegClosed(3, 1006, ""), 2.0)
    assert isinstance(commands[-1], Bind)
    assert commands[-1].expected == 3


def test_a_session_that_is_bound_elsewhere_is_dropped() -> None:
    dialog = confirmed()
    play(dialog, (1.0, RESET, None), (1.1, BindLost(), None))
    assert dialog.state is State.ENDED
    assert not dialog.seats


def test_a_session_that_may_not_move_ends_with_its_node() -> None:
    dialog = confirmed(Migration(allowed=False))
    old = owner(dialog)
    play(dialog, (1.0, RESET, [
        CloseLeg(1, old.node, 1001, "lost"), Release(old.node, 1, "lost"),
        Report(Cause.FAILOVER, "failed", 0.0, 0, 0, 0),
        CloseClient(1014, "node lost"), Close(1014, "node lost", "node_lost"),
    ]))  # fmt: skip


def test_a_gap_ends_the_session_or_is_counted_where_it_is_tolerated() -> None:
    for tolerated, state in ((0, State.ENDED), (None, State.HELD)):
        dialog = confirmed(Migration(tolerated_loss=tolerated), journal=64)
        exchange(dialog, 20, 0)
        missing = dialog.inbound.journal.first - 1
        play(dialog, (1.0, RESET, None))
        assert dialog.state is state
        if state is State.HELD:
            rebound(dialog, 1.0)
        assert dialog.account.lost == missing > 0


def test_owners_that_die_one_after_the_other_slow_the_search_down() -> None:
    dialog = confirmed(nodes=3)
    for number in range(FRUITLESS_BORNE):
        play(dialog, (1.0 + number, LegClosed(owner(dialog).number, 1006, ""), None))
        if dialog.node is NodeSide.BINDING:
            rebound(dialog, 1.0 + number, binding(dialog).epoch)
    assert dialog.node is NodeSide.WAITING


def test_an_owner_that_breaks_during_the_compare_and_set() -> None:
    dialog = confirmed()
    play(dialog, (1.0, RESET, None))
    first = owner(dialog)
    play(dialog, (1.1, NodeSilent(first.node), []), (1.2, Bound(claim(dialog, first, 1).binding), None))
    assert owner(dialog).node != first.node
    assert dialog.node is NodeSide.BINDING
