"""An edge that is succeeded by another process while clients connect, talk, ask and listen: none of them is refused."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.clients import Talker
from tests.support.edge import Edge
from tests.support.oracle import exactly_once
from tests.support.redis import Redis, needs_redis
from tests.support.returning import Returner
from tests.support.scene import Scene
from tests.support.wait import wait_until


class Lineage:
    """An edge and the processes that succeed it."""

    def __init__(self, edge: Edge) -> None:
        self.edge = edge
        self.processes: list[int] = []

    async def upgrade(self) -> None:
        """Have another process in its place, and wait until the one before is gone."""
        status, answer = await self.edge.post("/api/v1/upgrade")
        assert status == 202, answer
        before = self.processes[-1] if self.processes else None
        self.processes.append(int(answer["process"]))

        await wait_until(lambda: self._gone(before), "the process before has ended", 20)

    def _gone(self, process: int | None) -> bool:
        return not self.edge.running if process is None else not os.path.exists(f"/proc/{process}")

    def end(self) -> None:
        for process in self.processes:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue


@pytest.fixture
async def lineage(scene: Scene) -> AsyncIterator[Lineage]:
    processes = Lineage(scene.edge)
    yield processes
    processes.end()


@pytest.fixture(params=["memory", "sqlite", pytest.param("redis", marks=needs_redis)])
def store(request: pytest.FixtureRequest, scene: Scene) -> dict[str, Any]:
    """Changes to the configuration."""
    match request.param:
        case "sqlite":
            return {"store": f"sqlite:{scene.directory}/sbc.db"}
        case "redis":
            redis: Redis = request.getfixturevalue("redis")
            return {"store": redis.url, "redis": {"lease": "20s", "patience": "500ms"}}
        case _:
            return {"store": "memory:"}


async def talk(client: Returner, edge: Edge, until: asyncio.Event, *, idle: bool) -> None:
    """Say something all the time, or nothing, and come back as often as it takes."""
    while not until.is_set():
        try:
            if not idle:
                await client.say(2)
            await asyncio.sleep(0.02)
        except ConnectionClosed:
            await client.ended()
        if not client.open_still:
            assert client.closed == (1012, "retry_after=0")
            await client.come_back(edge)


async def arrive(scene: Scene, until: asyncio.Event, came: list[Talker]) -> None:
    """New clients one after the other, each of which is answered."""
    while not until.is_set():
        client = Returner(scene.edge.url)
        await client.open()
        await client.say()
        try:
            await client.answered()
        except AssertionError:  # its process was succeeded in this very moment
            await client.come_back(scene.edge)
            await client.answered()
        exactly_once(client)
        came.append(client)
        await client.close()


async def test_sessions_go_on_in_the_successor_exactly_once_and_nobody_is_refused(
    scene: Scene, lineage: Lineage, store: dict[str, Any],
) -> None:
    scene.trunk("a", "b", module="node_sdk")
    await scene.open({"edge": store})
    clients = [Returner(scene.edge.url) for _ in range(8)]
    scene.clients += clients
    for client in clients:
        await client.open()
    until, came = asyncio.Event(), list[Talker]()
    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(talk(client, scene.edge, until, idle=client is clients[0]))
        group.create_task(arrive(scene, until, came))
        await asyncio.sleep(0.3)
        before = len(came)
        await lineage.upgrade()
        await lineage.upgrade()
        await wait_until(lambda: len(came) > before, "somebody came")
        until.set()
    for client in clients:
        if not client.open_still:
            await client.come_back(scene.edge)
        await client.say()
        await client.answered()
        assert client.lost == []
        exactly_once(client)
    assert len(await scene.edge.sessions()) == len(clients)
