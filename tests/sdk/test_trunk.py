"""The node's end of the trunk, alone: dialling, secrets, refusals; and once against the real door."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sbc.model.interfaces import Trunk
from sbc.nodes.trunk import TrunkDoor
from sbc.sdk.trunk import TrunkClient
from tests.sdk.edge import Edge
from tests.support.wait import PATIENCE, wait_until


class Client:
    """A trunk client, and what it was told."""

    def __init__(self, url: str, secret: str | None = None) -> None:
        self.words: list[Mapping[str, Any]] = []
        self.openings = self.endings = 0
        self.wanted = True
        self.trunk = TrunkClient(url, secret, self)

    def register(self) -> dict[str, Any]:
        return {"type": "register", "node": "a", "pool": "p", "url": "http://x"}

    def heartbeat(self) -> dict[str, Any]:
        return {"type": "heartbeat", "sessions": 0}

    def opened(self, trunk: TrunkClient) -> None:
        self.openings += 1

    def heard(self, trunk: TrunkClient, message: Mapping[str, Any]) -> None:
        self.words.append(message)

    def closed(self, trunk: TrunkClient) -> None:
        self.endings += 1

    def may_dial(self, trunk: TrunkClient) -> bool:
        return self.wanted


@asynccontextmanager
async def running(client: Client) -> AsyncIterator[Client]:
    task = asyncio.create_task(client.trunk.run())
    try:
        yield client
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=PATIENCE)
        assert task.cancelled()


async def test_it_bears_the_secret_and_beats_on_time(edge: Edge) -> None:
    async with running(Client(edge.trunk_url, "s3cret")) as client:
        await edge.word("heartbeat", 3)
        assert edge.authorizations == ["Bearer s3cret"] and client.openings == 1
        assert [word["type"] for word in edge.heard[:2]] == ["register", "heartbeat"]


async def test_it_dials_until_there_is_an_edge(edge: Edge, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    async with running(Client(f"ws://127.0.0.1:{port}/trunk")) as client:
        await wait_until(lambda: "no trunk to" in caplog.text, "a line in the log")
        client.trunk.send({"type": "bye"})  # lost
        client.trunk.url = edge.trunk_url
        await edge.word("register")
        await edge.word("heartbeat")
        assert "bye" not in [word["type"] for word in edge.heard]


async def test_a_refusal_is_logged_and_tried_again(edge: Edge, caplog: pytest.LogCaptureFixture) -> None:
    edge.refuses = True
    async with running(Client(edge.trunk_url)) as client:
        await edge.word("register", 2)
        assert "no such pool" in caplog.text and not client.trunk.is_open
        edge.refuses = False
        await wait_until(lambda: client.trunk.is_open, "the trunk")


async def test_a_connection_that_breaks_without_a_word(edge: Edge) -> None:
    async with running(Client(edge.trunk_url)) as client:
        await wait_until(lambda: client.trunk.is_open, "the trunk")
        edge.trunks[0]._req.transport.abort()
        await wait_until(lambda: client.openings == 2, "another trunk")
        assert client.endings == 1 and client.trunk.edge == "edge-1"


async def test_what_is_queued_is_bounded(edge: Edge) -> None:
    async with running(Client(edge.trunk_url)) as client:
        await wait_until(lambda: client.trunk.is_open, "the trunk")
        for number in range(20_000):
            client.trunk.send({"type": "checkpoint", "n": number})
        assert len(client.trunk._queue) == 10_000
        await edge.word("checkpoint", 10_000)


class Hall:
    """Remembers what the door tells it."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.trunk: Trunk | None = None

    def registered(self, trunk: Trunk, message: Mapping[str, Any]) -> float:
        self.trunk = trunk
        return 0.05

    def heard(self, trunk: Trunk, message: Mapping[str, Any]) -> None:
        self.words.append(message["type"])

    def lost(self, trunk: Trunk) -> None:
        self.words.append("lost")


async def test_the_two_ends_of_the_trunk_meet() -> None:
    hall = Hall()
    door = TrunkDoor(hall, edge="edge-1", secret="s3cret", ssl=None)
    port = await door.start("127.0.0.1", 0)
    try:
        async with running(Client(f"ws://127.0.0.1:{port}/trunk", "s3cret")) as client:
            await wait_until(lambda: hall.words.count("heartbeat") >= 2, "heartbeats")
            assert hall.trunk is not None and hall.trunk.node == "p/a"
            hall.trunk.send({"type": "release", "session": "s", "epoch": 1, "reason": "x"})
            await wait_until(lambda: client.words, "the release")
        await wait_until(lambda: hall.words[-1] == "lost", "the loss")
    finally:
        await door.close()
    assert hall.words.count("lost") == 1 and door.counts.malformed == 0
