"""Two workers: what a client asks at one of a session that the other one has is answered as if it had come there."""

import asyncio
import contextlib
import hashlib
import itertools
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sbc.sdk.client import Transport
from tests.cluster.test_workers import pids
from tests.faults.test_quic_webtransport import Transporter
from tests.support.asking import HEADER, Stream, asking, url, web
from tests.support.caller import Caller
from tests.support.clients import Talker
from tests.support.oracle import exactly_once
from tests.support.quic import ca_file, secure
from tests.support.scene import Scene
from tests.support.wait import wait_until

MEGABYTE = 1024 * 1024


async def two_workers(scene: Scene) -> None:
    """An edge of two workers; requests go to `a` and `b`, WebSockets below /talk to `w`."""
    web_nodes = scene.plain("a", "b", module="node_http")
    [talker] = scene.plain("w")
    changes = web(scene, protocol="opaque", hold="60s")
    changes["pools"] = {name: {"nodes": [
        {"name": node.name, "url": f"http://127.0.0.1:{node.port}"} for node in nodes]}
        for name, nodes in (("tutors", web_nodes), ("talkers", [talker]))}
    changes["agents"]["talker"] = {"pool": "talkers", "migration": {"hold": "60s"}}
    changes["routes"].append({"match": {"path": "/talk"}, "agent": "talker", "protocol": "opaque",
                              "policy": "default", "session": HEADER})
    changes["edge"] = {"workers": 2}
    await scene.open(changes)


async def forwarded(scene: Scene, way: str = "request") -> float:
    return await scene.edge.metric("sbc_forwarded_total", way=way)


