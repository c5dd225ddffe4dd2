"""P1 where the move is planned: drain, migrate, a node that asks to be drained. Nothing is lost on the way (P2)."""

import asyncio
import signal

import pytest

from tests.support.oracle import exactly_once
from tests.support.scene import Scene
from tests.support.wait import wait_until


@pytest.mark.parametrize("standby", ["cold", "warm"])
async def test_a_drained_node_is_emptied_and_nobody_notices(scene: Scene, standby: str) -> None:
    scene.trunk("a", "b", checkpoint="message")
    await scene.open(standby=standby, deadline="1s")
    clients = await scene.talking(10)
    node = clients[0].node
    for client in clients:
        await client.say(60, every=0.01)
    status, answer = await scene.edge.post(f"/api/v1/nodes/{node}/drain")
    assert status in (200, 202), answer
    await scene.no_sessions(f"?node={node}")
    late = await scene.client()
    await late.say()
    await late.answered()
    assert late.node != node, "a draining node gets no new session"
    for client in clients:
        await client.say()
        await client.answered()
        assert client.open_still and client.node != node
        exactly_once(client)
    status, answer = await scene.edge.post(f"/api/v1/nodes/{node}/undrain")
    assert status in (200, 202), answer
    await scene.edge.sees(scene.nodes[node])


async def test_a_node_may_ask_to_be_drained(scene: Scene) -> None:
    scene.trunk("a", "b", checkpoint="message")
    await scene.open(deadline="500ms")
    clients = await scene.talking(6)
    leaving = scene.owner(clients[0])
    leaving.signal(signal.SIGUSR1)
    await scene.no_sessions(f"?node={leaving.name}")
    for client in clients:
        await client.say(2)
        await client.answered()
        assert client.open_still and client.node != leaving.name
        exactly_once(client)


async def test_a_session_is_migrated_to_and_fro_in_the_middle_of_its_answers(scene: Scene) -> None:
    scene.trunk("a", "b", checkpoint="message")
    await scene.open(when="now")
    client = await scene.client()
    await client.say(200, every=0.01)
    await client.has(5)
    session = await scene.only_session()
    for _ in range(4):
        source, to = client.node, scene.other(client).name
        status, answer = await scene.edge.post(f"/api/v1/sessions/{session}/migrate", {"to": to})
        assert status in (200, 202), answer
        await wait_until(lambda source=source: client.node != source, f"{to} has taken over from {source}")
    await client.answered()
    exactly_once(client)
    assert await scene.edge.metric("sbc_handovers_total", cause="migration", outcome="moved") == 4


async def test_a_plain_node_is_drained_when_its_sessions_are_idle(scene: Scene) -> None:
    scene.plain("a", "b")
    await scene.open(deadline="1s")
    clients = await scene.talking(6)
    node = clients[0].node
    await scene.edge.post(f"/api/v1/nodes/{node}/drain")
    await scene.no_sessions(f"?node={node}")
    for client in clients:
        await client.say()
        await client.answered()
        assert client.open_still and client.node != node


async def test_a_planned_move_waits_for_the_end_of_the_answer(scene: Scene) -> None:
    scene.plain("a", "b")
    await scene.open()
    client = await scene.client()
    await client.say(40, every=0.02)
    await client.has(3)
    source, to = client.node, scene.other(client).name
    status, answer = await scene.edge.post(f"/api/v1/sessions/{await scene.only_session()}/migrate", {"to": to})
    assert status in (200, 202), answer
    await client.answered()
    assert {message["node"] for message in client.heard} == {source}, "a plain node says all of it or it is lost"
    await wait_until(lambda: scene.edge.metric("sbc_handovers_total", outcome="moved"), "then the session moves")
    await client.say()
    await client.has(41)
    assert client.node == to


async def test_a_move_that_nobody_accepts_leaves_the_session_where_it_is(scene: Scene) -> None:
    scene.trunk("good", checkpoint="message")
    scene.trunk("bad", invite="decline")
    await scene.open(when="now", deadline="500ms")
    client = await scene.client()
    await client.say(100, every=0.01)
    await client.has(3)
    session = await scene.only_session()
    await scene.edge.post(f"/api/v1/sessions/{session}/migrate", {"to": "bad"})
    await client.answered()
    await client.say()
    await client.answered()
    assert client.node == "good"
    exactly_once(client)


async def test_orders_that_make_no_sense_are_refused(scene: Scene) -> None:
    scene.trunk("a")
    await scene.open()
    client = await scene.client()
    await client.say()
    await client.answered()
    session = await scene.only_session()
    answers = await asyncio.gather(
        scene.edge.post("/api/v1/sessions/no-such-session/migrate"),
        scene.edge.post(f"/api/v1/sessions/{session}/migrate", {"to": "no-such-node"}),
        scene.edge.post("/api/v1/nodes/no-such-node/drain"),
        scene.edge.get("/api/v1/sessions/no-such-session"))
    for status, answer in answers:
        assert status in (400, 404, 409), answer
        assert set(answer["error"]) >= {"code", "message"}
    await client.say()
    await client.answered()


async def test_an_operator_ends_a_session(scene: Scene) -> None:
    scene.trunk("a")
    await scene.open()
    client = await scene.client()
    await client.say()
    await client.answered()
    session = await scene.only_session()
    status, _ = await scene.edge.get(f"/api/v1/sessions/{session}", "DELETE")
    assert status in (200, 202, 204)
    code, _ = await client.ended()
    assert code in (1000, 1001, 1008)
    await wait_until(lambda: scene.nodes["a"].history("closed"), "the node leg is closed")
