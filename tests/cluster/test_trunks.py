"""Nodes with trunks to several edges of one store: sessions go on at any of them, and nobody is given too many."""

import asyncio
from typing import Any

import pytest

from sbc.runtime.fellows import OTHERS
from tests.cluster.test_edges_one_store import beside, go_to, on
from tests.support.edge import Edge
from tests.support.oracle import exactly_once
from tests.support.redis import Redis, needs_redis
from tests.support.scene import Scene
from tests.support.wait import wait_until

pytestmark = needs_redis


async def both(scene: Scene, other: Edge, redis: Redis) -> None:
    """Two edges that advertise their trunks, and nodes that dial the first one."""
    def at(edge: Edge) -> dict[str, Any]:
        return {"listen": f"127.0.0.1:{edge.trunk}", "advertise": edge.trunk_url}
    agents = {"tutor": {"durability": "sync"}}
    await beside(scene, other, {"agents": agents, "edge": on(redis, "two"), "trunk": at(other)},
                 {"agents": agents, "edge": on(redis, "one"), "trunk": at(scene.edge)})


async def test_a_node_that_dials_one_edge_goes_on_with_its_sessions_at_another(
    scene: Scene, other: Edge, redis: Redis,
) -> None:
    scene.trunk("a", "b", module="node_sdk")
    await both(scene, other, redis)
    assert all(row["trunk"] for row in (await other.nodes()).values())

    async def known() -> bool:
        _, body = await other.get("/api/v1/edges")
        return all({node["node"] for node in row["nodes"]} == {"tutors/a", "tutors/b"} for row in body["edges"])
    await wait_until(known, "each edge knows the nodes of both")
    clients = await scene.talking(6)
    for client in clients:
        await client.say(60, every=0.01)
    await asyncio.gather(*(client.has(20) for client in clients))
    scene.edge.kill()
    for client in clients:
        assert (await client.ended())[0] == 1006
    await asyncio.gather(*(go_to(client, other) for client in clients))
    for client in clients:
        await client.answered()
        await client.say(2)
        await client.answered()
        exactly_once(client)
    owned = [fact for node in scene.nodes.values() for fact in node.history("owner")]
    seats = {(fact["session"], fact["epoch"]) for fact in owned}
    assert len(owned) == len(seats) >= 12, "no node is invited to one epoch of a session twice"
    assert {fact["edge"] for fact in owned} == {"one", "two"}
    scene.edge.start()
    await scene.edge.ready()
    await scene.edge.sees(*scene.nodes.values())
    for client in clients:
        await client.drop()
        await go_to(client, scene.edge)
        await client.say(2)
        await client.answered()
        exactly_once(client)


async def test_an_edge_sees_what_others_have_taken_of_a_node(scene: Scene, other: Edge, redis: Redis) -> None:
    scene.trunk("a", module="node_sdk", capacity=3)
    await both(scene, other, redis)
    clients = await scene.talking(2)

    async def seen() -> bool:
        row = (await other.nodes())["a"]
        return (row["sessions"], row["elsewhere"]) == (0, 2)
    await wait_until(seen, "the other edge sees the two sessions")
    third = await scene.client(opened=False)
    third.url = other.url
    await third.open()
    late = await scene.client(opened=False)
    late.url = other.url
    with pytest.raises(Exception, match="503"):
        await late.open()
    await clients[0].close()
    await go_to_begin(late)
    assert (await other.nodes())["a"]["sessions"] == 2


async def go_to_begin(client: Any) -> None:
    """Open a session as soon as there is room."""
    async def opened() -> bool:
        try:
            await client.open()
        except Exception:
            return False
        return True
    await wait_until(opened, "it is let in")


async def test_a_drain_at_one_edge_is_one_at_all_until_it_is_called_off(
    scene: Scene, other: Edge, redis: Redis,
) -> None:
    scene.trunk("a", "b", module="node_sdk")
    await both(scene, other, redis)
    clients = await scene.talking(4)
    status, _ = await other.get("/api/v1/nodes/a/drain", "POST")
    assert status == 202
    await scene.edge.sees(scene.nodes["a"], state="draining")

    async def moved() -> bool:
        return all(row["owner"] == "tutors/b" for row in await scene.edge.sessions())
    await wait_until(moved, "all sessions have left the node")
    scene.edge.kill()
    scene.edge.start()
    await scene.edge.ready()
    await scene.edge.sees(scene.nodes["a"], state="draining")
    scene.nodes["a"].stop()
    scene.nodes["a"].start()
    await scene.nodes["a"].serving()
    await other.sees(scene.nodes["a"], state="draining")
    await asyncio.to_thread(redis.restart)
    await other.ready()

    async def known_anew() -> bool:
        return {row["edge"] for row in (await scene.edge.get("/api/v1/edges"))[1]["edges"]} == {"one", "two"}
    await wait_until(known_anew, "the empty server has heard of both edges")
    await asyncio.sleep(OTHERS)  # what the server has lost is told to it again, and not taken for called off
    await scene.edge.sees(scene.nodes["a"], state="draining")
    status, _ = await scene.edge.get("/api/v1/nodes/a/undrain", "POST")
    assert status == 200
    for edge in (scene.edge, other):
        await edge.sees(scene.nodes["a"])
    assert await other.metric("sbc_edges", state="up") == 2
    for client in clients:
        await client.close()
