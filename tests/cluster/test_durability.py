"""What a client may have lost that comes back to its session after its edge was killed, for each word of `durability`.

docs/OPERATING.md, "What an edge that dies takes along", says what is tested here.
"""

import asyncio
import contextlib
import random
import signal
import time
from typing import Any

from websockets.exceptions import ConnectionClosed

from sbc.runtime.clerk import LATE
from tests.support.oracle import exactly_once
from tests.support.redis import Redis, needs_redis
from tests.support.returning import Returner
from tests.support.scene import Scene
from tests.support.wait import wait_until

WORDS = ("none", "async", "sync")


def agents(replay: str, **pools: str) -> dict[str, Any]:
    """An agent for each word, at a path of its name."""
    return {
        "agents": {"tutor": None, **{word: {"pool": pools.get(word, "tutors"), "durability": word, "migration": {
            "replay": replay, "output": "regenerate", "tolerated_loss": "any", "hold": "20s"}} for word in WORDS}},
        "routes": [{"match": {"path": f"/{word}"}, "agent": word, "protocol": "opaque", "policy": "default"}
                   for word in WORDS],
    }


async def keep_talking(client: Returner, dice: random.Random) -> None:
    """Until the connection breaks."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            await client.say(dice.randint(1, 3), every=dice.choice((0.0, 0.002)))
            await asyncio.sleep(dice.uniform(0, 0.02))


async def test_with_checkpoints_nothing_is_lost_or_doubled_that_is_not_announced(scene: Scene) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    scene.trunk("a", "b", checkpoint="message")
    scene.trunk("c", checkpoint="never", pool="forgetful")  # what it has of a session is in the journal, or nowhere
    changes = agents("auto", sync="forgetful")
    changes["pools"] = {"forgetful": {}}
    changes["edge"] = {"store": f"sqlite:{scene.directory}/sbc.db"}
    await scene.open(changes)
    clients = {word: [Returner(f"{scene.edge.url}{word}") for _ in range(3)] for word in WORDS}
    everybody = [client for of in clients.values() for client in of]
    await asyncio.gather(*(client.open() for client in everybody))
    for _ in range(2):
        talking = [asyncio.create_task(keep_talking(client, dice)) for client in everybody]
        await asyncio.sleep(dice.uniform(0.2, 0.8))
        scene.edge.kill()
        await asyncio.gather(*talking)
        for client in everybody:
            await client.ended()
        scene.edge.start()
        await scene.edge.ready()
        await scene.edge.sees(*scene.nodes.values())
        await asyncio.gather(*(client.come_back(scene.edge) for client in everybody))
    for client in everybody:
        await client.say()
        await client.has(client.owed - len(client.lost))
        exactly_once(client, lost=client.lost)
    for client in clients["sync"]:
        assert not client.lost, "nothing that a node has said is lost"
        assert not client.forgotten, "nothing is lost that the edge has confirmed"
    for word, of in clients.items():
        print(word, "lost", sum(len(client.lost) for client in of), "forgotten",
              sum(client.forgotten for client in of), "said again", sum(client.said_again for client in of))
    for client in everybody:
        await client.close()


async def test_without_checkpoints_no_message_is_delivered_twice(scene: Scene) -> None:
    [node] = scene.plain("a")
    changes = agents("auto")
    changes["edge"] = {"store": f"sqlite:{scene.directory}/sbc.db"}
    await scene.open(changes)
    clients = [Returner(f"{scene.edge.url}{word}") for word in WORDS]
    for client in clients:
        await client.open()
        for _ in range(5):
            await client.say()
        await client.answered()
    await scene.edge.kept()
    scene.edge.kill()
    for client in clients:
        await client.ended()
    scene.edge.start()
    await scene.edge.ready()
    await scene.edge.sees(node)
    for client in clients:
        await client.come_back(scene.edge)
        assert (client.said_again, client.lost) == (0, []), client.url
        await client.say()
        await client.has(6)
        await client.close()
    for key in {fact["session"] for fact in node.history("heard")}:
        assert sorted(node.numbers(key)) == list(range(1, 7))


@needs_redis
async def test_a_store_that_says_nothing_stops_no_session_and_that_is_said(scene: Scene, redis: Redis) -> None:
    scene.plain("a")
    await scene.open({"edge": {"store": redis.url, "redis": {"lease": "20s", "patience": "500ms"}},
                      "agents": {"tutor": {"durability": "sync", "migration": {"replay": "all"}}}})
    client = await scene.client()
    await client.say()
    await client.answered()
    assert await scene.edge.metric("sbc_unstored_messages_total") == 0
    redis.signal(signal.SIGSTOP)
    await client.say(3)
    await asyncio.sleep(0.5)
    assert len(client.heard) == 1, "the store is waited for"
    await client.answered()
    began, more = time.monotonic(), 20
    for _ in range(more):
        await client.say()
        await client.answered()
    assert time.monotonic() - began < more * LATE / 2, "it is not waited for again and again"
    assert await scene.edge.metric("sbc_unstored_messages_total") >= (1 + more) * 2
    assert '"durability_lost"' in scene.edge.log()
    redis.signal(signal.SIGCONT)
    await wait_until(lambda: '"durability_back"' in scene.edge.log(), "the store is waited for again")
    await client.say()
    await client.answered()
    exactly_once(client)
