"""P3: one owner at a time; what a stale owner, a liar or a stranger says never reaches a client."""

import asyncio
import signal

import pytest

from tests.support.oracle import exactly_once
from tests.support.scene import Scene
from tests.support.stubs import RawTrunk
from tests.support.wait import wait_until


async def test_an_owner_that_was_frozen_in_the_middle_of_an_answer_is_not_heard_when_it_wakes(scene: Scene) -> None:
    scene.trunk("a", "b", checkpoint="message")
    await scene.open({"agents": {"tutor": {"continuity": "synchronous"}}})
    clients = await scene.talking(6)
    frozen = scene.owner(clients[0])
    for client in clients:
        await client.say(60, every=0.02)
        await client.has(client.owed - 58)
    frozen.signal(signal.SIGSTOP)
    for client in clients:
        await wait_until(lambda client=client: client.node != frozen.name, "the other node goes on")
    frozen.signal(signal.SIGCONT)
    for client in clients:
        await client.answered()
        await client.say(2)
    for client in clients:
        await client.answered()
        exactly_once(client)
        assert client.open_still


@pytest.mark.parametrize("lie", ["ahead", "stale", "garbage"])
async def test_a_node_that_lies_in_its_checkpoints_harms_nobody(scene: Scene, lie: str) -> None:
    scene.trunk("a", "b", checkpoint="answer", lie=lie)
    await scene.open()
    clients = await scene.talking(4)
    victim = scene.owner(clients[0])
    for client in clients:
        await client.say(30, every=0.005)
    await asyncio.gather(*(client.has(10) for client in clients))
    victim.kill()
    for client in clients:
        await client.say()
    for client in clients:
        await client.answered()
        exactly_once(client)


async def test_a_stranger_has_no_say_in_a_session_that_it_does_not_own(scene: Scene) -> None:
    node, = scene.trunk("a", checkpoint="message")
    await scene.open()
    client = await scene.client()
    await client.say()
    await client.answered()
    session = await scene.only_session()
    epoch = node.history("invite")[0]["epoch"]
    stranger = RawTrunk()
    try:
        await stranger.dial(scene.edge.trunk_url)
        await stranger.register("z", f"http://127.0.0.1:{node.port}", capacity=0)
        for claimed in (epoch, epoch + 1, 2**53 - 1):
            await stranger.send(type="accept", session=session, epoch=claimed)
            await stranger.send(type="checkpoint", session=session, epoch=claimed, received=0, sent=0, state="stolen")
            await stranger.send(type="journal", session=session, epoch=claimed, after=0)
            await stranger.send(type="bye", session=session, epoch=claimed, result="stolen")
        await stranger.send(type="heartbeat", sessions=0, load=0)
        await client.say(20, every=0.01)
        await client.answered()
        assert client.open_still
        assert not [message for message in stranger.heard if message["type"] in ("journal", "invite", "promote")]
        exactly_once(client)
    finally:
        await stranger.close()


async def test_a_second_node_of_the_same_name_does_not_take_the_sessions_of_the_first(scene: Scene) -> None:
    node, = scene.trunk("a", checkpoint="message")
    await scene.open()
    client = await scene.client()
    await client.say()
    await client.answered()
    impostor = RawTrunk()
    try:
        await impostor.dial(scene.edge.trunk_url)
        await impostor.send(type="register", node="a", pool="tutors", url="http://127.0.0.1:9", zone="", labels={},
                            capacity=1000, checkpoints=True)
        await wait_until(lambda: impostor.closed or impostor.heard, "the edge has decided")
        await client.say(10, every=0.01)
        await client.answered()
        exactly_once(client)
        assert client.node == node.name and client.open_still
    finally:
        await impostor.close()


@pytest.mark.parametrize("texts", [
    ["{", "[]", "null", '"x"', "1e400"], ['{"type": "register"}'] * 5, ['{"type": "heartbeat", "sessions": 1}'] * 3,
    ['{"type": "register", "node": "../../x", "pool": "tutors", "url": "file:///etc/passwd"}'] * 3, ["[" * 100_000] * 3,
    ["x" * 2_000_000],
])
async def test_garbage_on_the_trunk_ends_that_trunk_alone(scene: Scene, texts: list[str]) -> None:
    scene.trunk("a")
    await scene.open()
    client = await scene.client()
    await client.say(30, every=0.01)
    trunk = RawTrunk()
    try:
        await trunk.dial(scene.edge.trunk_url)
        for text in texts:
            await trunk.text(text)
        await wait_until(lambda: trunk.closed, "the edge hangs up")
        await client.answered()
        assert client.open_still
        assert (await scene.edge.get("/healthz"))[0] == 200
        assert "Traceback" not in scene.edge.log()
    finally:
        await trunk.close()
