"""P1 over HTTP/3: connections, streams and WebSockets of a client outlive the node, on both engines."""

import asyncio

import pytest

from sbc.sdk.client import Transport
from tests.support.asking import Stream, url, web
from tests.support.caller import Caller
from tests.support.oracle import exactly_once
from tests.support.quic import ENGINES, asking_over, ca_file, secure
from tests.support.scene import Scene
from tests.support.wait import wait_until

OTHER = {"qh3": "aioquic", "aioquic": "qh3"}
"""The library of the client for an engine of the edge: never its own."""


@pytest.mark.parametrize("engine", ENGINES)
async def test_streams_go_on_behind_the_last_id_and_requests_are_answered_by_others(scene: Scene, engine: str) -> None:
    scene.plain("a", "b", module="node_http")
    await scene.open(secure(scene, web(scene), engine=engine))
    path = "/events?ids&count=60&every=0.02"
    async with asking_over(OTHER[engine], scene) as http:
        streams = [Stream.opened(http, "GET", url(scene, path), headers={
            "X-Chat": f"{number}", "Accept": "text/event-stream"}) for number in range(3)]
        for stream in streams:
            await stream.has(5)
        for victim in scene.nodes.values():
            asked = Stream.opened(http, "GET", url(scene, f"/ask?after=0.3&n={victim.name}"), headers={"X-Chat": "0"})
            await wait_until(lambda victim=victim: any(fact["n"] == victim.name for node in scene.nodes.values()
                                                       for fact in node.history("heard")), "it is sent")
            victim.kill()
            for stream in streams:
                await stream.has(min(60, len(stream.events) + 10))
            assert await asked.ended() == "whole" and asked.status == 200
            victim.start()
            await scene.edge.sees(victim)
        for stream in streams:
            assert await stream.ended() == "whole"
            assert [event.json["i"] for event in stream.events] == list(range(1, 61))
        assert http.client.closed is None
    assert await scene.edge.metric("sbc_handovers_total", cause="failover", outcome="moved") >= 3


@pytest.mark.parametrize("engine", ENGINES)
async def test_an_answer_that_nobody_can_go_on_with_is_never_taken_for_whole(scene: Scene, engine: str) -> None:
    scene.plain("a", module="node_http")
    await scene.open(secure(scene, web(scene, protocol="opaque"), engine=engine))
    async with asking_over(OTHER[engine], scene) as http:
        streams = [Stream.opened(http, "GET", url(scene, f"/bytes?size=2000000&every=0.02{framing}"),
                                 headers={"X-Chat": "c"}) for framing in ("", "&length")]
        for stream in streams:
            await wait_until(lambda stream=stream: len(stream.body) > 20_000, "it is begun")
        scene.nodes["a"].kill()
        for stream in streams:
            assert await stream.ended() == "cut"
        scene.nodes["a"].start()
        await scene.edge.sees(scene.nodes["a"])
        again = Stream.opened(http, "GET", url(scene, "/ask"), headers={"X-Chat": "d"})
        assert await again.ended() == "whole", "the connection stands"


@pytest.mark.parametrize("engine", ENGINES)
async def test_websockets_are_not_disconnected_when_their_owner_is_killed(scene: Scene, engine: str) -> None:
    scene.trunk("a", "b", checkpoint="message")
    await scene.open(secure(scene, engine=engine))
    callers = [Caller(f"https://localhost:{scene.edge.port}/", ca_file=ca_file(scene), transports=[Transport.HTTP3])
               for _ in range(4)]
    async with callers[0], callers[1], callers[2], callers[3]:
        for caller in callers:
            await caller.say(40, every=0.01)
            await caller.has(3)
        scene.owner(callers[0]).kill()
        for caller in callers:
            await caller.say(2, pad=5000, ballast=5000)
        await asyncio.gather(*(caller.answered() for caller in callers))
        for caller in callers:
            exactly_once(caller)
    assert await scene.edge.metric("sbc_admissions_total", outcome="reattached") == 0
    assert await scene.edge.metric("sbc_handovers_total", cause="failover", outcome="moved") >= 1
