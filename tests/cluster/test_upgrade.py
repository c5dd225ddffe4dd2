"""An edge that is succeeded by another process while clients connect, talk, ask and listen: none of them is refused."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import aiohttp
import pytest
from websockets.exceptions import ConnectionClosed

from sbc.runtime.succession.estate import LINGERING
from sbc.sdk.client import Transport
from tests.support.asking import Stream, asking, url, web
from tests.support.caller import Caller
from tests.support.clients import Talker
from tests.support.edge import Edge
from tests.support.nodes import STARTING
from tests.support.oracle import exactly_once
from tests.support.quic import ca_file, secure
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

        await wait_until(lambda: self._gone(before), "the process before has ended")

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
        for _ in range(2 if store["store"] == "memory:" else 1):
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


async def ask(http: aiohttp.ClientSession, scene: Scene, number: int, until: asyncio.Event) -> int:
    """One request of a session after the other on a connection that is kept; how often it was closed."""
    closed = asked = 0
    answered = time.monotonic()
    while not until.is_set():
        idle, body = time.monotonic() - answered, b"n" * 10
        try:
            async with http.post(url(scene, f"/ask?n={asked}"), headers={"X-Chat": f"c{number}"}, data=body) as answer:
                assert answer.status == 200, await answer.text()
                assert (await answer.json())["told"]["session-message"] == str(asked + 1), "the session goes on"
                closed += answer.headers.get("Connection") == "close"
        except aiohttp.ServerDisconnectedError:
            # Who is silent for so long may find his connection closed in the moment in which he asks.
            assert idle > LINGERING - 1, "nobody who asks on is cut off"
            continue
        asked, answered = asked + 1, time.monotonic()
        await asyncio.sleep(0.01)
    return closed


async def listen(http: aiohttp.ClientSession, scene: Scene) -> None:
    """Every event of a stream, once, until it ends, and of its next connection."""
    heard, last = list[int](), ""
    for most in (10_000, 5):
        back = {"X-Chat": "stream", "Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
        stream = Stream.opened(http, "GET", url(scene, "/events?count=10000&every=0.05&ids=1"), headers=back)
        await wait_until(partial(_heard, stream, most), "it ends, or goes on", STARTING)
        assert stream.status == 200, stream
        heard += [event.json["i"] for event in stream.events]
        last = stream.events[-1].identity
    assert heard == list(range(1, len(heard) + 1))


def _heard(stream: Stream, most: int) -> bool:
    return bool(stream.end) or len(stream.events) >= most


async def test_no_request_on_a_kept_connection_fails_and_a_stream_goes_on(scene: Scene, lineage: Lineage) -> None:
    scene.plain("a", module="node_http")
    await scene.open(web(scene))
    until = asyncio.Event()
    async with asking() as http, asyncio.TaskGroup() as group:
        askers = [group.create_task(ask(http, scene, number, until)) for number in range(4)]
        group.create_task(listen(http, scene))
        await asyncio.sleep(0.3)
        await lineage.upgrade()
        until.set()
    assert sum(asker.result() for asker in askers) >= 4, "each connection ends with an answer"
    assert await scene.edge.metric("sbc_upgrades_total", outcome="succeeded") == 1


async def test_a_successor_that_fails_changes_nothing(scene: Scene) -> None:
    scene.plain("a")
    await scene.open()
    client, = await scene.talking(1)
    written = scene.edge.file.read_text()
    scene.edge.write("listeners: nonsense\n")
    status, answer = await scene.edge.post("/api/v1/upgrade")
    assert (status, answer["error"]["code"]) == (503, "upgrade_failed"), answer
    scene.edge.write(written)
    await client.say()
    await client.answered()
    assert client.open_still and scene.edge.running
    assert (await scene.edge.get("/readyz"))[0] == 200
    assert await scene.edge.metric("sbc_upgrades_total", outcome="failed") == 1


async def test_what_operators_ordered_and_whom_the_edge_has_barred_hold_in_the_successor(
    scene: Scene, lineage: Lineage,
) -> None:
    scene.trunk("a", "b", module="node_sdk")
    await scene.open({"abuse": {"refuse": 20, "exempt": []}})
    assert (await scene.edge.post("/api/v1/nodes/b/drain"))[0] == 202
    assert (await scene.edge.post("/api/v1/revocations", {"principal": "key:default/eve", "seconds": 600}))[0] == 201

    async def knock(address: str = "127.0.0.9") -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", scene.edge.port, local_addr=(address, 0))
        try:
            writer.write(b"nonsense\r\n\r\n")
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def barred() -> bool:
        return (await knock()) == b""
    await wait_until(barred, "the edge answers no more")
    await lineage.upgrade()
    assert await barred() and await knock("127.0.0.8")
    _, abuse = await scene.edge.get("/api/v1/abuse")
    assert abuse["sources"][0]["source"] == "127.0.0.9" and abuse["sources"][0]["standing"] == "barred"
    _, answer = await scene.edge.get("/api/v1/revocations")
    assert [row["name"] for row in answer["revocations"]] == ["key:default/eve"]

    async def dialled() -> bool:
        return all(row["trunk"] for row in (await scene.edge.nodes()).values())
    await wait_until(dialled, "the nodes have dialled anew")
    assert {name: row["state"] for name, row in (await scene.edge.nodes()).items()} == {"a": "up", "b": "draining"}


async def test_connections_of_every_transport_go_on_over_tls_and_quic(scene: Scene, lineage: Lineage) -> None:
    scene.trunk("a", module="node_sdk")
    await scene.open(secure(scene))
    where = f"https://127.0.0.1:{scene.edge.port}/"

    async def call(transport: Transport, until: asyncio.Event) -> None:
        async with Caller(where, ca_file=ca_file(scene), transports=[transport], ping=2.0) as caller:
            while not until.is_set():
                await caller.say(2)
                await asyncio.sleep(0.02)
            await caller.answered()
            assert caller.gaps == []
            exactly_once(caller)
    until = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for transport in (Transport.HTTP3, Transport.HTTP3, Transport.HTTP2, Transport.HTTP1):
            group.create_task(call(transport, until))
        await asyncio.sleep(0.5)
        await lineage.upgrade()
        await asyncio.sleep(0.5)
        until.set()
    assert await scene.edge.metric("sbc_admissions_total", outcome="reattached") >= 4


@pytest.mark.parametrize("store", ["sqlite", pytest.param("redis", marks=needs_redis)], indirect=True)
async def test_what_a_process_that_is_killed_while_it_hands_over_still_has_goes_on_in_its_successor(
    scene: Scene, lineage: Lineage, store: dict[str, Any],
) -> None:
    scene.trunk("a", "b", module="node_sdk")
    # One session at a time, 20 a second: there is time to kill it.
    await scene.open({"edge": store, "drain": {"pace": 1}, "agents": {"tutor": {"durability": "sync"}}})
    clients = [Returner(scene.edge.url) for _ in range(24)]
    scene.clients += clients
    for client in clients:
        await client.open()
        await client.say(3)
        await client.answered()
    status, answer = await scene.edge.post("/api/v1/upgrade")
    assert status == 202, answer
    lineage.processes.append(int(answer["process"]))
    await wait_until(lambda: any(client.closed == (1012, "retry_after=0") for client in clients), "one has gone over")
    scene.edge.kill()
    for client in clients:
        await client.ended()
    await asyncio.gather(*(client.come_back(scene.edge) for client in clients))
    for client in clients:
        await client.say(2)
        await client.answered()
        exactly_once(client)
        assert client.lost == []
    assert len(await scene.edge.sessions()) == len(clients)
    log = scene.edge.log_file.read_text()
    assert store["store"].startswith("redis") or int(log.partition('"predecessor_lost","sessions":')[2].split("}")[0])
    owned = [(fact["session"], fact["epoch"]) for node in scene.nodes.values() for fact in node.history("owner")]
    assert len(owned) == len(set(owned)), "no epoch of a session has two owners"
