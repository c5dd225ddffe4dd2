"""Admission over real sockets: who is let in, who waits and for how long, whom a flood hurts and whom it does not."""

import asyncio
import time
from typing import Any

import pytest

from tests.support.asking import asking, url
from tests.support.h2_client import H2Client
from tests.support.raw import Answer, RawClient, close_frame, upgrade
from tests.support.scene import Scene
from tests.support.wait import PATIENCE, wait_until

CLASSES = {"voice": "synchronous", "chat": "interactive", "batch": "autonomous"}
CEILING = 4.0


def crowd(scene: Scene, seats: int, *, ceiling: float | None = None, session: dict[str, str] | None = None,
          **admission: Any) -> dict[str, Any]:  # fmt: skip
    """Changes to the configuration: an agent of each class by its path, on one node with so many seats."""
    node = scene.nodes["a"]
    agents = {
        name: {"pool": "tutors", "continuity": continuity, "migration": {"hold": "20s"}, "value": "flat"}
        | ({"latency_ceiling": f"{int(ceiling * 1000)}ms"} if ceiling else {})
        for name, continuity in CLASSES.items()
    }
    return {
        "admission": {"lag": "10s", **admission}, "agents": agents | {"tutor": None},
        "pools": {"tutors": {"nodes": [{"name": "a", "url": f"http://127.0.0.1:{node.port}", "capacity": seats}]}},
        "listeners": [{"name": "plain", "listen": f"127.0.0.1:{scene.edge.port}",
                       "transports": ["http1", "http2", "websocket"]}],
        "routes": [{"match": {"path": f"/{name}"}, "agent": name, "session": session} for name in CLASSES]
        + [{"agent": "chat", "session": session}],
    }


async def ask(scene: Scene, path: str) -> tuple[RawClient, Answer | None, float]:
    """A hello: the client, what it was answered, and how long that took."""
    began = time.monotonic()
    client = await RawClient.connect(scene.edge.port)
    await client.send(upgrade(path))
    answer = await client.head()
    return client, answer, time.monotonic() - began


async def leave(client: RawClient) -> None:
    """End the session, and see that it is ended."""
    await client.send(close_frame(1000))
    assert await client.close_code() == 1000
    client.abort()


async def waiting(scene: Scene, count: int, **labels: str) -> None:
    async def so_many() -> bool:
        return await scene.edge.metric("sbc_waiting", **labels) == count
    await wait_until(so_many, f"{count} wait {labels}")


async def test_a_flood_of_autonomous_sessions_does_not_delay_synchronous_ones(scene: Scene) -> None:
    scene.plain("a")
    await scene.open(crowd(scene, 20, ceiling=CEILING, reserved={"synchronous": 0.25, "interactive": 0}, waiting=30))
    flood = [asyncio.create_task(ask(scene, "/batch")) for _ in range(100)]
    await waiting(scene, 30, **{"class": "autonomous"})
    voices = await asyncio.gather(*(ask(scene, "/voice") for _ in range(5)))
    assert [answer.status for _, answer, _ in voices if answer] == [101] * 5
    assert max(took for _, _, took in voices) < CEILING
    # Beyond the reserve they wait, but before all the others: of those that leave now, the places are theirs.
    more = [asyncio.create_task(ask(scene, "/voice")) for _ in range(3)]
    await waiting(scene, 3, **{"class": "synchronous"})
    for client, *_ in voices[:3]:
        await leave(client)
    done = await asyncio.gather(*more)
    assert [answer.status for _, answer, _ in done if answer] == [101] * 3
    assert max(took for _, _, took in done) < CEILING
    crowds = await asyncio.gather(*flood)
    statuses = [answer.status for _, answer, _ in crowds if answer]
    assert statuses.count(101) >= 15 and statuses.count(503) >= 50
    assert max(took for _, _, took in crowds) < CEILING + 2
    refused = [answer for _, answer, _ in crowds if answer and answer.status == 503]
    assert all(answer.headers["session-outcome"] == "not-sent" for answer in refused)
    assert len({answer.headers["retry-after"] for answer in refused}) >= 5
    for client, *_ in (*crowds, *voices, *done):
        client.abort()


async def test_a_full_node_is_waited_for_and_whoever_leaves_makes_room(scene: Scene) -> None:
    scene.plain("a")
    await scene.open(crowd(scene, 1, ceiling=10.0))
    first, *_ = await ask(scene, "/chat")
    second, third = (asyncio.create_task(ask(scene, "/chat")) for _ in range(2))
    await waiting(scene, 2)
    gone = await RawClient.connect(scene.edge.port)
    await gone.send(upgrade("/voice"))
    await waiting(scene, 3)
    gone.abort()  # it does not wait any more, and gets no place
    await waiting(scene, 2)
    await leave(first)
    served = await asyncio.wait({second, third}, return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE)
    (client, answer, _), = (task.result() for task in served[0])
    assert answer is not None and answer.status == 101
    await waiting(scene, 1)
    await leave(client)
    for client, answer, _ in (await second, await third):
        assert answer is not None and answer.status == 101
        client.abort()
    assert await scene.edge.metric("sbc_admission_wait_seconds_count") == 2


async def test_who_waits_in_vain_is_told_within_the_ceiling(scene: Scene) -> None:
    scene.plain("a")
    await scene.open(crowd(scene, 1, ceiling=0.4))
    first, *_ = await ask(scene, "/chat")
    _, answer, took = await ask(scene, "/chat")
    assert answer is not None and answer.status == 503 and 0.35 < took < 1.5
    assert int(answer.headers["retry-after"]) >= 1 and answer.headers["session-outcome"] == "not-sent"
    assert await scene.edge.metric("sbc_refused_total", code="no_room") == 1
    assert await scene.edge.metric("sbc_waiting") == 0
    rows = await scene.edge.sessions()
    assert len(rows) == 1
    assert "session_ended" not in scene.edge.log(), "what never began is counted, not recorded"
    first.abort()


@pytest.mark.parametrize("session", [None, {"header": "X-Chat"}], ids=["alone", "of a session"])
async def test_requests_wait_as_connections_do(scene: Scene, session: dict[str, str] | None) -> None:
    scene.plain("a", module="node_http")
    await scene.open(crowd(scene, 1, ceiling=10.0, session=session))
    fields = {"X-Chat": "one"} if session else {}
    async with asking() as http:
        stream = await http.get(url(scene, "/events?count=1000&every=0.05"), headers=fields)
        assert stream.status == 200
        asked = asyncio.create_task(http.post(url(scene, "/ask"), data=b"x" * 300_000, headers={"X-Chat": "two"}))
        await waiting(scene, 1)
        left = asyncio.create_task(http.get(url(scene, "/ask"), headers={"X-Chat": "three"}))
        await waiting(scene, 2)
        left.cancel()
        await waiting(scene, 1)
        h2 = await H2Client.connect(scene.edge.port)
        over_h2 = await h2.ask(b"/ask", more=[(b"x-chat", b"four")])
        await waiting(scene, 2)
        stream.close()
        for row in await scene.edge.sessions():
            if row["state"] != "early":
                await scene.edge.get(f"/api/v1/sessions/{row['session']}", "DELETE")
        assert (await asked).status == 200
        for row in await scene.edge.sessions():
            if row["state"] != "early":
                await scene.edge.get(f"/api/v1/sessions/{row['session']}", "DELETE")
        assert (await h2.answer(over_h2)).status == 200
        h2.drop()
    assert await scene.edge.metric("sbc_admissions_total", outcome="refused") == 0
