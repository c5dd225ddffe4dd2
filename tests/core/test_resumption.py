"""From where the next owner goes on, with checkpoints and without."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from sbc.core.dialog import NodeSide
from sbc.core.resumption import Resumption, bearable, covered, durable, resumption, settle_checkpoints
from sbc.core.roster import Roster
from sbc.core.transitions import receive
from sbc.model.binding import BIRTH, Checkpoint
from sbc.model.commands import Report, Serve
from sbc.model.events import Bound, DeadlinePassed, LegClosed, LegOpened
from sbc.model.leg import Cause, State
from sbc.model.manifest import Migration, Output, Replay
from tests.core.agents import split, text_of
from tests.core.playbook import about, asked, binding, claim, confirmed, exchange, owner, play
from tests.core.world import roster_of

RESET = LegClosed(1, 1006, "reset")


def plain(count: int = 2) -> Roster:
    """Nodes without trunks or checkpoints."""
    roster = roster_of(count)
    for standing in roster:
        standing.trunk = standing.checkpoints = False
    return roster


def test_durable_is_birth_for_a_node_that_checkpoints_and_nothing_for_one_that_does_not() -> None:
    assert durable(confirmed()) == BIRTH
    assert durable(confirmed(roster=plain())) is None


def test_the_point_of_resumption() -> None:
    dialog = confirmed(Migration(output=Output.REGENERATE))
    exchange(dialog, 5, 7)
    assert resumption(dialog, Checkpoint(2, 3, "")) == Resumption(2, 3, 7, 4, 0)
    assert resumption(dialog, None) == Resumption(5, 7, 7, 0, 0)
    dialog.inbound.journal.trim(4)
    assert resumption(dialog, Checkpoint(2, 3, "")) == Resumption(2, 3, 7, 4, 2)
    assert (bearable(dialog, 0), bearable(dialog, 1)) == (True, False)


def test_of_the_checkpoints_whose_messages_are_here_the_last_counts() -> None:
    dialog = confirmed()
    exchange(dialog, 3, 2)
    dialog.pending = (Checkpoint(1, 1, "a"), Checkpoint(2, 2, "b"), Checkpoint(3, 3, "c"))
    assert settle_checkpoints(dialog)
    assert dialog.checkpoint == Checkpoint(2, 2, "b")
    assert [checkpoint.state for checkpoint in dialog.pending] == ["c"]
    assert not settle_checkpoints(dialog)


def test_what_a_plain_node_was_sent_is_unknown_and_not_sent_again() -> None:
    dialog = confirmed(roster=plain())
    exchange(dialog, 3, 1)
    play(dialog, (1.0, RESET, None))
    dialog.inbound.admit(asked("q4"))
    play(dialog, (1.1, Bound(claim(dialog, owner(dialog), 1).binding), None))
    play(dialog, (1.2, LegOpened(2), [
        Serve(2, [asked("q4")]), Report(Cause.FAILOVER, "moved", about(0.2), 1, 0, 3),
    ]))  # fmt: skip


def test_a_plain_node_that_rebuilds_its_state_is_sent_everything() -> None:
    dialog = confirmed(Migration(replay=Replay.ALL), roster=plain())
    exchange(dialog, 2, 1)
    play(dialog, (1.0, RESET, None), (1.1, Bound(claim(dialog, owner(dialog), 1).binding), None))
    play(dialog, (1.2, LegOpened(2), [
        Serve(2, [asked("q1"), asked("q2")]), Report(Cause.FAILOVER, "moved", about(0.2), 2, 0, 2),
    ]))  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(fate=st.lists(st.sampled_from(["say", "say", "die", "close", "bind", "open"]), max_size=60))
def test_plain_nodes_get_every_message_at_most_once_and_what_may_be_missing_is_counted(fate: list[str]) -> None:
    dialog = confirmed(Migration(hold=1e6), roster=plain(3))
    got: Counter[str] = Counter()
    said, now, dead = 0, 1.0, False
    for step in [*fate, "close", "bind", "open", "say"]:
        now += 0.5
        seat = dialog.owner
        if step == "say":
            said += 1
            out = dialog.inbound.admit(asked(f"q{said}"))
            got.update([] if dead else [text_of(message) for message in split(out, masked=True)])
        elif step == "die" and dialog.state is State.CONFIRMED:
            dead = True
        elif step == "close" and dialog.node is NodeSide.SERVING and seat is not None:
            play(dialog, (now, LegClosed(seat.number, 1006, ""), None))
        elif dialog.node is NodeSide.WAITING:
            play(dialog, (now, DeadlinePassed(), None))
        elif step == "bind" and dialog.node is NodeSide.BINDING and seat is not None:
            play(dialog, (now, Bound(claim(dialog, seat, binding(dialog).epoch).binding), None))
        elif step == "open" and dialog.node is NodeSide.SEATING and seat is not None:
            for command in receive(dialog, LegOpened(seat.number), now):
                if isinstance(command, Serve):
                    got.update(text_of(message) for message in command.replay)
            dead = False
    assert all(times == 1 for times in got.values())
    if dialog.node is NodeSide.SERVING and not dead:
        assert said - len(got) <= dialog.account.unknown


def test_of_answers_side_by_side_each_has_to_be_here_as_far_as_a_checkpoint_says() -> None:
    dialog = confirmed()
    exchange(dialog, 4, 9)
    dialog.answering = {2: 3, 4: 1}
    for early in ({2: 4, 4: 0}, {2: 3}, {}):  # one message too many; an answer that is not at its end
        dialog.pending = (Checkpoint(4, 5, "early", early),)
        assert not settle_checkpoints(dialog)
    dialog.pending = (Checkpoint(4, 50, "true", {2: 3, 4: 0, 3: 7}),)  # the third was given up by its client
    assert settle_checkpoints(dialog) and dialog.checkpoint is not None and dialog.checkpoint.state == "true"
    dialog.passed = 4
    assert not covered(dialog)
    dialog.answering = {2: 3}
    assert covered(dialog)


def test_requests_that_are_under_way_are_not_lost_with_the_journal() -> None:
    dialog = confirmed()
    exchange(dialog, 5, 0)
    dialog.inbound.journal.trim(4)
    assert resumption(dialog, BIRTH).lost == 4
    dialog.answering = {2: 0, 3: 0, 5: 0}
    assert resumption(dialog, BIRTH).lost == 2
