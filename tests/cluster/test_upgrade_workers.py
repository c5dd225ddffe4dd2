"""An edge of two workers is succeeded by another one: what tests/cluster/test_upgrade.py has of one process holds,
wherever a session is at home."""

import asyncio
from contextlib import suppress
from functools import partial
from socket import AF_UNIX, SOCK_DGRAM, SOCK_NONBLOCK, socket
from typing import Any

import pytest

from sbc.sdk.client import Transport
from tests.cluster import test_forwarding_workers as forwarded
from tests.cluster.test_upgrade import Lineage, arrive, ask, lineage, listen, store, talk
from tests.cluster.test_workers import pids, spread
from tests.support.asking import Stream, asking, url, web
from tests.support.caller import Caller
from tests.support.clients import Talker
from tests.support.oracle import exactly_once
from tests.support.quic import ca_file, secure
from tests.support.redis import needs_redis
from tests.support.returning import Returner
from tests.support.scene import Scene
from tests.support.wait import wait_until

__all__ = ["lineage", "store"]


@pytest.mark.parametrize("store", ["memory", pytest.param("redis", marks=needs_redis)], indirect=True)
async def test_sessions_of_all_workers_go_on_exactly_once_and_nobody_is_refused(
    scene: Scene, lineage: Lineage, store: dict[str, Any],
) -> None:
    scene.trunk("a", "b", module="node_sdk")
    await scene.open({"edge": {"workers": 2} | store})
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
        await wait_until(lambda: len(came) > before, "somebody came")
        until.set()
    for client in clients:
        if not client.open_still:
            await client.come_back(scene.edge)
        await client.say()
        await client.answered()
        assert client.lost == []
        exactly_once(client)
    assert sum(map(len, (await spread(scene.edge)).values())) == len(clients)
    assert await scene.edge.metric("sbc_upgrades_total", outcome="succeeded") == 1
    assert all(row["trunk"] and row["state"] == "up" for row in (await scene.edge.nodes()).values())
    log = scene.edge.log_file.read_text()
    assert "Traceback" not in log and '"worker_lost"' not in log


async def test_no_request_on_a_kept_connection_fails_wherever_its_session_is(
    scene: Scene, lineage: Lineage, monkeypatch: pytest.MonkeyPatch,
) -> None:
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK)
    manager.bind(str(scene.directory / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(scene.directory / "notify"))
    scene.plain("a", module="node_http")
    await scene.open(web(scene) | {"edge": {"workers": 2}})
    until = asyncio.Event()
    async with asking() as http, asyncio.TaskGroup() as group:
        askers = [group.create_task(ask(http, scene, number, until)) for number in range(6)]
        group.create_task(listen(http, scene))
        await asyncio.sleep(0.3)
        await lineage.upgrade()
        until.set()
    assert sum(asker.result() for asker in askers) >= 2, "connections end with an answer"
    with manager:
        told = _told(manager)
    assert told.count(b"READY=1") == 2 and b"STOPPING" not in told
    assert told.split(b"READY=1")[1].count(b"MAINPID=%d\n" % lineage.processes[0]) == 1


async def test_quic_connections_of_all_workers_go_on_until_their_sessions_go_over(
    scene: Scene, lineage: Lineage,
) -> None:
    scene.trunk("a", module="node_sdk")
    await scene.open(secure(scene, {"edge": {"workers": 2}}))
    where = f"https://127.0.0.1:{scene.edge.port}/"

    async def call(transport: Transport, until: asyncio.Event) -> None:
        async with Caller(where, ca_file=ca_file(scene), transports=[transport], ping=2.0) as caller:
            while not until.is_set():
                await caller.say(2)
                await asyncio.sleep(0.05)
            await caller.answered()
            assert caller.gaps == []
            exactly_once(caller)
    until = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(call(Transport.HTTP2, until))
        for number in range(2, 14):
            group.create_task(call(Transport.HTTP3, until))
            await wait_until(partial(_has, scene, number), "one more has a session")
            if number > 3 and all((await spread(scene.edge)).values()):
                break
        await lineage.upgrade()
        await asyncio.sleep(0.3)
        until.set()
    assert await scene.edge.metric("sbc_admissions_total", outcome="reattached") >= 4


def _told(sock: socket) -> bytes:
    """All that the service manager was told."""
    told = b""
    with suppress(BlockingIOError):
        while True:
            told += sock.recv(1000) + b"\n"
    return told


async def _has(scene: Scene, number: int) -> bool:
    return len(await scene.edge.sessions()) == number


async def test_a_successor_that_fails_changes_nothing_in_any_worker(scene: Scene) -> None:
    scene.trunk("a", module="node_sdk")
    await scene.open({"edge": {"workers": 2}})
    clients = await scene.talking(6)
    before, written = pids(scene.edge), scene.edge.file.read_text()

    async def fails(text: str, why: str) -> None:
        scene.edge.write(text)
        status, answer = await scene.edge.post("/api/v1/upgrade")
        assert (status, answer["error"]["code"]) == (503, "upgrade_failed"), answer
        assert why in answer["error"]["message"]
    await fails("listeners: nonsense\n", "listeners")
    await fails(written.replace("workers: 2", "workers: 3"), "the edge runs with 2, and an upgrade cannot make that 3")
    await fails(written.replace("workers: 2", "workers: 1"), "an upgrade cannot make that 1")
    # What only a worker finds: its store cannot be opened.
    (scene.directory / "db").write_text("no directory")
    await fails(written.replace("store: 'memory:'", f"store: sqlite:{scene.directory}/db/sbc.db"), "worker ")
    scene.edge.write(written)
    for client in clients:
        await client.say()
        await client.answered()
        assert client.open_still
    assert pids(scene.edge) == before and (await scene.edge.get("/readyz"))[0] == 200
    assert await scene.edge.metric("sbc_upgrades_total", outcome="failed") == 4
    assert all(row["trunk"] for row in (await scene.edge.nodes()).values())
    assert await scene.edge.stop() == 0


async def test_a_key_that_a_node_made_leads_to_its_session_before_that_has_come_over(
    scene: Scene, lineage: Lineage,
) -> None:
    scene.plain("a", module="node_http")
    await scene.open(web(scene, protocol="opaque") | {"edge": {"workers": 2}})

    async def anew(**shown: str) -> str:
        async with asking() as http:
            return str((await forwarded.ask(http, scene, **shown))[0]["told"]["session-id"])
    async with asking() as http:
        minted, made = await forwarded.ask(http, scene, "/mint?by=header")
        shown = {"X-Chat": made["X-Chat"]}
        under_way = Stream.opened(http, "POST", url(scene, "/events?count=10000&every=0.05"), headers=shown, data=b"x")
        await under_way.has(2)
        status, answer = await scene.edge.post("/api/v1/upgrade")
        assert status == 202, answer
        lineage.processes.append(int(answer["process"]))
        again = [asyncio.create_task(anew(**shown)) for _ in range(6)]
        done, _ = await asyncio.wait(again, timeout=1.5)
        assert not done, "its session is where an answer is under way"
        await under_way.leave()
        assert {await one for one in again} == {minted["told"]["session-id"]}
