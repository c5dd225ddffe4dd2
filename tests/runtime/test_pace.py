"""The queue of those that take a seat on a node at the same time."""

from collections.abc import Callable

from sbc.model.ids import NodeId
from sbc.runtime.pace import Pace

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
