"""Bursts are worked off some pieces a turn of the event loop: by rank, by who is waited for, in order."""

import asyncio

from sbc.runtime.burst import AT_ONCE, AWAITED_AT_ONCE, Burst


async def test_a_burst_lets_others_have_their_turn() -> None:
    burst, done = Burst(asyncio.get_running_loop()), list[int]()
    for number in range(AT_ONCE * 3):
        burst.add(lambda number=number: done.append(number))  # type: ignore[misc]
    assert done == list(range(AT_ONCE)), "the first are seen to at once"
    seen = []
    while len(done) < AT_ONCE * 3:
        seen.append(len(done))
        await asyncio.sleep(0)
    assert done == list(range(AT_ONCE * 3))
    assert seen[:2] != [AT_ONCE, AT_ONCE * 3], "not all the rest in one turn"


async def test_in_a_burst_those_go_first_whose_rank_is_low_and_then_those_that_are_waited_for() -> None:
    burst, done = Burst(asyncio.get_running_loop()), list[str]()
    for _ in range(AT_ONCE):
        burst.add(lambda: None)
    for name, rank, waiting in [("late", 2, True), ("quiet", 1, False), ("quiet too", 1, False), ("waits", 1, True),
                                ("first", 0, False)]:
        burst.add(lambda name=name: done.append(name), rank, waiting)  # type: ignore[misc]
    for _ in range(3):  # turns of the loop
        await asyncio.sleep(0)
    assert done == ["first", "waits", "quiet", "quiet too", "late"]


async def test_more_of_those_that_are_waited_for_have_their_turn_but_not_all() -> None:
    burst, done = Burst(asyncio.get_running_loop()), list[bool]()
    for number in range(AT_ONCE * 4 + AWAITED_AT_ONCE * 2):
        waiting = number >= AT_ONCE * 4
        burst.add(lambda waiting=waiting: done.append(waiting), 1, waiting)  # type: ignore[misc]
    assert done == [False] * AT_ONCE
    turns = []
    while len(done) < AT_ONCE * 4 + AWAITED_AT_ONCE * 2:
        before = len(done)
        await asyncio.sleep(0)
        turns.append(done[before:])
    turns = [turn for turn in turns if turn]
    assert turns == [[True] * AWAITED_AT_ONCE] * 2 + [[False] * AT_ONCE] * 3


async def test_single_pieces_are_done_at_once_turn_after_turn() -> None:
    burst, done = Burst(asyncio.get_running_loop()), list[int]()
    for number in range(20):
        burst.add(lambda number=number: done.append(number))  # type: ignore[misc]
        assert done[-1] == number
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_one_that_fails_stops_no_other() -> None:
    loop = asyncio.get_running_loop()
    faults: list[object] = []
    loop.set_exception_handler(lambda _loop, what: faults.append(what["exception"]))
    burst, done = Burst(loop), list[int]()
    for number in range(AT_ONCE * 2):
        burst.add(lambda number=number: done.append(number))  # type: ignore[misc]
    burst.add(lambda: done.append(1 // 0))
    burst.add(lambda: done.append(-1))
    for _ in range(10):  # turns of the loop
        await asyncio.sleep(0)
    assert done[-1] == -1
    assert [type(fault) for fault in faults] == [ZeroDivisionError]
