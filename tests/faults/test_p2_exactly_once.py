"""P2: every client message is processed exactly once, every node message comes once and in order, across handovers."""

import asyncio

import pytest

from tests.support.oracle import at_least_once, at_most_once, exactly_once
from tests.support.scene import Scene
from tests.support.wait import wait_until

KINDS = [(standby, output) for standby in ("cold", "warm") for output in ("continue", "regenerate")]
EVERY_KIND = {
    "agents": {f"{standby}-{output}": {"pool": "tutors", "migration": {"standby": standby, "output": output}}
               for standby, output in KINDS},
    "routes": [{"match": {"path": f"/{standby}/{output}"}, "agent": f"{standby}-{output}", "protocol": "opaque",
                "policy": "default"} for standby, output in KINDS],
}


@pytest.mark.parametrize("checkpoint", ["never", "answer", "message"])
async def test_owners_are_killed_one_after_the_other_in_the_middle_of_answers(scene: Scene, checkpoint: str) -> None:
    scene.trunk("a", "b", "c", checkpoint=checkpoint)
    await scene.open(EVERY_KIND)
    clients = [await scene.client(f"{standby}/{output}") for standby, output in KINDS for _ in range(2)]
    for victim in scene.nodes.values():
        for client in clients:
            await client.say(3)
            await client.say(40, every=0.005)
            await client.say(1)
        await asyncio.gather(*(client.has(client.owed - 30) for client in clients))
        victim.kill()
        for client in clients:
            await client.say(2)
        for client in clients:
            await client.answered()
        victim.start()
        await scene.edge.sees(*scene.nodes.values())
    for client in clients:
        exactly_once(client)
        assert client.open_still
    assert await scene.edge.metric("sbc_handovers_total", cause="failover", outcome="moved") >= len(clients)


async def test_a_node_is_handed_its_checkpoint_back_and_told_what_the_client_has(scene: Scene) -> None:
    scene.trunk("a", "b", checkpoint="answer")
    await scene.open()
    client = await scene.client()
    await client.say(2)
    await client.answered()
    owner, heir = scene.owner(client), scene.other(client)
    await wait_until(lambda: owner.history("sent"), "the owner has answered")
    session = await scene.only_session()
    await client.say(50, every=0.01)
    await client.has(6)
    owner.kill()
    await client.answered()
    exactly_once(client)
    invite = next(fact for fact in heir.history("invite") if fact["session"] == session and fact["role"] == "owner")
    assert (invite["checkpoint"]["received"], invite["checkpoint"]["sent"]) == (1, 2)
    assert isinstance(invite["checkpoint"]["state"], str)
    headers = {name.lower(): value for name, value in heir.history("open")[-1]["headers"].items()}
    told = dict(part.strip().split("=") for part in headers["session-resume"].split(","))
    assert (told["received"], told["sent"], told["cause"]) == ("1", "2", "failover")
    assert int(told["delivered"]) >= 6
    # The journal of what the client already has: enough to go on from a half-finished answer.
    answer, = heir.history("journal")
    assert [message["seq"] for message in answer["messages"]] == list(range(3, int(told["delivered"]) + 1))
    assert all('"m"' in message["text"] for message in answer["messages"])
    assert heir.numbers(session) == [2], "replay starts after what the checkpoint covers"


async def test_plain_nodes_are_given_an_unsafe_message_at_most_once(scene: Scene) -> None:
    a, b = scene.plain("a", "b")
    await scene.open(replay="auto")
    client = await scene.client()
    await client.say()
    await client.answered()
    owner = scene.owner(client)
    for _ in range(5):
        await client.say(5, every=0.01)
    await wait_until(lambda: len(owner.numbers()) == 6, "all of it was sent to the owner")
    owner.kill()
    # What is said before the edge knows of the death goes the way of the others: sent, and nobody knows.
    await wait_until(lambda: scene.edge.metric("sbc_handovers_total", outcome="moved"), "the session is moved")
    heard = len(client.heard)
    number = await client.say(1)
    await wait_until(lambda: any(message["n"] == number for message in client.heard[heard:]), "the new owner answers")
    at_most_once(client, [a, b])
    assert client.open_still
    assert await scene.edge.metric("sbc_unknown_messages_total") == 6, "nobody knows what the dead one acted on"


async def test_what_was_surely_not_sent_is_sent_to_the_new_owner(scene: Scene) -> None:
    a, b = scene.plain("a", "b")
    await scene.open(replay="auto")
    client = await scene.client()
    await client.say()
    await client.answered()
    for node in (a, b):
        node.kill()
    await scene.edge.sees(a, b, state="down")
    for _ in range(5):
        await client.say()
    scene.other(client).start()
    await wait_until(lambda: client.heard[-1]["n"] == 6, "held messages are answered")
    at_most_once(client, [a, b])
    at_least_once(client, [a, b])
    assert [message["n"] for message in client.heard] == [1, 2, 3, 4, 5, 6]


async def test_a_plain_node_that_rebuilds_itself_from_the_messages_loses_nothing(scene: Scene) -> None:
    a, b = scene.plain("a", "b")
    await scene.open(replay="all", output="regenerate")
    client = await scene.client()
    for _ in range(3):
        await client.say(10, every=0.005)
    await client.has(15)
    scene.owner(client).kill()
    await client.answered()
    assert await scene.edge.metric("sbc_suppressed_messages_total") >= 15
    await client.say()
    await client.answered()
    exactly_once(client)
    at_least_once(client, [a, b])


async def test_a_node_that_ends_the_session_ends_it(scene: Scene) -> None:
    scene.trunk("a", quit_after=2)
    await scene.open()
    client = await scene.client()
    await client.say()
    await client.answered()
    await client.say(0)
    assert (await client.ended())[0] == 1000
