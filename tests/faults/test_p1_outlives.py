"""P1: the client's connection outlives its node."""

import asyncio
import signal
import time

import pytest

from tests.support.clients import InvalidStatus
from tests.support.edge import HURRIED
from tests.support.scene import Scene
from tests.support.wait import wait_until

SYNCHRONOUS = {"agents": {"tutor": {"continuity": "synchronous"}}}


async def test_no_client_of_a_killed_plain_node_is_disconnected(scene: Scene) -> None:
    scene.plain("a", "b")
    await scene.open()
    clients = await scene.talking(20)
    assert {client.node for client in clients} == {"a", "b"}, "both nodes must have had sessions"
    scene.nodes["a"].kill()
    await scene.no_sessions("?node=a")
    for client in clients:
        await client.say(3)
    for client in clients:
        await client.answered()
        assert client.open_still and client.node == "b"


async def test_no_client_of_a_killed_trunk_node_is_disconnected(scene: Scene) -> None:
    scene.trunk("a", "b")
    await scene.open()
    clients = await scene.talking(20)
    victim = scene.owner(clients[0])
    for client in clients:
        await client.say(20, every=0.005)
    victim.kill()
    for client in clients:
        await client.answered()
        assert client.open_still and client.node != victim.name
        break
    for client in clients:
        await client.answered()
        assert client.open_still


async def test_a_session_that_may_not_migrate_is_closed_honestly(scene: Scene) -> None:
    scene.plain("a", "b")
    await scene.open(allowed=False)
    client = await scene.client()
    await client.say()
    await client.answered()
    scene.owner(client).kill()
    assert (await client.ended())[0] == 1014


async def test_a_node_that_says_goodbye_ends_the_session(scene: Scene) -> None:
    scene.plain("a", close_after=2, close_code=1000)
    await scene.open()
    client = await scene.client()
    await client.say()
    await client.answered()
    await client.say(0)
    assert (await client.ended())[0] == 1000


@pytest.mark.parametrize("kind", ["plain", "trunk"])
async def test_a_frozen_node_is_noticed_in_time_by_the_synchronous_class(scene: Scene, kind: str) -> None:
    getattr(scene, kind)("a", "b")
    await scene.open(SYNCHRONOUS | HURRIED)
    client = await scene.client()
    await client.say()
    await client.answered()
    frozen = scene.owner(client)
    frozen.signal(signal.SIGSTOP)
    began = time.monotonic()
    # A plain node is only asked again what was surely not sent, and that is so once it is known to be down.
    await scene.edge.sees(frozen, state="down")
    await wait_until(lambda: scene.edge.metric("sbc_handovers_total", outcome="moved"), "the session is moved")
    took = time.monotonic() - began
    await client.say()
    await client.answered()
    assert client.open_still and client.node != frozen.name
    assert took < 10, f"{took:.2f} s; about 1 s is promised on a machine that is not busy"


async def test_a_frozen_node_that_wakes_is_used_again(scene: Scene) -> None:
    scene.trunk("a", "b")
    await scene.open(SYNCHRONOUS)
    clients = await scene.talking(4)
    frozen = scene.owner(clients[0])
    frozen.signal(signal.SIGSTOP)
    await scene.edge.sees(frozen, state="down")
    frozen.signal(signal.SIGCONT)
    await scene.edge.sees(frozen, state="up")
    for client in clients:
        await client.say(2)
        await client.answered()
        assert client.open_still


async def test_a_client_is_held_while_no_node_lives_and_served_by_the_first_that_does(scene: Scene) -> None:
    scene.plain("a", "b")
    await scene.open()
    client = await scene.client()
    await client.say()
    await client.answered()
    for node in scene.nodes.values():
        node.kill()
    await scene.all_sessions("held")
    await client.say()
    await scene.edge.sees(*scene.nodes.values(), state="down")
    assert client.open_still
    scene.nodes["a"].start()
    await client.answered()
    assert client.open_still


async def test_a_client_is_held_no_longer_than_hold(scene: Scene) -> None:
    scene.plain("a")
    await scene.open(hold="1s")
    client = await scene.client()
    await client.say()
    await client.answered()
    scene.nodes["a"].kill()
    code, reason = await client.ended()
    assert code == 1014
    assert "retry_after=" in (reason or "")
    with pytest.raises(InvalidStatus) as refused:
        await scene.client()
    answer = refused.value.response
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["Session-Outcome"] == "not-sent"


@pytest.mark.parametrize("reaction", ["decline", "hang", "garbage"])
async def test_a_node_that_does_not_accept_costs_the_client_no_more_than_time(scene: Scene, reaction: str) -> None:
    scene.trunk("bad", invite=reaction)
    scene.trunk("good")
    await scene.open()
    clients = await asyncio.gather(*(scene.client() for _ in range(4)))
    for client in clients:
        await client.say()
        await client.answered()
        assert client.node == "good"


async def test_nobody_accepts(scene: Scene) -> None:
    scene.trunk("a", "b", invite="decline")
    await scene.open()
    with pytest.raises(InvalidStatus) as refused:
        await scene.client()
    assert refused.value.response.status_code == 503
    assert int(refused.value.response.headers["Retry-After"]) >= 1


async def test_a_broken_trunk_ends_no_session(scene: Scene) -> None:
    node, = scene.trunk("a")
    await scene.open()
    client = await scene.client()
    await client.say()
    await client.answered()
    node.signal(signal.SIGUSR2)
    await wait_until(lambda: len(node.history("registered")) == 2, "the trunk is there again")
    await client.say(2)
    await client.answered()
    assert client.open_still
    assert len(node.history("open")) == 1, "nor does it move one: the leg stands"
    assert await scene.edge.metric("sbc_handovers_total") == 0
