"""Several workers as one edge: processes that are killed, loop, reload; nodes dial once, and operators ask once."""

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from typing import Any

import aiohttp
import psutil
from websockets.asyncio.client import connect

from tests.support.clients import InvalidStatus, Talker
from tests.support.edge import Edge, free_port
from tests.support.oracle import exactly_once
from tests.support.redis import Redis, needs_redis
from tests.support.scene import Scene
from tests.support.wait import STARTING, wait_until

REPLAYED = {"tutor": {"migration": {"replay": "all", "output": "regenerate", "hold": "10s"}}}


TOLD = 1.0
"""Seconds within which workers have told each other what they count, for they do so every tenth of one."""


def crew(**edge: Any) -> dict[str, Any]:
    """Two workers."""
    return {"edge": {"workers": 2, **edge}}


def pids(edge: Edge) -> dict[int, int]:
    """The process of each worker that serves, as the log has it."""
    found = {}
    for line in edge.log_file.read_text().splitlines():
        with suppress(ValueError):
            said = json.loads(line)
            if said["event"] == "worker_ready":
                found[said["worker"]] = said["pid"]
    return found


async def spread(edge: Edge) -> dict[int, list[str]]:
    """The sessions of each worker."""
    found: dict[int, list[str]] = {0: [], 1: []}
    for row in await edge.sessions("?limit=1000"):
        found[row["worker"]].append(row["session"])
    return found


async def _ended(lines: AsyncIterable[bytes], count: int) -> AsyncIterator[bytes]:
    """So many events of sessions that ended."""
    async for line in lines:
        if line.startswith(b"data:") and b'"session_ended"' in line:
            yield line
            count -= 1
            if not count:
                return


async def test_two_workers_are_one_edge_for_nodes_and_operators(scene: Scene) -> None:
    scene.trunk("a", "b")
    await scene.open(crew())
    clients = await scene.talking(16)
    at = await spread(scene.edge)
    assert at[0] and at[1], "the kernel spreads connections"
    assert await scene.edge.metric("sbc_dialogs", state="CONFIRMED") + await scene.edge.metric(
        "sbc_dialogs", state="confirmed") == 16
    assert await scene.edge.metric("sbc_messages_total", leg="client") == 16
    assert await scene.edge.metric("sbc_workers", state="ready") == 2
    assert await scene.edge.metric("sbc_nodes", state="up") == 2
    _, text = await scene.edge.get("/metrics")
    assert all(f'process_resident_memory_bytes{{worker="{who}"}}' in text for who in ("0", "1", "supervisor"))

    rows = await scene.edge.nodes()
    assert sum(row["sessions"] for row in rows.values()) == 16
    assert not any(row["elsewhere"] for row in rows.values())
    assert all(row["capacity"] == 2000 and row["trunk"] and row["checkpoints"] for row in rows.values())
    first = await scene.edge.sessions("?limit=7")
    then = await scene.edge.sessions(f"?limit=100&after={first[-1]['session']}")
    whole = [row["session"] for row in first + then]
    assert len(first) == 7 and whole == sorted(whole) and len(set(whole)) == 16
    assert (await scene.edge.get("/api/v1/sessions/nobody"))[0] == 404
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=STARTING)) as http, \
            http.get(f"http://127.0.0.1:{scene.edge.admin}/api/v1/events") as events:
        for worker in (0, 1):
            one = at[worker][0]
            assert (await scene.edge.session(one))["worker"] == worker
            assert (await scene.edge.get(f"/api/v1/sessions/{one}", "DELETE"))[0] == 200
        told = [json.loads(line[5:]) async for line in _ended(events.content, 2)]
    assert {event["worker"]: event["session"] for event in told} == {0: at[0][0], 1: at[1][0]}
    await wait_until(lambda: _count(scene.edge, 14), "two have ended")

    # A supervisor that stands still holds up no session, and makes no node look silent.
    os.kill(scene.edge.pid, signal.SIGSTOP)
    for client in clients[:8]:
        if client.open_still:
            await client.say(60, every=0.025)
    await asyncio.sleep(1.6)
    os.kill(scene.edge.pid, signal.SIGCONT)
    for client in clients[:8]:
        if client.open_still:
            await client.answered()
    assert '"node_down"' not in scene.edge.log_file.read_text()

    assert (await scene.edge.post("/api/v1/nodes/a/drain"))[0] == 202

    async def moved() -> bool:
        return all(row["owner"] == "tutors/b" for row in await scene.edge.sessions("?limit=100"))
    await wait_until(moved, "all have left the node, whichever worker they are at")
    going = [client for client in clients if client.open_still]
    assert len(going) == 14
    for client in going:
        await client.say(3)
    for client in going:
        await client.answered()
        exactly_once(client)
    assert await scene.edge.stop() == 0
    left = Counter(fact["session"] for node in scene.nodes.values() for fact in node.history("release"))
    assert len(left) == 16, "every seat was given back"
    assert "Traceback" not in scene.edge.log()


