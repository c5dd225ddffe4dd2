"""When a node dies with many sessions, those come first whose client was waiting for it."""

import asyncio
from collections.abc import AsyncIterator

import psutil
import pytest

from sbc.runtime.burst import AT_ONCE
from tests.support.by_hand import HandNode
from tests.support.raw import TEXT, RawClient, frame
from tests.support.scene import Scene
from tests.support.wait import wait_until


@pytest.fixture
async def dying(scene: Scene) -> AsyncIterator[HandNode]:
    """The only node of a running edge; one that will lose its sessions."""
    await scene.open()
    node = HandNode("dying")
    await node.join(scene.edge.trunk_url)
    yield node
    await node.leave()


@pytest.fixture
async def heir() -> AsyncIterator[HandNode]:
    """One that is yet to join."""
    node = HandNode("heir")
    yield node
    await node.leave()


async def test_of_legs_that_break_together_those_go_first_whose_client_had_asked_something(
        scene: Scene, dying: HandNode, heir: HandNode) -> None:
    sessions, legs = [], []
    for _ in range(AT_ONCE + 2):
        opening = asyncio.create_task(RawClient.opened(scene.edge.port))
        invite, leg = await dying.take()
        client = await opening
        sessions.append(invite["session"])
        legs.append(leg)
    await client.send(frame(TEXT, b"?"))
    await legs[-1].has("?")
    await heir.join(scene.edge.trunk_url)
    edge = psutil.Process(scene.edge.pid)
    edge.suspend()  # so that it learns of all of them in one turn of its loop
    await wait_until(lambda: edge.status() == psutil.STATUS_STOPPED, "it stands still")
    for leg in legs:
        leg.hang_up()
    for _ in range(3):  # turns of the loop
        await asyncio.sleep(0)
    edge.resume()
    await wait_until(lambda: len(heir.said("invite")) == len(legs), "all are offered to the other node")
    # The first pieces of a burst are done before the others are known.
    *first, last = sessions
    expected = [*first[:AT_ONCE], last, *first[AT_ONCE:]]
    assert [invite["session"] for invite in heir.said("invite")] == expected
