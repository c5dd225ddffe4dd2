"""When a worker is started again."""

import pytest

from sbc.supervisor.restarts import LIVED, LONGEST, SO_OFTEN, Restarts


def test_one_that_lived_is_started_again_at_once() -> None:
    restarts = Restarts()
    assert [restarts.ended(served) for served in (LIVED, LIVED + 1, 1000.0)] == [0.1, 0.1, 0.1]
    assert restarts.total == 3 and not restarts.looping


def test_one_that_ends_again_and_again_is_started_ever_later() -> None:
    restarts = Restarts()
    pauses = [restarts.ended(0.0) for _ in range(9)]
    assert pauses[:5] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6]) and pauses[-1] == LONGEST
    assert restarts.looping and restarts.total == 9


def test_it_loops_from_the_third_time_on_until_it_has_lived() -> None:
    restarts = Restarts()
    seen = []
    for _ in range(SO_OFTEN):
        restarts.ended(LIVED - 0.1)
        seen.append(restarts.looping)
    assert seen == [False] * (SO_OFTEN - 1) + [True]
    restarts.settled()
    assert not restarts.looping and restarts.ended(0.0) == 0.1
