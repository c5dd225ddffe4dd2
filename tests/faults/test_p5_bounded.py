"""P5: memory is bounded, and a slow reader slows its own writer and nobody else."""

import asyncio
import contextlib
import json
import signal
import time

import psutil

from tests.support.fair import fair_clock
from tests.support.raw import TEXT, RawClient, frame, upgrade
from tests.support.scene import Scene
from tests.support.wait import wait_until

MIB = 1024 * 1024


def memory(scene: Scene) -> int:
    """Resident bytes of the edge."""
    return int(psutil.Process(scene.edge.pid).memory_info().rss)


async def round_trips(scene: Scene, seconds: float) -> float:
    """The longest round trip of an honest client that talks for so long, in seconds of a fair clock."""
    client = await scene.client()
    worst, until = 0.0, time.monotonic() + seconds
    async with fair_clock(scene.edge.pid, *(node.pid for node in scene.nodes.values())) as clock:
        while time.monotonic() < until:
            began = clock()
            await client.say()
            await client.answered()
            worst = max(worst, clock() - began)
    assert client.open_still
    return worst


async def test_a_client_that_does_not_read_fills_no_memory_and_disturbs_nobody(scene: Scene) -> None:
    scene.plain("a")
    await scene.open()
    await round_trips(scene, 0.2)
    before = memory(scene)
    lazy = [await RawClient.opened(scene.edge.port) for _ in range(8)]
    for client in lazy:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await client.send(frame(TEXT, json.dumps({"n": 1, "say": 2000, "pad": 16_000}).encode()))  # 32 MB each
    worst = await round_trips(scene, 2.0)
    assert memory(scene) - before < 24 * MIB
    assert worst < 1.0, f"{worst:.3f} s"
    for client in lazy:
        client.abort()


async def test_a_reader_that_was_slow_gets_everything_once_it_reads(scene: Scene) -> None:
    scene.plain("a")
    await scene.open()
    client = await RawClient.opened(scene.edge.port)
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await client.send(frame(TEXT, json.dumps({"n": 1, "say": 400, "pad": 16_000}).encode()))
    await round_trips(scene, 0.5)
    client.writer.transport.resume_reading()  # type: ignore[attr-defined]
    for number in range(1, 401):
        got = await client.frame()
        assert got is not None and json.loads(got.payload)["m"] == number
    client.abort()


async def test_a_new_owner_is_slowed_by_a_client_that_does_not_read(scene: Scene) -> None:
    scene.plain("a", "b")
    await scene.open()
    client = await RawClient.opened(scene.edge.port)
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    much = {"say": 2000, "pad": 16_000}  # 32 MB
    await client.send(frame(TEXT, json.dumps({"n": 1, **much}).encode()))
    nodes = list(scene.nodes.values())
    await wait_until(lambda: any(node.history("open") for node in nodes), "a node has noted its leg")
    owner, heir = sorted(nodes, key=lambda node: not node.history("open"))
    seen = [0.0]

    async def stands_still() -> bool:
        seen.append(await scene.edge.metric("sbc_bytes_total", leg="node"))
        return seen[-1] > MIB and len(set(seen[-6:])) == 1
    await wait_until(stands_still, "the owner is slowed")
    before = memory(scene)
    owner.kill()
    await wait_until(lambda: scene.edge.metric("sbc_handovers_total", outcome="moved"), "the session is moved")
    await client.send(frame(TEXT, json.dumps({"n": 2, **much}).encode()))
    await wait_until(lambda: 2 in heir.numbers(), "the new owner answers")
    await round_trips(scene, 1.0)
    assert memory(scene) - before < 12 * MIB
    client.abort()


async def flood(client: RawClient, messages: int) -> None:
    """Send as fast as the edge takes it, for 2 s at most and not more than so many messages of 16 KiB."""
    one = frame(TEXT, json.dumps({"n": 1, "say": 0, "ballast": "x" * 16_000}).encode())
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(2):
            for _ in range(messages):
                await client.send(one)


async def test_a_client_that_floods_a_frozen_node_is_slowed_not_stored(scene: Scene) -> None:
    node, = scene.plain("a")
    await scene.open({"pools": {"tutors": {"probe": {"fall": 100}}}})
    before = memory(scene)
    client = await RawClient.opened(scene.edge.port)
    node.signal(signal.SIGSTOP)
    await flood(client, 4000)
    assert memory(scene) - before < 16 * MIB
    node.signal(signal.SIGCONT)
    client.abort()


async def test_a_client_that_floods_while_it_is_held_is_slowed_not_stored(scene: Scene) -> None:
    node, = scene.plain("a")
    await scene.open()
    client = await RawClient.opened(scene.edge.port)
    node.kill()
    await scene.edge.sees(node, state="down")
    before = memory(scene)
    await flood(client, 4000)
    assert memory(scene) - before < 16 * MIB
    assert (await scene.edge.get("/healthz"))[0] == 200
    node.start()
    await client.send(frame(TEXT, json.dumps({"n": 2, "say": 1}).encode()))
    answer = await client.frame()
    assert answer is not None and json.loads(answer.payload)["n"] == 2, "it is read again once it is served"
    client.abort()


async def test_a_client_that_is_away_costs_no_more_than_its_journal(scene: Scene) -> None:
    scene.plain("a")
    await scene.open()
    clients = [await scene.client() for _ in range(4)]
    before = memory(scene)
    for client in clients:
        await client.say(2000, pad=16_000)
        await client.has(1)
        await client.drop()
    await scene.all_sessions("parked")
    await round_trips(scene, 1.5)
    assert memory(scene) - before < 16 * MIB


async def test_sessions_of_one_principal_are_limited(scene: Scene) -> None:
    scene.plain("a")
    await scene.open({"policies": {"default": {"limits": {"sessions_per_principal": 3}}}})
    clients = await scene.talking(3)
    refused = await RawClient.connect(scene.edge.port)
    await refused.send(upgrade())
    answer = await refused.head()
    assert answer is not None and answer.status == 429
    other = await scene.client(address="127.0.0.2")
    await other.say()
    await other.answered()
    await clients[0].close()

    async def admitted() -> bool:
        again = await RawClient.connect(scene.edge.port)
        await again.send(upgrade())
        got = await again.head()
        again.abort()
        return got is not None and got.status == 101
    await wait_until(admitted, "a place is free again")


async def test_the_capacity_of_nodes_is_the_limit_of_sessions(scene: Scene) -> None:
    scene.trunk("a", "b", capacity=2)
    await scene.open()
    await scene.talking(4)
    late = await RawClient.connect(scene.edge.port)
    await late.send(upgrade())
    answer = await late.head()
    assert answer is not None and answer.status == 503
    assert "retry-after" in answer.headers and answer.headers["session-outcome"] == "not-sent"
