"""The queue of those that take a seat on a node at the same time."""

from collections.abc import Callable

from sbc.model.events import LegClosed
from sbc.model.ids import NodeId
from sbc.model.manifest import Migration, Replay
from sbc.runtime.pace import Pace, waited_for
from tests.core.playbook import checkpointed, confirmed, exchange, owner, play
from tests.core.world import roster_of

A, B = NodeId("p/a"), NodeId("p/b")


def starter(log: list[str], name: str, wanted: bool = True) -> Callable[[], bool]:
    def start() -> bool:
        log.append(name)
        return wanted

    return start


def test_so_many_at_a_time_the_rest_by_rank_then_by_who_is_waited_for_then_in_order() -> None:
    pace, log = Pace(at_once=1), list[str]()
    pace.enter(A, 0, False, starter(log, "first"))
    for name, rank, waiting in [("late", 2, True), ("quiet", 1, False), ("quiet too", 1, False), ("waits", 1, True)]:
        pace.enter(A, rank, waiting, starter(log, name))
    assert log == ["first"]
    for _ in range(4):
        pace.leave(A)
    assert log == ["first", "waits", "quiet", "quiet too", "late"]


def test_one_that_is_not_wanted_any_more_takes_no_place() -> None:
    pace, log = Pace(at_once=1), list[str]()
    pace.enter(A, 0, False, starter(log, "first"))
    pace.enter(A, 0, False, starter(log, "gone", wanted=False))
    pace.enter(A, 0, False, starter(log, "next"))
    pace.leave(A)
    assert log == ["first", "gone", "next"]


def test_nodes_do_not_wait_for_each_other() -> None:
    pace, log = Pace(at_once=1), list[str]()
    pace.enter(A, 0, False, starter(log, "a"))
    pace.enter(B, 0, False, starter(log, "b"))
    assert log == ["a", "b"]


def test_thousands_that_end_as_soon_as_they_start_are_let_in_one_after_the_other() -> None:
    pace, log = Pace(at_once=1), list[int]()
    pace.enter(A, 0, False, lambda: True)

    def brief(number: int) -> Callable[[], bool]:
        def start() -> bool:
            log.append(number)
            pace.leave(A)
            return True

        return start

    for number in range(5000):
        pace.enter(A, 0, False, brief(number))
    pace.leave(A)
    assert log == list(range(5000))


def test_a_client_waits_for_what_no_durable_state_covers() -> None:
    dialog = confirmed()
    assert not waited_for(dialog)
    exchange(dialog, 2, 1)
    assert waited_for(dialog), "its owner has made nothing durable yet"
    play(dialog, (1.0, checkpointed(dialog, 2, 1), None))
    assert not waited_for(dialog)
    exchange(dialog, 1, 0)
    assert waited_for(dialog)


def test_a_checkpoint_that_overtook_its_message_counts_once_that_is_here() -> None:
    dialog = confirmed()
    exchange(dialog, 1, 0)
    play(dialog, (1.0, checkpointed(dialog, 1, 1), []))
    assert waited_for(dialog)
    exchange(dialog, 0, 1)
    assert not waited_for(dialog)


def test_it_waits_until_the_next_owner_serves_it() -> None:
    dialog = confirmed()
    exchange(dialog, 3, 3)
    play(dialog, (1.0, checkpointed(dialog, 2, 3), None), (2.0, LegClosed(owner(dialog).number, 1006, ""), None))
    assert waited_for(dialog)


def test_a_node_without_checkpoints_leaves_only_those_waiting_whose_messages_are_held() -> None:
    """What it was sent before may be answered or not: nobody can know."""
    roster = roster_of(2)
    for standing in roster:
        standing.checkpoints = False
    dialog = confirmed(roster=roster)
    exchange(dialog, 2, 1)
    assert not waited_for(dialog)
    dialog.hold()
    assert not waited_for(dialog)
    exchange(dialog, 1, 0)
    assert waited_for(dialog)


def test_where_everything_is_said_again_everybody_waits_who_said_anything() -> None:
    roster = roster_of(2)
    for standing in roster:
        standing.checkpoints = False
    dialog = confirmed(Migration(replay=Replay.ALL), roster=roster)
    assert not waited_for(dialog)
    exchange(dialog, 1, 1)
    assert waited_for(dialog)
