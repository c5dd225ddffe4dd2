"""Who says nothing: pings on both legs (policy limit `ping`), and sessions in which nothing happens (`idle`)."""

import asyncio
import time

from tests.support.raw import CLOSE, PING, PONG, TEXT, RawClient, frame
from tests.support.scene import Scene
from tests.support.stubs import StubNode, accepted
from tests.support.wait import wait_until


def limits(**values: str) -> dict[str, object]:
    """The changes for these limits."""
    return {"policies": {"default": {"limits": values}}}


async def test_a_half_open_client_is_parked_and_later_ended(scene: Scene) -> None:
    scene.plain("a")
    await scene.open({**limits(ping="1s"), "agents": {"tutor": {"migration": {"hold": "1s"}}}})
    honest = await scene.client()  # its library answers pings
    lost = await RawClient.opened(scene.edge.port)
    await lost.send(frame(TEXT, b'{"n": 1, "say": 1}'))
    assert (await lost.frame() or CLOSE)
    asked = await lost.frame()
    assert asked is not None and asked.opcode == PING, "it is asked whether it lives"
    assert await lost.ended()
    rows = await scene.edge.sessions("?state=parked")
    assert len(rows) == 1
    gone = rows[0]["session"]

    async def ended() -> bool:
        return (await scene.edge.get(f"/api/v1/sessions/{gone}"))[0] == 404
    await wait_until(ended, "the parked session is ended")
    await honest.say()
    await honest.answered()
    assert honest.open_still, "a client that answers pings is kept"


async def test_a_session_in_which_no_message_passes_is_ended_however_often_its_client_answers_pings(
        scene: Scene) -> None:
    scene.plain("a")
    await scene.open(limits(ping="1s", idle="2s"))
    busy, = await scene.talking(1)
    idle = await scene.client()
    began = time.monotonic()

    async def talk() -> None:
        while idle.open_still:
            await busy.say()
            await busy.answered()
            await asyncio.sleep(0.2)
    talking = asyncio.create_task(talk())
    assert await idle.ended() == (1008, "idle")
    assert time.monotonic() - began > 1.9
    await talking
    assert busy.open_still
    assert len(await scene.edge.sessions()) == 1


async def test_a_node_leg_that_answers_no_ping_is_replaced(scene: Scene) -> None:
    pings = 0

    async def behave(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal pings
        writer.write(accepted(head))
        while got := await reader.read(65536):
            if got[0] == 0x80 | PING:
                pings += 1
            elif node.legs > 1:
                writer.write(b"\x81\x04well")
    node = StubNode(behave)
    await node.start()
    try:
        await scene.open({**limits(ping="1s"), "pools": {"tutors": {"nodes": [
            {"name": "stub", "url": f"http://127.0.0.1:{node.port}"}]}}})
        client = await RawClient.opened(scene.edge.port)
        while node.legs == 1:  # the client lives all the while
            asked = await client.frame()
            assert asked is not None and asked.opcode == PING
            await client.send(frame(PONG, asked.payload))
            await wait_until(lambda: pings, "the node's leg is asked too")
            await wait_until(lambda: node.legs == 2, "the session is given a new leg")
        await scene.all_sessions("confirmed")
        await client.send(frame(TEXT, b"go on"))
        while (answer := await client.frame()) is not None and answer.opcode == PING:
            await client.send(frame(PONG, answer.payload))
        assert answer is not None and answer.payload == b"well"
        assert await scene.edge.metric("sbc_handovers_total", cause="failover", outcome="moved") == 1
    finally:
        await node.stop()


async def test_a_client_that_is_pinged_often_has_time_to_answer(scene: Scene) -> None:
    scene.plain("a")
    await scene.open(limits(ping="200ms"))
    client, = await scene.talking(1)
    began = time.monotonic()
    await wait_until(lambda: not client.open_still or time.monotonic() - began > 2.5, "two looks at every link")
    assert client.open_still
