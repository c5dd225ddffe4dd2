"""Latency ceilings: a node that breaks them loses new sessions, then old ones at turn boundaries; never in vain."""

import asyncio

from tests.support.asking import asking, url, web
from tests.support.clients import Talker
from tests.support.oracle import exactly_once
from tests.support.scene import Scene
from tests.support.wait import wait_until

CEILING = {"agents": {"tutor": {"latency_ceiling": "100ms", "migration": {"deadline": "1s"}}}}


async def slow(scene: Scene, *names: str) -> None:
    """Wait until these nodes, and no others, are known to keep their sessions waiting."""
    async def asked() -> bool:
        return {name for name, row in (await scene.edge.nodes()).items() if row["slow"]} == set(names)
    await wait_until(asked, f"{names} are slow")


async def converse(client: Talker, turns: int) -> None:
    for _ in range(turns):
        await client.say()
        await client.answered()


async def test_a_slow_node_loses_new_sessions_and_then_its_old_ones(scene: Scene) -> None:
    scene.trunk("slow", thinks=1.0)
    await scene.open(CEILING)
    early = await scene.talking(6)
    assert {client.node for client in early} == {"slow"}
    scene.trunk("prompt")
    await scene.edge.sees(*scene.nodes.values())
    await asyncio.gather(*(converse(client, 1) for client in early))
    assert await scene.edge.metric("sbc_ceiling_total", agent="tutor", **{"class": "interactive"}) >= 5
    await slow(scene, "slow")
    late = await scene.talking(3)
    assert {client.node for client in late} == {"prompt"}
    await scene.no_sessions("?node=slow")
    await asyncio.gather(*(converse(client, 1) for client in early))
    assert {client.node for client in early} == {"prompt"}
    for client in (*early, *late):
        exactly_once(client)
    assert await scene.edge.metric("sbc_handovers_total", cause="ceiling") == len(early)


async def test_a_request_that_is_not_answered_in_time_is_refused(scene: Scene) -> None:
    scene.plain("a", module="node_http")
    changes = web(scene)
    changes["agents"] = {"tutor": {"latency_ceiling": "300ms", "past_ceiling": "refuse"}}
    await scene.open(changes)
    loop = asyncio.get_running_loop()
    async with asking() as http:
        for headers in ({"X-Chat": "me"}, {}):  # of a session, and of none
            began = loop.time()
            async with http.post(url(scene, "/ask?after=20"), headers=headers, data=b"why?") as answer:
                assert (answer.status, answer.headers["Session-Outcome"]) == (504, "unknown")
                assert (await answer.json())["error"]["code"] == "ceiling_passed"
            assert 0.3 <= loop.time() - began < 15
            async with http.post(url(scene, "/ask"), headers=headers) as answer:
                assert answer.status == 200
            async with http.get(url(scene, "/events?count=3&every=0.3"), headers=headers) as answer:
                assert answer.status == 200  # an answer that has begun may take its time
                assert (await answer.read()).count(b"data:") >= 3
    assert await scene.edge.metric("sbc_refused_total", code="ceiling_passed") == 2
