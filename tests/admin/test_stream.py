"""The live events, as a subscriber reads them."""

import asyncio
from collections.abc import AsyncIterator, Callable

import orjson
import pytest
from aiohttp import ClientResponse, ClientSession

from sbc.admin import stream
from sbc.admin.api import AdminDoor
from tests.admin.operations import RecordingOperations
from tests.admin.test_api import Caller, metrics, opened
from tests.support.wait import PATIENCE


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    async with opened(RecordingOperations()) as made:
        yield made


async def subscribed(caller: Caller) -> ClientResponse:
    response = await caller.session.get(f"{caller.base}/api/v1/events")
    assert response.status == 200
    assert response.content_type == "text/event-stream"
    assert await block(response) == ": here"
    return response


async def block(response: ClientResponse) -> str:
    return (await asyncio.wait_for(response.content.readuntil(b"\n\n"), PATIENCE)).decode()[:-2]


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110  (what is waited for happens in the door)
            await asyncio.sleep(0.005)


async def test_every_subscriber_hears_every_event(caller: Caller) -> None:
    readers = [await subscribed(caller), await subscribed(caller)]
    for hear in caller.operations.listeners:
        hear({"event": "session_moved", "session": "a\nb"})
    for reader in readers:
        assert await block(reader) == 'data: {"event":"session_moved","session":"a\\nb"}'


async def test_a_subscriber_that_goes_is_taken_off(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "KEEP_ALIVE", 0.02)
    reader = await subscribed(caller)
    assert await block(reader) == ": alive"
    reader.close()
    await until(lambda: not caller.operations.listeners)


async def test_what_does_not_fit_is_dropped_and_told(caller: Caller) -> None:
    reader = await subscribed(caller)
    hear = caller.operations.listeners[0]
    for number in range(stream.QUEUE + 5):  # in one turn of the loop: nothing is read meanwhile
        hear({"n": number})
    got = [await block(reader) for _ in range(stream.QUEUE + 1)]
    assert 'event: dropped\ndata: {"dropped":5}' in got
    numbers = [orjson.loads(line.removeprefix("data: "))["n"] for line in got if line.startswith("data: ")]
    assert numbers == list(range(stream.QUEUE))


async def test_the_number_of_subscribers_is_bounded(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "SUBSCRIBERS", 1)
    await subscribed(caller)
    assert (await caller.refused("GET", "/api/v1/events"))[:2] == (503, "too_many_subscribers")


async def test_closing_the_door_ends_the_streams() -> None:
    operations = RecordingOperations()
    door = AdminDoor(operations, metrics, tuple)
    host, port = await door.start("127.0.0.1", 0)
    async with ClientSession() as session:
        reader = await subscribed(Caller(operations, session, f"http://{host}:{port}"))
        for number in range(stream.QUEUE):  # even one that has much to read still
            operations.listeners[0]({"n": number})
        async with asyncio.timeout(PATIENCE):
            await door.close()
            await reader.read()
    assert not operations.listeners
