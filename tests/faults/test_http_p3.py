"""P3 over HTTP: a stale owner is not heard. P5: each is bounded by what it reads and writes itself."""

import asyncio
import hashlib
import json
import signal

import psutil

from tests.support.asking import Stream, asking, url, web
from tests.support.h2_client import H2Client
from tests.support.scene import Scene
from tests.support.wait import wait_until


async def test_an_owner_that_stood_still_is_not_heard_any_more(scene: Scene) -> None:
    scene.trunk("a", "b", module="node_http_trunk", checkpoint="message")
    await scene.open(web(scene))
    async with asking() as http:
        async def say(n: int, say: int) -> Stream:
            return Stream.opened(http, "POST", url(scene, "/talk"), headers={"X-Chat": "c"},
                                 data=json.dumps({"n": n, "say": say, "every": 0.02}))
        stream = await say(1, 150)
        await stream.has(5)
        owner = scene.nodes[stream.node]
        owner.signal(signal.SIGSTOP)
        try:
            await wait_until(lambda: stream.node != owner.name, "the other one goes on")
        finally:
            owner.signal(signal.SIGCONT)
        other = await say(10, 2)
        assert await stream.ended() == "whole"
        await other.ended()
    said = [event.json for event in stream.events]
    assert [one["i"] for one in said] == list(range(150))
    assert [one["epoch"] for one in said] == sorted(one["epoch"] for one in said)
    assert {event.json["sum"] for event in other.events} == {11}


async def test_a_plain_owner_that_stood_still_cannot_answer_late(scene: Scene) -> None:
    a, b = scene.plain("a", "b", module="node_http")
    await scene.open(web(scene, protocol="opaque"))
    async with asking() as http:
        first = Stream.opened(http, "GET", url(scene, "/ask"), headers={"X-Chat": "c"})
        await first.ended()
        owner, heir = (a, b) if first.json["node"] == "a" else (b, a)
        late = Stream.opened(http, "GET", url(scene, "/ask?after=0.3&n=9"), headers={"X-Chat": "c"})
        await wait_until(lambda: any(fact["n"] == "9" for fact in owner.history("heard")), "it is sent")
        owner.signal(signal.SIGSTOP)
        try:
            await late.ended()
        finally:
            owner.signal(signal.SIGCONT)
        assert (late.status, late.json["node"]) == (200, heir.name)
        after = Stream.opened(http, "GET", url(scene, "/ask"), headers={"X-Chat": "c"})
        await after.ended()
        assert after.json["node"] == heir.name


# P5.


async def test_a_client_that_does_not_read_stops_its_node_and_nobody_else(scene: Scene) -> None:
    node, = scene.plain("a", module="node_http")
    await scene.open(web(scene, protocol="opaque"))
    process = psutil.Process(scene.edge.pid)
    before = process.memory_info().rss
    h2 = await H2Client.connect(scene.edge.port, take=False)
    h2.h2.increment_flow_control_window(2**24)  # of the connection: what is full is the one stream
    slow = await h2.ask(b"/bytes?size=100000000", more=[(b"x-chat", b"slow")])
    reader, writer = await asyncio.open_connection("127.0.0.1", scene.edge.port, limit=1)
    writer.write(b"GET /bytes?size=100000000 HTTP/1.1\r\nHost: edge.test\r\nX-Chat: s1\r\n\r\n")
    quick = await h2.ask(b"/ask", more=[(b"x-chat", b"quick")])
    await h2.until(lambda: h2.answers[quick].complete, "a quick answer")

    def sent() -> int:
        return int(sum(fact["octets"] for fact in node.history("sent")[-1:]))
    last = -1
    while last != sent():
        last = sent()
        await asyncio.sleep(0.3)
    assert sum(1 for _ in node.history("sent")) * 16_384 < 40_000_000, "the node went on although nobody reads"
    assert process.memory_info().rss - before < 24 * 1024 * 1024
    async with asking() as http:
        other = Stream.opened(http, "GET", url(scene, "/bytes?size=3000000"), headers={"X-Chat": "o"})
        assert await other.ended() == "whole" and len(other.body) == 3_000_000
    assert not h2.answers[slow].complete
    h2.drop()
    writer.transport.abort()
    del reader


async def test_a_node_that_takes_an_upload_slowly_slows_the_client(scene: Scene) -> None:
    scene.plain("a", module="node_http")
    await scene.open(web(scene, protocol="opaque"))
    process = psutil.Process(scene.edge.pid)
    async with asking() as http:
        small = b"y" * 300_000
        answer = Stream.opened(http, "PUT", url(scene, "/digest"), headers={"X-Chat": "c"}, data=small)
        await answer.ended()
        assert answer.json == {"length": len(small), "digest": hashlib.sha256(small).hexdigest()}
        given, before = 0, process.memory_info().rss

        async def flood() -> "asyncio.AsyncIterator[bytes]":  # type: ignore[name-defined]
            nonlocal given
            for _ in range(600):
                given += 65_536
                yield b"x" * 65_536
        slow = Stream.opened(http, "POST", url(scene, "/digest?rate=500000"), headers={"X-Chat": "c"}, data=flood())
        last = -1
        while given != last:
            last = given
            await asyncio.sleep(0.1)
        assert given < 30_000_000, "the client was let go on"
        assert process.memory_info().rss - before < 16 * 1024 * 1024
        assert slow.end == ""
