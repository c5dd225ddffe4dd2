"""The channel between processes of one edge, over a real socket pair."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from sbc.model.errors import ConfigError, Refusal, SbcError, StoreError
from sbc.runtime.tasks import Tasks
from sbc.wire.channel import LONGEST, Channel, ChannelLost
from tests.support.wait import wait_until

FAULTS = {
    "refusal": Refusal(404, "no_session", "there is none", retry_after=3), "config": ConfigError(["f:1:1: wrong"]),
    "store": StoreError("full"), "other": SbcError("something else"),
}


class Side:
    """Answers, and notes down what it is told."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, Mapping[str, Any]]] = []
        self.lost = False

    async def asked(self, what: str, given: Mapping[str, Any]) -> Any:
        if what == "sleep":
            await asyncio.sleep(30)
        if what == "crash":
            raise KeyError("ours")
        if what in FAULTS:
            raise FAULTS[what]
        return {"what": what, **given}

    def noted(self, what: str, given: Mapping[str, Any]) -> None:
        self.notes.append((what, given))

    def cut(self) -> None:
        self.lost = True


@pytest.fixture
async def sides() -> AsyncIterator[tuple[Channel, Channel, Side]]:
    async with Tasks() as tasks:
        near, far = socket.socketpair()
        side = Side()
        one, other = Channel(Side(), tasks.spawn), Channel(side, tasks.spawn)
        await one.open(near)
        await other.open(far)
        yield one, other, side
        one.close()
        other.close()


async def test_questions_are_answered_in_any_order(sides: tuple[Channel, Channel, Side]) -> None:
    one, other, _ = sides
    long = "x" * 1_000_000
    answers = await asyncio.gather(*(one.ask("echo", number=n, long=long) for n in range(5)), other.ask("back"))
    assert answers == [*({"what": "echo", "number": n, "long": long} for n in range(5)), {"what": "back"}]


async def test_any_text_comes_through(sides: tuple[Channel, Channel, Side]) -> None:
    assert (await sides[0].ask("echo", name="a\ud800b"))["name"] == "a\ud800b"


async def test_notes_come_in_order(sides: tuple[Channel, Channel, Side]) -> None:
    for number in range(100):
        sides[0].note("event", number=number)
    await wait_until(lambda: len(sides[2].notes) == 100, "all notes are here")
    assert [given["number"] for _, given in sides[2].notes] == list(range(100))


@pytest.mark.parametrize("kind", FAULTS)
async def test_what_is_wrong_comes_back_as_it_was_raised(sides: tuple[Channel, Channel, Side], kind: str) -> None:
    with pytest.raises(type(FAULTS[kind])) as caught:
        await sides[0].ask(kind)
    assert str(caught.value) == str(FAULTS[kind])
    if isinstance(caught.value, Refusal):
        assert caught.value.retry_after == 3


async def test_a_fault_of_the_other_side_is_told(sides: tuple[Channel, Channel, Side]) -> None:
    with pytest.raises(SbcError, match="KeyError"):
        await sides[0].ask("crash")


async def test_who_does_not_answer_is_waited_for_no_longer(sides: tuple[Channel, Channel, Side]) -> None:
    with pytest.raises(ChannelLost, match="no answer to sleep"):
        await sides[0].ask("sleep", 0.05)
    assert await sides[0].ask("echo") == {"what": "echo"}


async def test_the_end_of_one_side_is_told_to_the_other(sides: tuple[Channel, Channel, Side]) -> None:
    one, _, side = sides
    question = asyncio.ensure_future(one.ask("sleep"))
    await asyncio.sleep(0)
    one.close()
    with pytest.raises(ChannelLost):
        await question
    await wait_until(lambda: side.lost, "the other side knows")
    with pytest.raises(ChannelLost):
        await one.ask("echo")
    one.note("nobody hears")


async def test_a_side_that_does_not_read_is_cut_off(sides: tuple[Channel, Channel, Side]) -> None:
    one, _, side = sides
    one.note("much", octets="x" * LONGEST)
    await wait_until(lambda: side.lost, "the other side is cut off")
