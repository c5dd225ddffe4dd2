"""What a dialog does with each event: the client that goes and comes, checkpoints true and false, and every end."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbc.core.dialog import ClientSide, Dialog, NodeSide
from sbc.core.relay import Gate
from sbc.core.resumption import PENDING_CHECKPOINTS
from sbc.core.transitions import LEAVING, receive
from sbc.model.binding import Binding, Checkpoint, Resume
from sbc.model.commands import (
    Answer,
    Close,
    CloseClient,
    CloseLeg,
    Invite,
    OpenLeg,
    Park,
    Refuse,
    Release,
    ReplaceClient,
    Report,
    Serve,
    Trim,
)
from sbc.model.events import (
    Accepted,
    Bound,
    Checkpointed,
    ClientBye,
    ClientLost,
    DeadlinePassed,
    Declined,
    EndOrdered,
    LegClosed,
    LegOpened,
    LegRefused,
    NodeBye,
    NodeReady,
    NodeSilent,
    Reattached,
    TurnEnded,
)
from sbc.model.ids import NodeId
from sbc.model.leg import Cause, Role, State
from sbc.model.manifest import Migration, Output
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
    start_of,
)
from tests.core.world import POOL, roster_of


def test_a_client_goes_and_comes_back_to_what_it_is_owed() -> None:
    dialog = confirmed()
    exchange(dialog, 1, 2)
    play(dialog, (1.0, ClientLost(), [Park()]))
    assert dialog.state is State.PARKED
    assert dialog.outbound.admit(said("a3")) == b""
    play(dialog, (2.0, ClientLost(), []), (3.0, Reattached(1), [Answer(1, 0, [said("a2"), said("a3")])]))
    assert dialog.client is ClientSide.PRESENT
    assert dialog.outbound.admit(said("a4")) == said("a4")
    assert dialog.account.parked_seconds == about(2.0)


def test_a_client_that_stays_away_is_given_up() -> None:
    dialog = confirmed(Migration(hold=5.0))
    node = owner(dialog).node
    play(
        dialog,
        (0.1, DeadlinePassed(), []),
        (1.0, ClientLost(), [Park()]),
        (5.9, DeadlinePassed(), []),
        (6.0, DeadlinePassed(), [
            CloseLeg(1, node, 1001, "client gone"), Release(node, 1, "client gone"),
            Close(1001, "client gone", "client_gone"),
        ]),
    )  # fmt: skip


def test_another_connection_of_the_client_takes_the_session_over() -> None:
    dialog = confirmed()
    exchange(dialog, 0, 2)
    play(dialog, (1.0, Reattached(2), [ReplaceClient(), Answer(2, 0, [])]))


def test_what_the_journal_has_lost_is_announced_as_a_gap() -> None:
    dialog = confirmed(journal=40)
    play(dialog, (1.0, ClientLost(), None))
    exchange(dialog, 0, 20)
    kept = dialog.outbound.journal.since(0)
    assert 0 < len(kept) < 20
    play(dialog, (2.0, Reattached(3), [Answer(3, 17 - len(kept), kept)]))
    assert dialog.account.lost == 17 - len(kept)


def test_a_client_comes_back_while_the_owner_is_replaced() -> None:
    dialog = confirmed(Migration(output=Output.REGENERATE))
    exchange(dialog, 1, 1)
    play(dialog, (1.0, ClientLost(), None), (1.0, LegClosed(1, 1006, ""), None))
    assert dialog.state.value == "parked"
    play(dialog, (1.1, Reattached(1), [Answer(1, 0, [])]))
    assert dialog.state is State.HELD
    play(dialog, (1.1, Bound(claim(dialog, owner(dialog), 1).binding), None), (1.1, Accepted(2), None))
    play(dialog, (1.2, LegOpened(2), None))
    assert dialog.outbound.admit(said("a1") + said("a2")) == said("a2")


def recovered(checkpoint: Checkpoint | None) -> Dialog:
    """A dialog as it is read back from the store: three messages each way on record, nobody there."""
    dialog = new_dialog()
    for relay, frame in ((dialog.inbound, asked), (dialog.outbound, said)):
        for number in (1, 2, 3):
            message = frame(f"{number}")
            relay.journal.insist(message, 0, len(message))
        relay.count = 3
    dialog.client, dialog.node, dialog.recovered, dialog.passed = ClientSide.AWAY, NodeSide.WAITING, True, 3
    dialog.binding, dialog.last_epoch = Binding(dialog.session, NodeId("pool/n1"), None, 4), 4
    dialog.checkpoint = checkpoint
    return dialog


def test_a_recovered_dialog_goes_on_where_its_client_and_its_owner_stand() -> None:
    made = Checkpoint(2, 3, "x")
    dialog = recovered(made)
    play(dialog, (1.0, Reattached(5), None))
    seat = owner(dialog)
    assert (seat.node, seat.epoch, dialog.outbound.count) == ("pool/n1", 5, 5)
    play(
        dialog,
        (1.0, Bound(claim(dialog, seat, 4).binding), [Invite(1, seat.node, 5, Role.OWNER, made)]),
        (1.0, Accepted(1), [OpenLeg(1, seat.node, 5, Role.OWNER, Resume(2, 3, 5, "recovery"))]),
        (1.5, LegOpened(1), [Serve(1, [asked("3")]), Report(Cause.RECOVERY, "moved", about(0.5), 1, 0, 0)]),
    )


def test_a_recovered_dialog_without_a_checkpoint_begins_at_birth() -> None:
    dialog = recovered(None)
    play(dialog, (1.0, Reattached(1), None))
    play(dialog, (1.0, Bound(claim(dialog, owner(dialog), 4).binding), None))
    play(dialog, (1.0, Accepted(1), [OpenLeg(1, owner(dialog).node, 5, Role.OWNER, Resume(0, 0, 3, "recovery"))]))


def test_only_the_first_return_after_a_restart_may_know_more_than_the_edge() -> None:
    dialog = recovered(None)
    play(dialog, (1.0, Reattached(5), None))
    assert not dialog.recovered


def test_a_checkpoint_that_overtakes_its_messages_waits_for_them() -> None:
    dialog = confirmed()
    exchange(dialog, 2, 0)
    play(dialog, (1.0, checkpointed(dialog, 1, 1, "x"), []))
    exchange(dialog, 0, 1)
    play(dialog, (1.1, checkpointed(dialog, 2, 2, "y"), [Trim(Checkpoint(1, 1, "x"))]))
    assert dialog.inbound.journal.since(0) == [asked("q2")]


def test_checkpoints_that_run_far_ahead_are_not_all_forgotten() -> None:
    dialog = confirmed()
    exchange(dialog, 1, 0)
    for ahead in range(1, 3 * PENDING_CHECKPOINTS):
        play(dialog, (1.0, checkpointed(dialog, 1, ahead), []))
    assert len(dialog.pending) <= PENDING_CHECKPOINTS
    exchange(dialog, 0, 1)
    play(dialog, (1.0, checkpointed(dialog, 1, 3 * PENDING_CHECKPOINTS), [Trim(Checkpoint(1, 1, ""))]))


@pytest.mark.parametrize(("received", "sent"), [(4, 2), (0, 2), (3, 0), (1, 1)])
def test_a_checkpoint_that_cannot_be_true_is_dropped(received: int, sent: int) -> None:
    dialog = confirmed()
    exchange(dialog, 3, 2)
    play(dialog, (1.0, checkpointed(dialog, 2, 1), None), (1.1, checkpointed(dialog, received, sent), []))
    assert dialog.checkpoint == Checkpoint(2, 1, "")


def test_a_checkpoint_of_another_epoch_or_node_or_before_it_serves_is_dropped() -> None:
    dialog = confirmed()
    exchange(dialog, 2, 0)
    node = owner(dialog).node
    true = Checkpoint(1, 0, "")
    play(
        dialog,
        (1.0, Checkpointed(node, 0, true), []),
        (1.0, Checkpointed(node, 2, true), []),
        (1.0, Checkpointed(others(dialog)[0], 1, true), []),
        (1.0, LegClosed(1, 1006, ""), None),
        (1.0, Checkpointed(node, 1, true), []),
    )
    play(dialog, (1.0, Bound(claim(dialog, owner(dialog), 1).binding), None), (1.0, checkpointed(dialog, 2, 0), []))
    assert dialog.inbound.journal.since(0) == [asked("q1"), asked("q2")]


@pytest.mark.parametrize("code", [1000, 1002, 1005, 1008, 4000])
def test_a_node_ends_the_session_by_its_close_code(code: int) -> None:
    dialog = confirmed()
    node = owner(dialog).node
    play(dialog, (1.0, LegClosed(1, code, "why"), [
        CloseClient(code, "why"), CloseLeg(1, node, code, "why"), Release(node, 1, "why"),
        Close(code, "why", "node_closed"),
    ]))  # fmt: skip


@pytest.mark.parametrize("code", sorted(LEAVING))
def test_a_node_gives_the_session_up_by_its_close_code(code: int) -> None:
    dialog = confirmed()
    play(dialog, (1.0, LegClosed(1, code, "why"), None))
    assert dialog.state is State.HELD


def test_the_ends_that_are_wanted() -> None:
    for event, code, reason, result in (
        (ClientBye(1000, "bye"), 1000, "bye", "client_bye"), (EndOrdered(1008, "no"), 1008, "no", "ordered"),
        (NodeBye(NodeId("owner"), 1, "done"), 1000, "done", "node_bye"),
    ):  # fmt: skip
        dialog = confirmed()
        node = owner(dialog).node
        happened = NodeBye(node, 1, "done") if isinstance(event, NodeBye) else event
        play(dialog, (1.0, happened, [
            CloseClient(code, reason), CloseLeg(1, node, code, reason), Release(node, 1, reason),
            Close(code, reason, result),
        ]))  # fmt: skip
        assert (dialog.state, dialog.deadline, dialog.seats) == (State.ENDED, None, [])
        assert (dialog.inbound.gate, dialog.outbound.gate) == (Gate.SHUT, Gate.SHUT)
        play(dialog, (2.0, Reattached(0), []), (2.0, NodeReady(), []), (2.0, DeadlinePassed(), []))


def test_what_a_client_left_unsaid_is_not_made_up() -> None:
    """The node's leg is closed as the client closed: without a reason if it gave none. The trunk has a word for it."""
    dialog = confirmed()
    node = owner(dialog).node
    play(dialog, (1.0, ClientBye(4000, ""), [
        CloseClient(4000, ""), CloseLeg(1, node, 4000, ""), Release(node, 1, "client_bye"),
        Close(4000, "", "client_bye"),
    ]))  # fmt: skip


