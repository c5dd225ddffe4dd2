"""Checkpoints to the letter, told by a node under the test's hand: what is replayed, what is believed (P2, P3, P5)."""

import asyncio
from collections.abc import AsyncIterator

import psutil
import pytest

from tests.support.by_hand import HandNode
from tests.support.raw import TEXT, RawClient, frame
from tests.support.scene import Scene
from tests.support.wait import wait_until


@pytest.fixture
async def node(scene: Scene) -> AsyncIterator[HandNode]:
    """The only node of a running edge."""
    await scene.open()
    hand = HandNode("z")
    await hand.join(scene.edge.trunk_url)
    yield hand
    await hand.leave()


async def says(client: RawClient, *texts: str) -> None:
    """The client sends these messages."""
    await client.send(*(frame(TEXT, text.encode()) for text in texts))


async def hears(client: RawClient, *texts: str) -> None:
    """These come to the client, in this order."""
    for text in texts:
        got = await client.frame()
        assert got is not None and got.payload == text.encode()


async def test_replay_begins_behind_the_checkpoint_and_a_checkpoint_too_early_waits(
        scene: Scene, node: HandNode) -> None:
    opening = asyncio.create_task(RawClient.opened(scene.edge.port))
    invite, leg = await node.take()
    client = await opening
    assert invite["checkpoint"] is None and "session-resume" not in leg.headers
    await says(client, "1", "2", "3")
    await leg.has("1", "2", "3")
    leg.say("a")
    leg.say("b")
    await hears(client, "a", "b")
    await node.checkpoint(invite, received=1, sent=1, state="s1")
    await node.checkpoint(invite, received=2, sent=3, state="s2")  # its third message never comes
    leg.hang_up()

    invite, leg = await node.take()
    assert invite["checkpoint"] == {"received": 1, "sent": 1, "state": "s1"}
    assert leg.headers["session-resume"] == "received=1, sent=1, delivered=2, cause=failover"
    await leg.has("2", "3")
    assert await node.journal(invite, 1) == [{"seq": 2, "text": "b"}]
    await node.checkpoint(invite, received=3, sent=3, state="s3")  # its third message is on its way
    leg.say("c")
    await hears(client, "c")
    await says(client, "4")
    await leg.has("2", "3", "4")
    leg.hang_up()

    invite, leg = await node.take()
    assert invite["checkpoint"] == {"received": 3, "sent": 3, "state": "s3"}
    assert leg.headers["session-resume"] == "received=3, sent=3, delivered=3, cause=failover"
    await leg.has("4")


async def test_a_checkpoint_may_not_go_back_nor_beyond_what_was_sent(scene: Scene, node: HandNode) -> None:
    opening = asyncio.create_task(RawClient.opened(scene.edge.port))
    invite, leg = await node.take()
    client = await opening
    await says(client, "1", "2")
    await leg.has("1", "2")
    leg.say("a")
    await hears(client, "a")
    await node.checkpoint(invite, received=1, sent=1, state="true")
    for received, sent in ((0, 1), (1, 0), (0, 0), (3, 1), (2**53 - 1, 0)):
        await node.checkpoint(invite, received, sent, state="false")
    leg.hang_up()
    invite, leg = await node.take()
    assert invite["checkpoint"] == {"received": 1, "sent": 1, "state": "true"}
    await leg.has("2")


