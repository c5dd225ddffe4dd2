"""Several edges on one Redis store: a client goes on at any of them, whatever becomes of the rest and the store."""

import asyncio
import json
import os
import signal
import time
from typing import Any

import pytest

from tests.support.asking import asking, web
from tests.support.clients import Talker
from tests.support.edge import Edge
from tests.support.oracle import exactly_once
from tests.support.redis import Redis, needs_redis
from tests.support.scene import Scene
from tests.support.wait import wait_until

pytestmark = needs_redis
LEASE = 20.0


def on(redis: Redis, name: str, lease: float = LEASE) -> dict[str, Any]:
    return {"name": name, "store": redis.url, "redis": {"lease": f"{lease:g}s", "patience": "500ms"}}


async def both(scene: Scene, other: Edge, redis: Redis, lease: float = LEASE, **migration: Any) -> None:
    """Two edges of the same nodes, which open each other's tokens."""
    agents = {"tutor": {"migration": {"replay": "all", "output": "regenerate", **migration}}}
    await beside(scene, other, {"agents": agents, "edge": on(redis, "two", lease)},
                 {"agents": agents, "edge": on(redis, "one", lease)})


async def beside(scene: Scene, other: Edge, changes: dict[str, Any], to_first: dict[str, Any]) -> None:
    """Start both at the same time: it is their start that takes so long."""
    key = scene.directory / "seal.key"
    key.write_text("5e" * 32)
    changes["edge"]["seal_keys"] = [{"id": "k1", "file": str(key)}]
    other.configure(list(scene.nodes.values()), changes)
    other.start()
    await scene.open(to_first)
    await other.ready()
    await other.sees(*scene.nodes.values())


async def go_to(client: Talker, edge: Edge) -> None:
    """Come back there, as often as it takes."""
    await client.come_again(edge.port)


async def test_a_client_takes_its_session_along_to_another_edge_and_finds_it_there_when_its_own_is_killed(
    scene: Scene, other: Edge, redis: Redis,
) -> None:
    scene.plain("a", "b")
    await both(scene, other, redis)
    clients = await scene.talking(6)
    roamer = clients[0]
    for edge in (other, scene.edge, other, scene.edge):
        await roamer.drop()
        await go_to(roamer, edge)
        await roamer.say(2)
        await roamer.answered()
    assert len(await scene.edge.sessions()) == 6 and not await other.sessions()
    stranger = await scene.client(opened=False)
    assert roamer.token is not None
    stranger.token = roamer.token[:-4] + "AAAA"
    with pytest.raises(Exception, match="403"):
        await stranger.reattach()
    for client in clients:
        await client.say(3)
        await client.answered()
    epochs = {row["session"]: row["epoch"] for row in await scene.edge.sessions()}
    await scene.edge.kept()
    scene.edge.kill()
    for client in clients:
        assert (await client.ended())[0] == 1006
    began = time.monotonic()
    await asyncio.gather(*(go_to(client, other) for client in clients))
    assert time.monotonic() - began < LEASE - 5, "it was found dead, and its lease not waited for"
    for client in clients:
        assert "session-gap" not in client.answer_headers
        await client.say(2)
    for client in clients:
        await client.answered()
        exactly_once(client)
    rows = await other.sessions()
    assert len(rows) == 6 and all(row["epoch"] > epochs[row["session"]] for row in rows)
    assert await other.metric("sbc_claims_total", outcome="granted") == 8
    assert "Traceback" not in other.log()


async def test_the_store_stopped_killed_and_started_empty_harms_no_session(
    scene: Scene, other: Edge, redis: Redis,
) -> None:
    scene.plain("a", "b")
    await both(scene, other, redis)
    clients = await scene.talking(2)
    for client in clients:
        await client.say(70, every=0.02)

    async def refused(edge: Edge) -> bool:
        status, _ = await edge.get("/readyz")
        return status == 503
    redis.signal(signal.SIGSTOP)
    await wait_until(lambda: refused(scene.edge), "the edge says that its store is out of order")
    late = await scene.client(opened=False)
    with pytest.raises(Exception, match="503"):
        await late.open()
    redis.signal(signal.SIGCONT)
    await scene.edge.ready()
    redis.stop()
    await wait_until(lambda: refused(scene.edge), "the edge says that its store is gone")
    redis.start()
    await scene.edge.ready()
    await other.ready()
    for client in clients:
        await client.answered()
        exactly_once(client)
        assert client.open_still
    redis.seen_long_ago()  # or the other edge would have to wait for leases that nobody has any more
    assert await scene.edge.metric("sbc_fenced_total") == 0
    await scene.edge.stop()
    for client in clients:
        assert (await client.ended())[0] == 1012
        await go_to(client, other)
        await client.say()
        await client.answered()
        exactly_once(client)


async def test_an_edge_whose_lease_is_over_lets_its_clients_go(scene: Scene, other: Edge, redis: Redis) -> None:
    scene.plain("a", "b")
    await both(scene, other, redis, lease=2.0)
    [client] = await scene.talking(1)
    await scene.edge.kept()
    os.kill(scene.edge.pid, signal.SIGSTOP)
    await client.drop()
    await go_to(client, other)
    await client.say()
    await client.answered()
    os.kill(scene.edge.pid, signal.SIGCONT)

    async def fenced() -> bool:
        return await scene.edge.metric("sbc_fenced_total") == 1 and not await scene.edge.sessions()
    await wait_until(fenced, "the edge that was away has no session")
    await scene.edge.ready()
    await client.say()
    await client.answered()
    exactly_once(client)


async def test_requests_find_their_session_at_another_edge_by_every_key(
    scene: Scene, other: Edge, redis: Redis,
) -> None:
    scene.plain("a", "b", module="node_http")
    changes = web(scene, protocol="opaque")
    door = changes["listeners"][0] | {"listen": f"127.0.0.1:{other.port}"}
    await beside(scene, other, changes | {"listeners": [door], "edge": on(redis, "two")},
                 changes | {"edge": on(redis, "one")})

    async def ask(edge: Edge, path: str = "/ask", **headers: str) -> tuple[int, Any, Any]:
        async with http.get(f"http://127.0.0.1:{edge.port}{path}", headers=headers) as answer:
            return answer.status, json.loads(await answer.read()), answer.headers
    async with asking() as http:
        _, own, given = await ask(scene.edge, **{"X-Chat": "mine"})
        _, minted, made = await ask(scene.edge, "/mint?by=header")
        ways = [(own, {"X-Chat": "mine"}), (own, {"Session-Id": given["Session-Id"]}),
                (minted, {"X-Chat": made["X-Chat"]})]
        numbers = []
        for edge in (other, scene.edge):
            for before, headers in ways:
                status, after, _ = await ask(edge, **headers)
                assert (status, after["node"]) == (200, before["node"])
                assert after["told"]["session-id"] == before["told"]["session-id"]
                if before is own:
                    numbers.append(int(after["told"]["session-message"]))
        assert numbers == [2, 3, 4, 5], "it is gone on with, not begun anew"
        await scene.edge.kept()
        scene.edge.kill()
        for before, headers in ways:
            status, after, _ = await ask(other, **headers)
            assert (status, after["told"]["session-id"]) == (200, before["told"]["session-id"])
        status, fresh, _ = await ask(other, **{"X-Chat": "new"})
        assert status == 200 and fresh["told"]["session-message"] == "1"
        assert len(await other.sessions()) == 3