def test_a_stale_goodbye_ends_nothing() -> None:
    dialog = confirmed()
    play(dialog, (1.0, NodeBye(owner(dialog).node, 0, ""), []), (1.0, NodeBye(others(dialog)[0], 1, ""), []))


def test_a_node_refuses_a_new_session_in_its_own_words() -> None:
    for status, kind in ((403, Refuse), (429, None), (503, None), (0, None)):
        dialog = new_dialog()
        start_of(dialog)
        play(dialog, (0.0, Accepted(1), None))
        commands = receive(dialog, LegRefused(1, status, "no"), 0.1)
        refused = [command for command in commands if isinstance(command, Refuse)]
        assert [command.refusal.status for command in refused] == ([status] if kind else [])
    dialog = confirmed()
    play(dialog, (1.0, LegClosed(1, 1006, ""), None), (1.0, Bound(claim(dialog, owner(dialog), 1).binding), None))
    play(dialog, (1.0, Accepted(2), None), (1.0, LegRefused(2, 403, "no"), None))
    assert dialog.state is State.HELD


def test_a_client_that_leaves_before_its_answer() -> None:
    dialog = new_dialog()
    start_of(dialog)
    play(dialog, (0.1, ClientLost(), None))
    assert (dialog.state, dialog.seats) == (State.ENDED, [])