async def test_words_about_another_epoch_are_dropped_and_counted(scene: Scene, node: HandNode) -> None:
    opening = asyncio.create_task(RawClient.opened(scene.edge.port))
    invite, leg = await node.take()
    client = await opening
    await says(client, "1")
    await leg.has("1")
    leg.say("a")
    await hears(client, "a")
    leg.hang_up()
    former, epoch = invite, invite["epoch"]
    invite, leg = await node.take()
    assert invite["epoch"] > epoch, "another epoch, though it is the same node"
    assert int(leg.headers["session-epoch"]) == invite["epoch"]
    await leg.has("1")
    before = await scene.edge.metric("sbc_abuse_total", kind="stale_signal")
    asked = len(node.said("journal"))
    for false in (epoch, invite["epoch"] + 1):
        for message in ({"type": "checkpoint", "received": 1, "sent": 1, "state": "stale"},
                        {"type": "journal", "after": 0}, {"type": "decline", "reason": "stale"},
                        {"type": "bye", "result": "stale"}):
            await node.trunk.send(**message, session=former["session"], epoch=false)
    assert await node.journal(invite, 0) == [{"seq": 1, "text": "a"}]
    assert len(node.said("journal")) == asked + 1, "a stale question has no answer"
    assert await scene.edge.metric("sbc_abuse_total", kind="stale_signal") == before + 8
    leg.hang_up()
    invite, leg = await node.take()
    assert (invite["checkpoint"] or {"received": 0})["received"] == 0, "the stale checkpoint was not believed"
    await leg.has("1")


async def test_checkpoints_that_run_ahead_do_not_pile_up(scene: Scene, node: HandNode) -> None:
    opening = asyncio.create_task(RawClient.opened(scene.edge.port))
    invite, _ = await node.take()
    client = await opening
    process = psutil.Process(scene.edge.pid)
    state = "x" * 60_000

    async def run_ahead(first: int, last: int) -> None:
        for sent in range(first, last):
            await node.trunk.send(type="checkpoint", session=invite["session"], epoch=invite["epoch"], received=0,
                                  sent=sent, state=state)
        await node.journal(invite, 0)
    await run_ahead(1, 50)
    before = process.memory_info().rss
    await run_ahead(50, 350)
    assert process.memory_info().rss - before < 8 * 1024 * 1024
    client.abort()


async def test_a_move_that_is_called_off_gives_the_owner_what_was_held_and_no_more(
        scene: Scene, node: HandNode) -> None:
    opening = asyncio.create_task(RawClient.opened(scene.edge.port))
    _, leg = await node.take()
    client = await opening
    await says(client, "1", "2")
    await leg.has("1", "2")
    status, answer = await scene.edge.post(f"/api/v1/sessions/{await scene.only_session()}/migrate")
    assert status in (200, 202), answer
    await wait_until(lambda: node.said("checkpoint_now"), "the owner is asked, and does not answer")
    await says(client, "3")
    await wait_until(lambda: len(leg.heard) > 2, "there is nobody to move to")
    await says(client, "4")
    await leg.has("1", "2", "3", "4")
    leg.say("a")
    await hears(client, "a")
    row, = await scene.edge.sessions()
    assert (row["received"], row["sent"]) == (4, 1), "what was held is counted once"


async def test_the_newest_trunk_of_a_node_is_the_one_that_is_heard(scene: Scene, node: HandNode) -> None:
    opening = asyncio.create_task(RawClient.opened(scene.edge.port))
    invite, leg = await node.take()
    client = await opening
    await node.join_again(scene.edge.trunk_url)
    assert await node.journal(invite, 0) == []
    await says(client, "1")
    await leg.has("1")
    leg.say("a")
    await hears(client, "a")
    assert len(node.legs) == 1


async def test_an_owner_without_checkpoints_leaves_its_counts_to_the_next_one_that_reports_them(
        scene: Scene, node: HandNode) -> None:
    await node.join_again(scene.edge.trunk_url, checkpoints=False)
    opening = asyncio.create_task(RawClient.opened(scene.edge.port))
    _, leg = await node.take()
    client = await opening
    await says(client, "1")
    await leg.has("1")
    leg.say("a")
    await hears(client, "a")
    await node.join_again(scene.edge.trunk_url)
    for _ in range(2):  # what the first one had goes with it; the second one left nothing else
        leg.hang_up()
        invite, leg = await node.take()
        assert invite["checkpoint"] == {"received": 1, "sent": 1, "state": None}
        assert leg.headers["session-resume"] == "received=1, sent=1, delivered=1, cause=failover"
        if len(node.legs) == 2:
            await says(client, "2")
        await leg.has("2")
    assert await scene.edge.metric("sbc_unknown_messages_total") == 1
