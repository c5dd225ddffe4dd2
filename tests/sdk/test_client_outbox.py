"""What was said is kept until the edge has it, within bounds."""

import asyncio

import pytest

from sbc.sdk.client.outbox import Outbox


async def said(*messages: str, limit: int = 100_000) -> Outbox:
    outbox = Outbox(limit)
    for message in messages:
        await outbox.put(message)
    return outbox


def rest(outbox: Outbox) -> list[str | bytes]:
    """What is written from here on."""
    out: list[str | bytes] = []
    while (message := outbox.next()) is not None:
        out.append(message)
    return out


async def test_it_is_written_once_in_order() -> None:
    outbox = await said("a", "b")
    assert rest(outbox) == ["a", "b"]
    await outbox.put("c")
    assert rest(outbox) == ["c"]
    assert (outbox.written, outbox.said) == (3, 3)


@pytest.mark.parametrize(("has", "again"), [(0, ["a", "b", "c"]), (2, ["c"]), (3, [])])
async def test_what_the_edge_has_not_is_written_again(has: int, again: list[str]) -> None:
    outbox = await said("a", "b", "c")
    rest(outbox)
    assert outbox.rewind(has) == 0
    assert rest(outbox) == again


async def test_what_is_confirmed_is_kept_while_there_is_room() -> None:
    outbox = await said("a", "b", "c")
    rest(outbox)
    outbox.confirm(3)
    assert outbox.rewind(1) == 0, "an edge that was killed may have less than it had confirmed"
    assert rest(outbox) == ["b", "c"]


async def test_what_the_edge_lost_and_nobody_has_is_counted() -> None:
    outbox = await said("a" * 100, "b" * 100, "c" * 100, limit=500)
    rest(outbox)
    outbox.confirm(3)
    await outbox.put("d" * 100)
    assert outbox.rewind(0) == 1
    assert rest(outbox) == ["b" * 100, "c" * 100, "d" * 100]
    outbox.confirm(3)
    assert outbox.rewind(3) == 0, "it counts as the edge does"


async def test_it_takes_no_more_than_its_limit_until_some_is_confirmed() -> None:
    outbox = await said("a" * 100, "b" * 100, limit=400)
    waiting = asyncio.create_task(outbox.put("c" * 100))
    await asyncio.sleep(0)
    assert not waiting.done() and outbox.said == 2
    rest(outbox)
    outbox.confirm(1)
    await waiting
    assert rest(outbox) == ["c" * 100]


async def test_one_message_of_any_size_is_taken() -> None:
    outbox = await said("a" * 10_000, limit=100)
    assert outbox.crowded
    assert len(rest(outbox)) == 1


async def test_a_session_of_another_process_counts_on() -> None:
    outbox = Outbox(1000)
    assert outbox.rewind(41) == 0
    await outbox.put("a")
    assert rest(outbox) == ["a"]
    assert outbox.rewind(41) == 0
    assert rest(outbox) == ["a"]
    assert outbox.rewind(42) == 0
    assert rest(outbox) == []