def test_answers_about_seats_that_were_left_are_stale() -> None:
    dialog = confirmed()
    play(
        dialog,
        (1.0, Accepted(9), []), (1.0, Declined(9, ""), []), (1.0, LegOpened(9), []), (1.0, LegRefused(9, 0, ""), []),
        (1.0, LegClosed(9, 1000, ""), []), (1.0, Accepted(1), []), (1.0, LegOpened(1), []), (1.0, TurnEnded(), []),
        (1.0, Bound(binding(dialog)), []), (1.0, NodeSilent(others(dialog)[0]), []), (1.0, NodeReady(), []),
    )  # fmt: skip


EVENTS = st.one_of(
    st.sampled_from([
        ClientLost(), NodeReady(), TurnEnded(), DeadlinePassed(), Reattached(0), Reattached(1),
        *[kind(seat) for kind in (Accepted, LegOpened) for seat in (1, 2, 3)],
        *[Declined(seat, "") for seat in (1, 2, 3)], *[LegClosed(seat, 1006, "") for seat in (1, 2, 3)],
        *[NodeSilent(NodeId(f"{POOL}/n{number}")) for number in range(3)], LegClosed(1, 1000, ""),
    ])
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(events=st.lists(EVENTS, max_size=25))
def test_no_order_of_events_breaks_the_dialog_or_leaks_a_seat(events: list[object]) -> None:
    roster = roster_of(3)
    dialog = confirmed(roster=roster)
    for number, event in enumerate(events):
        if dialog.client is not ClientSide.AWAY and isinstance(event, Reattached):
            continue
        receive(dialog, event, 1.0 + number * 0.2)  # type: ignore[arg-type]
        taken = sorted(seat.node for seat in dialog.seats)
        assert sorted(s.node.id for s in roster for _ in range(roster.ledger.seats(s.node.id))) == taken
    receive(dialog, EndOrdered(1000, ""), 99.0)
    assert all(roster.ledger.seats(standing.node.id) == 0 for standing in roster)