async def test_limits_hold_for_all_workers_and_none_outlives_the_supervisor(scene: Scene) -> None:
    scene.plain("a")
    await scene.open(crew() | {"policies": {"default": {"limits": {"sessions_per_principal": 13}}}})
    first = await scene.talking(12)
    at = await spread(scene.edge)
    assert at[0] and at[1]

    async def refused(tries: int) -> int:
        """Of so many who come one after the other."""
        refused = 0
        for _ in range(tries):
            client = await scene.client(opened=False)
            try:
                await client.open()
                await asyncio.sleep(TOLD)
            except InvalidStatus as refusal:
                refused += refusal.response.status_code == 429
        return refused
    await asyncio.sleep(TOLD)
    assert await refused(12) == 11
    await first[0].close()
    await wait_until(lambda: _count(scene.edge, 12), "one has left")
    await asyncio.sleep(TOLD)
    assert await refused(2) == 1
    assert len(await scene.edge.sessions()) == 13
    assert (await scene.edge.nodes())["a"]["sessions"] == 13
    # Workers do not outlive the supervisor, and tell their clients to come back.
    workers = [psutil.Process(pid) for pid in pids(scene.edge).values()]
    scene.edge.kill()
    assert (await first[1].ended())[0] == 1012
    await wait_until(lambda: not any(worker.is_running() for worker in workers), "the workers have ended")
    assert not await _answers(scene.edge.port)


async def _count(edge: Edge, count: int) -> bool:
    return len(await edge.sessions("?limit=1000")) == count


async def test_a_killed_worker_refuses_nobody_and_its_sessions_come_back(scene: Scene) -> None:
    scene.trunk("a", "b")
    await scene.open({**crew(store=f"sqlite:{scene.directory / 'sbc.db'}"), "agents": REPLAYED})
    clients = await scene.talking(12)
    at = await spread(scene.edge)
    assert at[0] and at[1]
    refused: list[str] = []
    stop = asyncio.Event()

    async def knock() -> None:
        """Come all the time: a connection may have to wait, but nobody may be turned away."""
        while not stop.is_set():
            try:
                async with connect(scene.edge.url, open_timeout=STARTING, proxy=None):
                    pass
            except Exception as error:
                refused.append(repr(error))
            await asyncio.sleep(0.02)

    knocking = [asyncio.create_task(knock()) for _ in range(3)]
    for client in clients:
        await client.say(40, every=0.02)
    await asyncio.sleep(0.3)  # in the middle of it
    before = pids(scene.edge)
    os.kill(before[1], signal.SIGKILL)
    await wait_until(lambda: pids(scene.edge)[1] != before[1], "it is started again", STARTING)
    await scene.edge.ready()
    stop.set()
    await asyncio.gather(*knocking)
    # Those whose request had been read by the worker that died saw it die; a connection is never refused.
    assert not [why for why in refused if "Refused" in why]
    gone = [client for client in clients if not client.open_still]
    assert len(gone) == len(at[1])
    assert pids(scene.edge)[0] == before[0]
    for client in gone:
        await client.come_again()
        await client.say(2)
    for client in clients:
        await client.answered()
        exactly_once(client)
    assert await scene.edge.metric("sbc_worker_restarts_total", worker="1") == 1
    assert await scene.edge.metric("sbc_worker_restarts_total", worker="0") == 0


async def test_a_worker_that_cannot_start_again_leaves_the_other_alone(scene: Scene) -> None:
    scene.plain("a")
    store = scene.directory / "sbc.db"
    await scene.open(crew(store=f"sqlite:{store}"))
    clients = await scene.talking(12)
    at = await spread(scene.edge)
    os.kill(pids(scene.edge)[1], signal.SIGKILL)
    (scene.directory / "sbc-1.db").rename(scene.directory / "away.db")
    (scene.directory / "sbc-1.db").mkdir()

    async def looping() -> bool:
        return await scene.edge.metric("sbc_workers", state="looping") == 1
    await wait_until(looping, "a crash loop is seen", STARTING)
    status, answer = await scene.edge.get("/readyz")
    assert status == 503 and "worker 1" in answer["error"]["message"]
    staying = [client for client in clients if client.open_still]
    assert len(staying) == len(at[0])
    for client in staying:
        await client.say()
        await client.answered()
    assert len(await scene.edge.sessions()) == len(at[0]), "those of the living are told"
    (scene.directory / "sbc-1.db").rmdir()
    (scene.directory / "away.db").rename(scene.directory / "sbc-1.db")
    await wait_until(lambda: _ready(scene.edge), "it serves again", STARTING)
    assert len(await scene.edge.sessions()) == 12


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _ready(edge: Edge) -> bool:
    return int((await edge.get("/readyz"))[0]) == 200


