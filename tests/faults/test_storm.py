"""All clients come back at once: every one of them is served, new ones go behind, and an edge that stops sends its
clients away at a pace. `make storm` does it with 2,000."""

import asyncio
import os
import time

import pytest

from tests.support.raw import Answer, RawClient, upgrade
from tests.support.scene import Scene
from tests.support.wait import wait_until

CROWD = int(os.environ.get("STORM", "100"))


async def opened(scene: Scene, token: str | None = None) -> tuple[RawClient, Answer, float]:
    """A client, its answer, and how long that took."""
    began = time.monotonic()
    client = await RawClient.connect(scene.edge.port)
    await client.send(upgrade("/", *([f"Session-Id: {token}"] if token else [])))
    answer = await client.head(60.0)
    assert answer is not None
    return client, answer, time.monotonic() - began


async def crowd(scene: Scene, count: int) -> list[tuple[RawClient, str]]:
    """So many sessions, with their tokens."""
    made: list[tuple[RawClient, str]] = []
    while len(made) < count:
        for client, answer, _ in await asyncio.gather(*(opened(scene) for _ in range(min(50, count - len(made))))):
            assert answer.status in (101, 503)  # on a busy machine the edge may be too
            if answer.status == 101:
                made.append((client, answer.headers["session-id"]))
    return made


@pytest.mark.timeout(120 + CROWD // 5)
@pytest.mark.parametrize("restarted", [False, True], ids=["after an outage of the network", "after a restart"])
async def test_all_come_back_and_are_served(scene: Scene, restarted: bool) -> None:
    scene.plain("a", "b")
    await scene.open({
        "edge": {"store": f"sqlite:{scene.directory / 'sbc.db'}"} if restarted else {},
        "agents": {"tutor": {"migration": {"hold": "300s"}, "latency_ceiling": "300ms"}},
        "pools": {"tutors": {"nodes": [
            {"name": name, "url": f"http://127.0.0.1:{node.port}", "capacity": 2 * CROWD}
            for name, node in scene.nodes.items()
        ]}},
    })
    clients = await crowd(scene, CROWD)
    if restarted:
        await scene.edge.stop()
        scene.edge.start()
        await scene.edge.ready()
        await scene.edge.sees(*scene.nodes.values())
    for client, _ in clients:
        client.abort()
    await scene.all_sessions("parked")
    back, new = await asyncio.gather(
        asyncio.gather(*(opened(scene, token) for _, token in clients)),
        asyncio.gather(*(opened(scene) for _ in range(CROWD // 5))),
    )
    assert [answer.status for _, answer, _ in back] == [101] * len(clients)
    assert all("session-resumed" in answer.headers for _, answer, _ in back)
    assert {answer.status for _, answer, _ in new} <= {101, 503}
    refused = [answer for _, answer, _ in new if answer.status == 503]
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert await scene.edge.metric("sbc_admissions_total", outcome="reattached") == len(clients)
    worst = await scene.edge.metric("sbc_loop_lag_max_seconds")
    print(f"the last was back after {max(took for *_, took in back):.2f} s, {len(refused)} of {len(new)} new ones were "
          f"refused, the edge stood still for at most {worst:.2f} s")
    for client, *_ in (*back, *new):
        client.abort()


async def test_an_edge_that_stops_sends_its_clients_away_at_a_pace(scene: Scene) -> None:
    scene.plain("a")
    await scene.open({"drain": {"pace": 60}})
    clients = [client for client, _ in await crowd(scene, 50)]
    began = time.monotonic()
    left: list[float] = []

    async def watch(client: RawClient) -> None:
        assert await client.close_code() == 1012
        left.append(time.monotonic() - began)
    watched = [asyncio.create_task(watch(client)) for client in clients]
    assert await scene.edge.stop() == 0
    await asyncio.gather(*watched)
    assert max(left) - min(left) > 0.6  # 50 at 60 a second
    assert sum(when - min(left) < 0.3 for when in left) < 40


async def test_a_drain_has_a_pace(scene: Scene) -> None:
    scene.plain("a", "b")
    await scene.open({"drain": {"pace": 40}})
    await crowd(scene, 50)
    on_a = len(await scene.edge.sessions("?node=a"))
    assert on_a >= 10
    began = time.monotonic()
    await scene.edge.get("/api/v1/nodes/a/drain", "POST")

    async def empty() -> bool:
        return not await scene.edge.sessions("?node=a")
    await wait_until(empty, "nobody is left on a")
    assert time.monotonic() - began > 0.8 * (on_a / 40) - 0.1
