"""P3 over HTTP: a stale owner is not heard."""

import json
import signal

from tests.support.asking import Stream, asking, url, web
from tests.support.edge import HURRIED
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
    await scene.open(web(scene, protocol="opaque") | HURRIED)
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