@contextlib.asynccontextmanager
async def astray(scene: Scene, **headers: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A client whose one connection is at the worker that does not have its session."""
    async with contextlib.AsyncExitStack() as stack:
        while True:
            http = await stack.enter_async_context(asking())
            before = await forwarded(scene)
            async with http.get(url(scene, "/ask"), headers=headers) as answer:
                assert answer.status == 200
                await answer.read()
            if await forwarded(scene) > before:
                yield http
                return


def workers(scene: Scene) -> list[int]:
    """The processes of the edge's workers."""
    return [int(pid) for pid in Path(f"/proc/{scene.edge.pid}/task/{scene.edge.pid}/children").read_text().split()]


def memory(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def ask(http: aiohttp.ClientSession, scene: Scene, path: str = "/ask", **headers: str) -> tuple[Any, Any]:
    async with http.get(url(scene, path), headers=headers) as answer:
        text = await answer.read()
        assert answer.status == 200, text
        return json.loads(text), answer.headers


async def test_requests_find_their_session_at_whatever_worker_they_come_in(scene: Scene) -> None:
    await two_workers(scene)
    # Two first requests of a key make one session, wherever they come in.
    async def first(number: int) -> str:
        async with asking(f"127.0.0.{2 + number % 2}") as http:
            said, _ = await ask(http, scene, **{"X-Chat": "same", "Sbc-Hop": '["127.0.0.9",true,"plain",""]'})
            assert "sbc-hop" not in said["told"]
            return str(said["told"]["session-id"])
    async with asking() as anywhere:
        own, given = await ask(anywhere, scene, **{"X-Chat": "mine"})
        minted, made = await ask(anywhere, scene, "/mint?by=header")
    numbers = set()
    for _ in range(8):
        async with asking() as http:
            for before, shown in ((own, {"X-Chat": "mine"}), (own, {"Session-Id": given["Session-Id"]}),
                                  (minted, {"X-Chat": made["X-Chat"]})):
                after, _ = await ask(http, scene, **shown)
                assert (after["node"], after["told"]["session-id"]) == (before["node"], before["told"]["session-id"])
                assert after["told"]["x-forwarded-for"] == "127.0.0.1"
                numbers.add((before["node"], after["told"]["session-message"], after["told"]["session-id"]))
    assert len(numbers) == 24 and await forwarded(scene) > 0, "each of them was one more of its session"
    sessions = await asyncio.gather(*(first(number) for number in range(12)))
    # Principals are addresses here, and each has a session of its own of this key.
    assert len(set(sessions)) == 2
    assert {row["session"] for row in await scene.edge.sessions()} >= set(sessions)
    async with astray(scene, **{"X-Chat": "mine"}) as http:
        # What is said is passed on both ways as it comes, and as fast as it is taken.
        body = os.urandom(3 * MEGABYTE)
        async with http.post(url(scene, "/digest?rate=12000000"), data=body, headers={"X-Chat": "mine"}) as answer:
            assert await answer.json() == {"length": len(body), "digest": hashlib.sha256(body).hexdigest()}
        events = Stream.opened(http, "GET", url(scene, "/events?count=200&pad=1000"), headers={"X-Chat": "mine"})
        assert await events.ended() == "whole"
        assert [event.json["i"] for event in events.events] == list(range(1, 201))
        before = [memory(pid) for pid in workers(scene)]
        async with http.get(url(scene, f"/bytes?size={80 * MEGABYTE}"), headers={"X-Chat": "mine"}) as answer:
            await asyncio.sleep(0.7)  # it is not read: what both workers hold of it is bounded
            grown = [memory(pid) - was for pid, was in zip(workers(scene), before, strict=True)]
            assert max(grown) < 12 * MEGABYTE, grown
            answer.close()
    async with astray(scene, **{"X-Chat": "mine"}) as http:  # who is stopped waits for what others answer
        late = Stream.opened(http, "POST", url(scene, "/ask?after=0.7"), headers={"X-Chat": "mine"}, data=b"x")
        await wait_until(lambda: heard(scene, "after=0.7"), "the node has the request")
        assert await scene.edge.stop() == 0 and await late.ended() == "whole" and late.status == 200
    assert "Traceback" not in scene.edge.log()


async def talking_astray(scene: Scene) -> Talker:
    """A client whose WebSocket is at the worker that does not have its session."""
    for number in range(40):
        client = await scene.client("talk", X_Chat=f"talk-{number}")
        if await forwarded(scene, "websocket"):
            return client
    raise AssertionError("no WebSocket came in at the other worker")


async def test_a_websocket_and_an_owner_that_is_killed(scene: Scene) -> None:
    await two_workers(scene)
    client = await talking_astray(scene)
    await client.say(3, pad=200_000)
    await client.answered()
    rows = [row for row in await scene.edge.sessions() if row["agent"] == "talker"]
    first = client.socket
    await client.reattach()  # wherever it comes in, the former connection is told so
    assert first is not None
    await wait_until(lambda: first.close_code is not None, "the former connection is closed")
    assert first.close_code == 4409
    await client.drop()
    while True:  # until it is astray again
        before = await forwarded(scene, "websocket")
        await client.reattach()
        if await forwarded(scene, "websocket") > before:
            break
        await client.drop()
    await client.say(2)
    await client.answered()
    exactly_once(client)
    stranger = await scene.client("talk", opened=False)
    stranger.token = (client.token or "")[:-4] + "AAAA"
    with pytest.raises(Exception, match="403"):
        await stranger.reattach()
    assert len([row for row in await scene.edge.sessions() if row["agent"] == "talker"]) == len(rows)
    await owner_killed(scene, client)
    assert "Traceback" not in scene.edge.log()


async def owner_killed(scene: Scene, client: Talker) -> None:
    """A worker dies: streams of its sessions are cut, outcomes are unknown, and whoever comes next waits for it."""
    home = _home("talker", "address:127.0.0.1", client.headers["X-Chat"])
    key = next(key for key in map(str, range(99)) if _home("tutor", "address:127.0.0.1", "route", key) == home)
    headers = {"X-Chat": key}
    async with astray(scene, **headers) as http, astray(scene, **headers) as other:
        events = Stream.opened(http, "GET", url(scene, "/events?count=1000&every=0.02"), headers=headers)
        waiting = Stream.opened(other, "POST", url(scene, "/ask?after=20"), headers=headers, data=b"x")
        await events.has(5)
        await wait_until(lambda: heard(scene, "after=20"), "the node has the request")
        os.kill(pids(scene.edge)[home], signal.SIGKILL)
        assert await events.ended() == "cut"
        await waiting.ended()
        assert (waiting.status, waiting.headers["session-outcome"]) == (502, "unknown")
        assert (await client.ended())[0] == 1006
        async with http.get(url(scene, "/ask"), headers=headers) as answer:  # it waits for the worker to be there again
            assert answer.status == 200, await answer.read()


def heard(scene: Scene, query: str) -> bool:
    return any(query in str(fact.get("target")) for node in ("a", "b") for fact in scene.nodes[node].history())


def _home(*named: str) -> int:
    """At which of two workers a session is at home that these name."""
    return int(hashlib.sha256("\n".join(named).encode()).hexdigest()[:8], 16) % 2


async def over_quic(scene: Scene, talker: Transporter) -> None:
    """Come back until the connection is at the worker that does not have the session."""
    while True:
        before = await forwarded(scene, "websocket")
        await talker.open(token=talker.token)
        if await forwarded(scene, "websocket") > before:
            return
        talker.client.drop()
        talker.take()


async def test_clients_of_every_transport_are_served_by_another_worker(scene: Scene) -> None:
    scene.plain("w")
    route = {"match": {"path": "/"}, "agent": "tutor", "protocol": "opaque", "policy": "default", "session": HEADER}
    await scene.open(secure(scene, {"edge": {"workers": 2}, "routes": [route]}))
    place, keys = f"wss://127.0.0.1:{scene.edge.port}/", itertools.count()
    for transport in (Transport.HTTP1, Transport.HTTP2, Transport.HTTP3):
        before = await forwarded(scene, "websocket")
        while await forwarded(scene, "websocket") == before:
            async with Caller(place, ca_file=ca_file(scene), transports=[transport], ping=2.0,
                              headers={"X-Chat": str(next(keys))}) as caller:
                await caller.say(20, pad=30_000)
                await caller.answered()
                exactly_once(caller)
    talker = Transporter(scene, "aioquic")
    await talker.open()
    await talker.say(2)
    await talker.answered()
    talker.client.drop()
    await over_quic(scene, talker)
    await talker.say(5, pad=100_000)
    await talker.answered()
    exactly_once(talker)
    talker.client.close()
    assert "Traceback" not in scene.edge.log()
