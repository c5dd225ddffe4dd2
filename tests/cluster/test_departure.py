"""An edge that is drained: not ready at once, serving for a while yet, then without clients, and still there."""

import asyncio

import pytest

from tests.support.scene import Scene
from tests.support.wait import wait_until


async def test_clients_are_sent_away_once_balancers_had_time_to_see_it(scene: Scene) -> None:
    scene.plain("a", "b")
    await scene.open({"edge": {"store": f"sqlite:{scene.directory}/sbc.db"}})
    [client] = await scene.talking(1)
    status, told = await scene.edge.post("/api/v1/drain?settle=4")
    assert (status, told) == (202, {"state": "draining", "sessions": 1})
    status, why = await scene.edge.get("/readyz")
    assert status == 503 and "draining" in str(why)
    await client.say(2)
    await client.answered()
    late = await scene.client()
    assert client.open_still and late.open_still, "who has not seen it yet is served"
    for one in (client, late):
        assert (await one.ended())[0] == 1012

    async def drained() -> bool:
        return (await scene.edge.post("/api/v1/drain"))[1]["state"] == "drained"
    await wait_until(drained, "it is drained")
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", scene.edge.port)
    assert (await scene.edge.get("/healthz"))[0] == 200
    assert await scene.edge.stop() == 0
    scene.edge.start()
    await scene.edge.ready()
    await client.reattach()
    await client.say(1)
    await client.answered()


async def test_a_stop_does_not_wait_for_what_a_drain_waits_for(scene: Scene) -> None:
    scene.plain("a")
    await scene.open()
    [client] = await scene.talking(1)
    await scene.edge.post("/api/v1/drain?settle=600")
    assert await scene.edge.stop() == 0
    assert (await client.ended())[0] == 1012
