"""P2 over HTTP/3: every request is processed once, every event comes once, whoever dies meanwhile."""


import pytest

from tests.support.asking import Stream, url, web
from tests.support.chat import through_deaths
from tests.support.quic import asking_over, secure
from tests.support.scene import Scene
from tests.support.wait import wait_until


@pytest.mark.parametrize(("engine", "library", "checkpoint", "output"), [
    ("qh3", "aioquic", "never", "continue"), ("aioquic", "qh3", "answer", "regenerate")])
async def test_owners_are_killed_one_after_the_other_in_the_middle_of_answers(
        scene: Scene, engine: str, library: str, checkpoint: str, output: str) -> None:
    scene.trunk("a", "b", module="node_http_trunk", checkpoint=checkpoint)
    await scene.open(secure(scene, web(scene, output=output), engine=engine))
    async with asking_over(library, scene) as http:
        chats = await through_deaths(scene, http)
        for chat in chats:
            chat.exactly_once()
    assert await scene.edge.metric("sbc_handovers_total", cause="failover", outcome="moved") >= len(chats)
    assert await scene.edge.metric("sbc_unknown_messages_total") == 0


async def test_an_unsafe_request_is_sent_once_and_its_client_told_that_nobody_knows(scene: Scene) -> None:
    scene.plain("a", "b", module="node_http")
    await scene.open(secure(scene, web(scene, protocol="opaque")))
    async with asking_over("qh3", scene) as http:
        first = Stream.opened(http, "POST", url(scene, "/ask?n=1"), headers={"X-Chat": "c"}, data=b"{}")
        await first.ended()
        owner = scene.nodes[first.json["node"]]
        posted = Stream.opened(http, "POST", url(scene, "/ask?n=2&after=30"), headers={"X-Chat": "c"}, data=b"{}")
        asked = Stream.opened(http, "GET", url(scene, "/ask?n=3&after=0.4"), headers={"X-Chat": "c"})
        await wait_until(lambda: {fact["n"] for fact in owner.history("heard")} >= {"2", "3"}, "both are sent")
        owner.kill()
        await posted.ended()
        assert (posted.status, posted.headers["session-outcome"]) == (502, "unknown")
        await asked.ended()
        assert asked.status == 200 and asked.json["node"] != owner.name, "what is safe is asked again"
    given = [fact["n"] for node in scene.nodes.values() for fact in node.history("heard")]
    assert sorted(given) == ["1", "2", "3", "3"]
