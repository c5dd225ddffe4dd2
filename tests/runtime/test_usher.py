"""The usher by itself, on a real event loop: storms are let in some at a time, and nobody new before them."""

import asyncio
from typing import Any

import pytest

from sbc.core.pressure import Signs
from sbc.core.roster import Roster
from sbc.model.capacity import Capacity, Marks
from sbc.model.errors import Refusal
from sbc.model.ids import AgentName, SessionId
from sbc.model.manifest import Continuity, Manifest
from sbc.runtime.burst import AWAITED_AT_ONCE, Burst
from sbc.runtime.usher import Usher
from sbc.telemetry.metrics import Metrics
from tests.core.world import POOL, roster_of

VOICE = Manifest(AgentName("voice"), POOL, Continuity.SYNCHRONOUS)
BATCH = Manifest(AgentName("batch"), POOL, Continuity.AUTONOMOUS)


class Post:
    """An usher, and what it has announced."""

    def __init__(self, roster: Roster, **capacity: Any) -> None:
        loop = asyncio.get_running_loop()
        self.told: list[tuple[str, Any]] = []
        self.metrics = Metrics()
        self.usher = Usher(roster, Burst(loop), self.metrics, loop.time, lambda *event: self.told.append(event))
        self.usher.change(Capacity(**capacity), {POOL: frozenset(Continuity)})


def never(refusal: Refusal) -> None:
    raise AssertionError(refusal)


async def test_a_storm_is_let_in_some_at_a_time_and_nobody_new_before_it() -> None:
    post, order = Post(roster_of(1)), list[str]()
    for _ in range(200):
        post.usher.readmit(BATCH, lambda: order.append("back"), never)
    assert len(order) < 20
    assert not post.usher.judge(VOICE)
    post.usher.wait(SessionId("new"), VOICE, lambda: order.append("new"), never)
    for _ in range(10):
        before = len(order)
        post.usher.tick(0.0)
        await asyncio.sleep(0)
        assert len(order) - before <= AWAITED_AT_ONCE + 1
    assert order == ["back"] * 200 + ["new"]


async def test_who_cannot_come_back_is_told_why() -> None:
    post, told = Post(roster_of(1)), list[str]()

    def gone() -> None:
        raise Refusal(404, "session_gone", "this session has ended")
    post.usher.readmit(BATCH, gone, lambda refusal: told.append(refusal.code))
    assert told == ["session_gone"]
    assert post.usher.judge(VOICE)


async def test_a_shedding_is_announced_once_and_counted_each_time() -> None:
    post = Post(roster_of(1), lag=0.1, shed=Marks(0.1, 0.2))
    for _ in range(10):
        post.usher.tick(1.0)
    for _ in range(3):
        with pytest.raises(Refusal, match="shed"):
            post.usher.judge(VOICE)
    assert [event for event, _ in post.told] == ["shedding_began"]
    assert post.metrics.shed == {("synchronous", "lag"): 3}
    assert post.metrics.pressure["lag"] > 1


async def test_what_was_measured_counts_for_whoever_comes_next() -> None:
    post = Post(roster_of(1))
    assert post.usher.judge(VOICE)
    post.usher.look(Signs(memory=2.0, descriptors=0.0, journals=0.0))
    with pytest.raises(Refusal, match="shed"):
        post.usher.judge(VOICE)


async def test_places_of_those_that_left_are_given_on() -> None:
    roster = roster_of(1, capacity=1)
    post, order = Post(roster, sessions=1), list[str]()
    assert post.usher.judge(BATCH)
    post.usher.take(BATCH)
    for name in ("one", "two", "three"):
        assert not post.usher.judge(BATCH)
        post.usher.wait(SessionId(name), BATCH, lambda name=name: order.append(name), never)  # type: ignore[misc]
    assert list(post.metrics.waiting) == [0, 0, 3]
    post.usher.gone(SessionId("two"), BATCH)
    post.usher.gone(SessionId("first"), BATCH)
    assert order == ["one"]
    post.usher.gone(SessionId("one"), BATCH)
    assert order == ["one", "three"] and list(post.metrics.waiting) == [0, 0, 0]
