"""P2 over HTTP: every request is processed once, every event comes once and in order, whoever dies meanwhile."""

import json

import pytest

from tests.support.asking import Stream, asking, url, web
from tests.support.chat import Chat, through_deaths
from tests.support.scene import Scene
from tests.support.wait import wait_until


@pytest.mark.parametrize(("checkpoint", "output", "standby"), [
    ("never", "continue", "cold"), ("answer", "regenerate", "cold"), ("message", "continue", "warm")])
async def test_owners_are_killed_one_after_the_other_in_the_middle_of_answers(
        scene: Scene, checkpoint: str, output: str, standby: str) -> None:
    scene.trunk("a", "b", "c", module="node_http_trunk", checkpoint=checkpoint)
    await scene.open(web(scene, output=output, standby=standby))
    async with asking() as http:
        chats = await through_deaths(scene, http)
        for chat in chats:
            chat.exactly_once()
    assert await scene.edge.metric("sbc_handovers_total", cause="failover", outcome="moved") >= len(chats)
    assert await scene.edge.metric("sbc_unknown_messages_total") == 0
    if checkpoint == "never":
        told = [fact for node in scene.nodes.values() for fact in node.history("heard")]
        assert any(fact["whole"] for fact in told), "a node is told what the client has whole"
    if output == "regenerate":
        assert await scene.edge.metric("sbc_suppressed_messages_total") > 0


async def test_answers_side_by_side_are_each_gone_on_with_where_they_stood(scene: Scene) -> None:
    scene.trunk("a", "b", module="node_http_trunk", checkpoint="message", side_by_side=1)
    await scene.open(web(scene))
    async with asking() as http:
        chat = Chat(scene, http, "c")
        first = chat.say(250, every=0.01)
        await first.has(2)
        for count in (80, 100, 60):
            stream = chat.say(count, every=0.02)
            await stream.has(1)  # they are taken in this order
        for _ in range(2):
            await first.has(len(first.events) + 4)
            owner = scene.nodes[first.node]
            owner.kill()
            await wait_until(lambda owner=owner: first.node != owner.name, "the other one goes on")
            owner.start()
            await scene.edge.sees(owner)
        await chat.ended()
        chat.exactly_once()


async def test_a_client_that_gives_up_in_the_middle_holds_up_no_checkpoint(scene: Scene) -> None:
    scene.trunk("a", "b", module="node_http_trunk", checkpoint="answer")
    await scene.open(web(scene))
    async with asking() as http:
        chat = Chat(scene, http, "c")
        await chat.say(3).ended()
        given_up = Stream.opened(http, "POST", url(scene, "/talk"), headers={"X-Chat": "c"},
                                 data=json.dumps({"n": 10, "say": 500, "every": 0.01}))
        await given_up.has(5)
        await given_up.leave()
        session = await scene.only_session()
        answer = Stream.opened(http, "POST", url(scene, "/talk"), headers={"X-Chat": "c"},
                               data=json.dumps({"n": 100, "say": 2}))
        await answer.ended()
        assert [event.json["sum"] for event in answer.events] == [111, 111]

        async def covered() -> bool:
            return bool(((await scene.edge.session(session))["checkpoint"] or {}).get("received") == 3)
        await wait_until(covered, "the last checkpoint is taken")
        scene.nodes[answer.node].kill()
        last = Stream.opened(http, "POST", url(scene, "/talk"), headers={"X-Chat": "c"},
                             data=json.dumps({"n": 1000, "say": 1}))
        await last.ended()
        assert [event.json["sum"] for event in last.events] == [1111]


async def test_an_owner_that_was_started_anew_says_that_it_knows_nothing(scene: Scene) -> None:
    scene.trunk("a", module="node_http_trunk")
    await scene.open(web(scene))
    async with asking() as http:
        chat = Chat(scene, http, "c")
        await chat.say(2).ended()
        scene.nodes["a"].kill()
        scene.nodes["a"].start()
        await scene.nodes["a"].serving()
        await chat.say(3).ended()
        chat.exactly_once()


async def test_plain_nodes_get_an_unsafe_request_once_and_its_client_is_told_that_nobody_knows(scene: Scene) -> None:
    a, b = scene.plain("a", "b", module="node_http")
    await scene.open(web(scene, protocol="opaque"))
    async with asking() as http:
        first = Stream.opened(http, "POST", url(scene, "/ask?n=1"), headers={"X-Chat": "c"}, data=b"{}")
        await first.ended()
        owner = scene.nodes[first.json["node"]]
        posted = Stream.opened(http, "POST", url(scene, "/ask?n=2&after=30"), headers={"X-Chat": "c"}, data=b"{}")
        asked = Stream.opened(http, "GET", url(scene, "/ask?n=3&after=0.4"), headers={"X-Chat": "c"})
        await wait_until(lambda: {fact["n"] for fact in owner.history("heard")} >= {"2", "3"}, "both are sent")
        owner.kill()
        await posted.ended()
        assert (posted.status, posted.headers["session-outcome"]) == (502, "unknown")
        assert posted.json["error"]["code"] == "outcome_unknown"
        await asked.ended()
        assert asked.status == 200 and asked.json["node"] != owner.name, "what is safe is asked again"
        after = Stream.opened(http, "POST", url(scene, "/ask?n=4"), headers={"X-Chat": "c"}, data=b"{}")
        await after.ended()
        assert after.status == 200
    given = [fact["n"] for node in (a, b) for fact in node.history("heard")]
    assert sorted(given) == ["1", "2", "3", "3", "4"]
    assert await scene.edge.metric("sbc_unknown_messages_total") == 1
    row, = await scene.edge.sessions()
    assert (await scene.edge.session(row["session"]))["record"]["unknown"] == 1


async def test_requests_that_nobody_was_sent_wait_for_the_next_owner(scene: Scene) -> None:
    scene.plain("a", "b", module="node_http")
    await scene.open(web(scene, protocol="opaque"))
    async with asking() as http:
        first = Stream.opened(http, "POST", url(scene, "/ask"), headers={"X-Chat": "c"}, data=b"{}")
        await first.ended()
        for node in scene.nodes.values():
            node.kill()
        await scene.edge.sees(*scene.nodes.values(), state="down")
        held = [Stream.opened(http, "POST", url(scene, f"/ask?n={number}"), headers={"X-Chat": "c"}, data=b"{}")
                for number in range(3)]
        async def waits() -> bool:
            return bool((await scene.edge.sessions())[0]["state"] == "held")
        await wait_until(waits, "the session is held")
        scene.nodes["a"].start()
        for stream in held:
            await stream.ended()
            assert stream.status == 200, stream
    assert len([fact for fact in scene.nodes["a"].history("heard") if fact["n"]]) == 3
