"""Clients that are faster than their policy allows are slowed down or refused; those beside them are served on."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from tests.support.asking import asking, url, web
from tests.support.clients import Talker
from tests.support.fair import fair_clock
from tests.support.raw import BINARY, PING, TEXT, RawClient, close_frame, frame, upgrade
from tests.support.scene import Scene

MANY = 50
"""Whoever is not refused by then is not refused."""


@pytest.fixture
async def slow(scene: Scene) -> AsyncIterator[Scene]:
    """An edge that lets 20 messages a second pass."""
    scene.plain("a")
    await scene.open({"policies": {"default": {"limits": {"messages_per_second": 20, "burst": "500ms"}}}})
    yield scene


async def worst_round_trip(scene: Scene, client: Talker, turns: int) -> float:
    """Of so many turns at a seemly pace, in seconds of a fair clock."""
    worst = 0.0
    async with fair_clock(scene.edge.pid, scene.nodes["a"].pid) as clock:
        for _ in range(turns):
            began = clock()
            await client.say()
            await client.answered()
            worst = max(worst, clock() - began)
            await asyncio.sleep(0.1)  # its own pace, below its rate
    return worst


async def test_a_client_that_says_too_much_is_slowed_down_and_loses_nothing(slow: Scene) -> None:
    honest = await slow.client()
    fast = await RawClient.opened(slow.edge.port)
    began = time.monotonic()
    for number in range(50):
        await fast.send(frame(TEXT, b"message %d" % number))
        await asyncio.sleep(0)
    beside = asyncio.create_task(worst_round_trip(slow, honest, 10))
    for number in range(50):
        got = await fast.frame()
        assert got is not None and got.payload == b"message %d" % number
    await fast.send(frame(TEXT, b"one more"))
    more = await fast.frame()
    assert more is not None and more.payload == b"one more"
    # 51 messages: the first 10 at once, the last comes when all before it but the burst are paid.
    assert time.monotonic() - began >= (50 - 10) / 20 - 0.1
    assert await beside < 1.0
    assert await slow.edge.metric("sbc_throttled_total", limit="messages_per_second") >= 1
    fast.abort()


async def test_a_client_far_over_its_rate_is_expelled(scene: Scene) -> None:
    scene.plain("a")
    await scene.open({"policies": {"default": {"limits": {"messages_per_second": 1, "burst": "50s"}}}})
    honest = await scene.client()
    flood = await RawClient.opened(scene.edge.port)
    await flood.send(frame(TEXT, b"x") * 9000)
    assert await flood.close_code() == 1008
    assert await scene.edge.metric("sbc_abuse_total", kind="messages_per_second") == 1
    assert await worst_round_trip(scene, honest, 3) < 1.0


async def test_a_client_can_leave_while_it_is_not_read(slow: Scene) -> None:
    fast = await RawClient.opened(slow.edge.port)
    await fast.send(frame(TEXT, b"x") * 30)
    await fast.send(close_frame(1000))
    assert await fast.close_code() == 1000
    await slow.no_sessions()


async def test_bytes_and_pings_count(scene: Scene) -> None:
    scene.plain("a")
    await scene.open({"policies": {"default": {"limits": {"bytes_per_second": "64KiB", "burst": "1s"}}}})
    client = await RawClient.opened(scene.edge.port)
    began = time.monotonic()
    piece, came = frame(BINARY, b"x" * 16_000), 0
    await client.send(piece * 12)
    while came < 12:
        got = await client.frame()
        assert got is not None
        came += got.opcode == BINARY
    await client.send(frame(PING, b"still there?"))
    while (got := await client.frame()) is not None and got.payload != b"still there?":
        pass
    assert got is not None
    assert time.monotonic() - began >= (12 * 16_000 - 65_536) / 65_536 - 0.1
    assert await scene.edge.metric("sbc_throttled_total", limit="bytes_per_second") >= 1
    client.abort()


async def until_refused(ask: Callable[[], Awaitable[tuple[int, str]]], served: int) -> list[tuple[int, str]]:
    """All answers up to the first that is another one; on a slow machine a rate lets more of them pass."""
    answers: list[tuple[int, str]] = []
    while len(answers) < MANY and all(status == served for status, _ in answers):
        answers.append(await ask())
    return answers


async def greeted(port: int, address: str = "127.0.0.1") -> tuple[int, str]:
    """The answer to a hello: its status, and when to try again."""
    client = await RawClient.connect(port, address)
    await client.send(upgrade())
    answer = await client.head()
    client.abort()
    assert answer is not None
    return answer.status, answer.headers.get("retry-after", "")


@pytest.mark.parametrize(("whose", "status", "elsewhere"), [
    ("principal", 429, 101), ("source", 429, 101), ("agent", 503, 503),
])  # fmt: skip
async def test_new_sessions_have_a_rate(scene: Scene, whose: str, status: int, elsewhere: int) -> None:
    scene.plain("a")
    limits = {"sessions_per_second": {whose: 1}, "burst": "5s"}
    await scene.open({"policies": {"default": {"limits": limits}}})
    answers = await until_refused(lambda: greeted(scene.edge.port), 101)
    assert len(answers) > 5 and answers[-1] == (status, "1")
    assert (await greeted(scene.edge.port, "127.0.0.2"))[0] == elsewhere
    assert await scene.edge.metric("sbc_refused_total", code=f"sessions_per_second_{whose}") >= 1


async def asked(scene: Scene, times: int, address: str = "127.0.0.1", **how: Any) -> list[tuple[int, str]]:
    """So many requests one after another: what was answered, and when to try again."""
    got = []
    async with asking(address) as http:
        for _ in range(times):
            async with http.post(url(scene, "/ask"), **how) as answer:
                got.append((answer.status, answer.headers.get("Retry-After", "")))
                await answer.read()
    return got


async def once(scene: Scene, **how: Any) -> tuple[int, str]:
    return (await asked(scene, 1, **how))[0]


async def test_requests_have_a_rate(scene: Scene) -> None:
    scene.plain("a", module="node_http")
    await scene.open(web(scene, limits={"messages_per_second": 1, "burst": "5s"}))
    for headers in ({"X-Chat": "k"}, {}):  # of a session, and of none
        answers = await until_refused(partial(once, scene, data=b"{}", headers=headers), 200)
        assert len(answers) > 5 and answers[-1] == (429, "1")
    assert await asked(scene, 1, data=b"{}", headers={"X-Chat": "another"}) == [(200, "")]
    assert await asked(scene, 1, "127.0.0.2", data=b"{}") == [(200, "")]
    assert await scene.edge.metric("sbc_refused_total", code="messages_per_second") >= 2


async def test_bodies_have_a_rate(scene: Scene) -> None:
    scene.plain("a", module="node_http")
    await scene.open(web(scene, limits={"bytes_per_second": "16KiB", "burst": "1s"}))
    known = await asked(scene, 2, data=b"x" * 200_000, headers={"X-Chat": "known"})
    assert [answer[0] for answer in known] == [200, 429]
    assert 5 < int(known[1][1]) <= 12

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 10_000
    first = await asked(scene, 1, data=pieces(), headers={"X-Chat": "unknown"})
    second = await asked(scene, 1, data=b"{}", headers={"X-Chat": "unknown"})
    assert [first[0][0], second[0][0]] == [200, 429]


async def test_new_sessions_of_requests_have_a_rate(scene: Scene) -> None:
    scene.plain("a", module="node_http")
    await scene.open(web(scene, limits={"sessions_per_second": {"principal": 1}, "burst": "2s"}))
    keys = itertools.count()
    answers = await until_refused(lambda: once(scene, data=b"{}", headers={"X-Chat": f"k{next(keys)}"}), 200)
    assert len(answers) > 2 and answers[-1] == (429, "1")
    assert await asked(scene, 1, data=b"{}", headers={"X-Chat": "k0"}) == [(200, "")]


async def test_all_sessions_of_one_share_a_rate(scene: Scene) -> None:
    """What one of them has used up the others wait for, WebSockets and requests; another client does not."""
    scene.plain("a", module="node_http")
    await scene.open(web(scene, limits={"messages_per_second_of": {"source": 1}, "burst": "5s"}))
    keys = itertools.count()
    answers = await until_refused(lambda: once(scene, data=b"{}", headers={"X-Chat": f"k{next(keys)}"}), 200)
    assert len(answers) > 5 and answers[-1][0] == 429
    assert (await until_refused(partial(once, scene, data=b"{}"), 200))[-1][0] == 429
    assert await asked(scene, 1, "127.0.0.2", data=b"{}") == [(200, "")]
    assert await scene.edge.metric("sbc_refused_total", code="messages_per_second_source") >= 2


async def test_connections_of_one_share_a_rate(scene: Scene) -> None:
    scene.plain("a")
    limits = {"messages_per_second_of": {"source": 20}, "burst": "500ms"}
    await scene.open({"policies": {"default": {"limits": limits}}})
    fast, beside = await RawClient.opened(scene.edge.port), await RawClient.opened(scene.edge.port)
    began = time.monotonic()
    for number in range(30):
        await fast.send(frame(TEXT, b"message %d" % number))
    for number in range(30):
        got = await fast.frame()
        assert got is not None and got.payload == b"message %d" % number
    await beside.send(frame(TEXT, b"hello"))
    answer = await beside.frame()
    assert answer is not None and answer.payload == b"hello"
    await beside.send(frame(TEXT, b"once more"))
    answer = await beside.frame()
    assert answer is not None and answer.payload == b"once more"
    # 32 messages of both: the first 10 at once; what was read before it was known that it is too much is paid after.
    assert time.monotonic() - began >= (31 - 10) / 20 - 0.1
    assert await scene.edge.metric("sbc_throttled_total", limit="messages_per_second_source") >= 1
    fast.abort()
    beside.abort()