async def test_a_reload_holds_in_all_workers_or_in_none_and_orders_outlive_those_who_heard_them(
    scene: Scene,
) -> None:
    scene.plain("a", "b")
    await scene.open(crew())
    assert (await scene.edge.post("/api/v1/revocations", {"principal": "key:default/eve", "seconds": 600}))[0] == 201
    assert (await scene.edge.post("/api/v1/nodes/b/drain"))[0] == 202
    clients = await scene.talking(6)
    port = free_port()
    changes = crew() | {
        "listeners": [{"name": name, "listen": f"127.0.0.1:{at}", "transports": ["websocket"]}
                      for name, at in (("plain", scene.edge.port), ("more", port))],
        "agents": {"tutor": {"latency_ceiling": "9s"}},
    }  # fmt: skip
    key = scene.directory / "other.key"
    key.write_text("no key")
    scene.edge.configure(list(scene.nodes.values()), changes | crew(seal_keys=[{"id": "k2", "file": str(key)}]))
    assert (await scene.edge.post("/api/v1/reload"))[0] == 422
    assert await scene.edge.metric("sbc_config_reload_ok") == 0
    assert not await _answers(port)
    scene.edge.configure(list(scene.nodes.values()), changes | crew(workers=3))
    assert (await scene.edge.post("/api/v1/reload"))[0] == 422
    # A worker that does not come through it refuses for all.
    scene.edge.configure(list(scene.nodes.values()), changes)
    before = pids(scene.edge)
    os.kill(before[1], signal.SIGSTOP)
    reload = asyncio.create_task(scene.edge.post("/api/v1/reload"))
    await wait_until(lambda: _answers(port), "the reload has begun")
    os.kill(before[1], signal.SIGKILL)
    assert (await reload)[0] == 422
    assert not await _answers(port)
    await wait_until(lambda: pids(scene.edge)[1] != before[1], "it is started again", STARTING)
    await scene.edge.ready()
    for _ in range(8):
        clients.append(await scene.client())
    for row in await scene.edge.sessions():
        assert "latency_ceiling" not in (await scene.edge.session(row["session"]))["manifest"]

    status, answer = await scene.edge.post("/api/v1/reload")
    assert status == 200 and answer == {"changed": True, "opened": ["more"], "closed": []}
    assert await scene.edge.metric("sbc_config_reloads_total", outcome="applied") == 1
    assert await scene.edge.metric("sbc_config_reloads_total", outcome="rejected") == 3
    assert await scene.edge.metric("sbc_config_reload_ok") == 1
    others = [await scene.client() for _ in range(12)]
    for client in others[6:]:
        await client.close()
        client.url = f"ws://127.0.0.1:{port}/"
        await client.open()
    for worker, sessions in (await spread(scene.edge)).items():
        manifests = [(await scene.edge.session(session))["manifest"] for session in sessions]
        assert any("latency_ceiling" in manifest for manifest in manifests), f"of a new session at worker {worker}"
    os.kill(pids(scene.edge)[0], signal.SIGKILL)
    await wait_until(lambda: len(pids(scene.edge)) == 2 and _ready(scene.edge), "it is started again", STARTING)
    # Of those who heard the orders nobody lives any more.
    _, answer = await scene.edge.get("/api/v1/revocations")
    assert [row["name"] for row in answer["revocations"]] == ["key:default/eve"]
    assert (await scene.edge.nodes())["b"]["state"] == "draining"
    fresh = Talker(f"ws://127.0.0.1:{port}/")
    await fresh.open()
    await fresh.close()
    scene.edge.configure(list(scene.nodes.values()), crew())
    assert (await scene.edge.post("/api/v1/reload"))[1]["closed"] == ["more"]
    assert not await _answers(port)
    for client in clients:
        if client.open_still:
            await client.say()
            await client.answered()


@needs_redis
async def test_each_worker_has_a_lease_of_its_own_in_a_shared_store(scene: Scene, redis: Redis) -> None:
    scene.trunk("a", "b")
    store = crew(store=redis.url, redis={"lease": "20s", "patience": "500ms"})
    await scene.open({**store, "agents": REPLAYED})
    clients = await scene.talking(12)
    at = await spread(scene.edge)
    assert at[0] and at[1]
    async def one_edge() -> bool:
        rows = (await scene.edge.get("/api/v1/edges"))[1]["edges"]
        return [(row["edge"], row["here"]) for row in rows] == [("edge-t", True)]
    await wait_until(one_edge, "they are one edge")
    await scene.edge.kept()
    before = pids(scene.edge)
    os.kill(before[0], signal.SIGKILL)
    await wait_until(lambda: sum(not client.open_still for client in clients) == len(at[0]), "those see it")
    gone = [client for client in clients if not client.open_still]
    for client in gone:
        await client.come_again()
    for client in clients:
        await client.say(2)
        await client.answered()
        exactly_once(client)
    assert len(await scene.edge.sessions()) == 12
    assert "Traceback" not in scene.edge.log()
