"""Ceilings: what a look at a session finds, and when a node is slow."""

import pytest

from sbc.core.ceiling import ENOUGH, HALF_LIFE, Punctuality, Wait, Waited

N, K, B = Waited.NOTHING, Waited.KEPT, Waited.BROKEN
Look = tuple[float, int, int, Waited, float | None]


@pytest.mark.parametrize("script", [
    # time, client messages, node messages, what is found, how long the wait was; the ceiling is 1.0
    pytest.param([(0.1, 0, 0, N, None), (5.0, 0, 0, N, None)], id="nobody has asked"),
    pytest.param([(0.1, 0, 3, N, None), (0.2, 0, 9, N, None)], id="a node speaks unasked"),
    pytest.param([(0.2, 1, 1, K, 0.1)], id="answered between two looks"),
    pytest.param([(0.1, 1, 0, N, None), (0.6, 1, 1, K, 0.5), (0.7, 1, 2, N, None)], id="answered"),
    pytest.param([(0.1, 1, 0, N, None), (1.0, 2, 0, N, None), (1.1, 2, 0, B, None), (9.0, 2, 0, N, None),
                  (9.1, 2, 1, N, 9.0), (9.2, 3, 1, N, None), (9.3, 3, 2, K, 0.1)], id="broken once, then kept"),
    pytest.param([(0.1, 1, 0, N, None), (0.5, 2, 0, N, None), (0.9, 2, 1, K, 0.8), (5.0, 2, 1, N, None)],
                 id="two messages, one answer: the wait is over"),
    pytest.param([(0.1, 1, 0, N, None), (1.1, 1, 0, B, None), (1.5, 2, 0, N, None), (2.5, 2, 0, B, None),
                  (9.0, 3, 0, N, None), (9.2, 3, 1, K, 0.2)], id="each request that was refused is a wait of its own"),
    pytest.param([(0.1, 1, 0, N, None), (1.1, 1, 0, B, None), (9.0, 2, 1, K, 3.95)],
                 id="refused, then answered between two looks"),
    pytest.param([(0.1, 1, 0, N, None), (1.1, 1, 0, B, None), (1.5, 2, 1, K, 0.2), (9.0, 2, 1, N, None)],
                 id="told, then both: the answer to which of them is not known"),
    pytest.param([(0.1, 1, 0, N, None), (0.6, 2, 1, K, 0.5), (9.0, 2, 1, N, None), (9.1, 2, 2, B, 8.5),
                  (9.2, 2, 3, N, None)], id="asked again at once, as the late answer shows"),
    pytest.param([(0.1, 1, 0, N, None), (0.6, 2, 1, K, 0.5), (1.0, 3, 2, K, 0.4), (1.2, 3, 3, K, 0.2)],
                 id="each answer is followed by a question at once"),
    pytest.param([(0.1, 1, 0, N, None), (0.6, 2, 1, K, 0.5), (9.0, 3, 1, N, None), (10.0, 3, 1, B, None)],
                 id="nobody waited until the next question"),
])  # fmt: skip
def test_what_looks_find(script: list[Look]) -> None:
    wait = Wait(0, 0, 0.0)
    for now, received, said, found, length in script:
        assert wait.look(received, said, 1.0, now) is found, now
        assert wait.length == (pytest.approx(length) if length is not None else None), now


def test_what_nobody_could_answer_is_no_wait() -> None:
    wait = Wait(0, 0, 0.0)
    assert wait.look(1, 0, 1.0, 0.1) is N
    wait.pause(1, 0, 0.9)
    assert wait.look(1, 0, 1.0, 5.0) is N
    assert wait.look(1, 1, 1.0, 5.1) is N


def noted(kept: int, broken: int, now: float = 0.0) -> Punctuality:
    node = Punctuality()
    for _ in range(kept):
        node.note(broken=False, now=now)
    for _ in range(broken):
        node.note(broken=True, now=now)
    return node


@pytest.mark.parametrize(("kept", "broken", "slow"), [
    (0, 0, False), (100, 0, False), (0, 4, False), (0, 5, True), (5, 5, True), (6, 5, False), (100, 99, False),
])  # fmt: skip
def test_a_node_is_slow_if_half_of_enough_waits_are_too_long(kept: int, broken: int, slow: bool) -> None:
    node = noted(kept, broken)
    assert node.judge(0.0) is slow
    assert node.slow is slow
    assert not node.judge(0.0)  # nothing has changed


def test_a_slow_node_has_to_be_much_better_to_be_prompt_again() -> None:
    node = noted(0, 10)
    assert node.judge(0.0) and node.slow
    for kept in range(1, 90):
        node.note(broken=False, now=0.0)
        assert not node.judge(0.0), kept
    node.note(broken=False, now=0.0)
    assert node.judge(0.0) and not node.slow


def test_a_slow_node_that_nobody_waits_for_gets_another_chance() -> None:
    node = noted(0, int(ENOUGH))
    assert node.judge(0.0)
    assert not node.judge(2 * HALF_LIFE)
    assert node.judge(3 * HALF_LIFE) and not node.slow
