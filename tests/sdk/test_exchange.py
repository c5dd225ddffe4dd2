"""Agents that are spoken to over HTTP, against an edge written by hand from docs/DESIGN.md sections 5.3 and 5.4."""

import asyncio
from typing import Any

from aiohttp import web

from sbc.sdk import Exchange, Node
from tests.sdk.edge import Edge, joined, running
from tests.support.wait import wait_until


def headers(number: int, epoch: int = 1, *, resume: str = "", answered: str = "") -> dict[str, str]:
    told = {"Session-Id": "s", "Session-Epoch": str(epoch), "Session-Role": "owner", "Session-Message": str(number)}
    return told | ({"Session-Resume": resume} if resume else {}) | ({"Session-Answered": answered} if answered else {})


async def ask(edge: Edge, text: str, told: dict[str, str]) -> tuple[int, str, dict[str, str]]:
    async with edge.http.post(edge.leg_url, data=text, headers=told) as answer:
        return answer.status, await answer.text(), dict(answer.headers)


async def test_requests_are_taken_in_the_order_of_their_numbers(edge: Edge, node: Node) -> None:
    taken: list[str] = []

    @node.answers
    async def agent(exchange: Exchange) -> None:
        taken.append(exchange.text)
        await asyncio.sleep(0.05)
        await exchange.reply({"n": exchange.number})
        exchange.session.checkpoint("".join(taken))

    async with joined(edge, node):
        await edge.invite("s")
        late = [asyncio.create_task(ask(edge, text, headers(number))) for number, text in ((3, "c"), (2, "b"))]
        await asyncio.sleep(0.1)
        assert taken == []
        await ask(edge, "a", headers(1))
        await asyncio.gather(*late)
        assert taken == ["a", "b", "c"]
        word = await edge.word("checkpoint", 3)
        assert (word["received"], word["sent"], word["answers"], word["state"]) == (3, 3, {}, "abc")


async def test_a_new_owner_waits_for_what_is_under_way_and_goes_on_behind_what_was_said(edge: Edge, node: Node) -> None:
    seen: list[tuple[int, bool, int]] = []

    @node.answers
    async def agent(exchange: Exchange) -> None:
        seen.append((exchange.number, exchange.resumed, exchange.said))
        for number in range(exchange.said, 4):
            await exchange.send(f"{exchange.number}.{number}")

    async with joined(edge, node):
        await edge.invite("s", 3, checkpoint={"received": 5, "sent": 9, "state": "x"})
        resume = "received=5, sent=9, delivered=12, cause=failover, open=1"
        new = asyncio.create_task(ask(edge, "", headers(7, 3, resume=resume)))
        ghost = asyncio.create_task(ask(edge, "", headers(6, 3, resume=resume, answered="whole")))
        await asyncio.sleep(0.1)
        assert seen == [], "the fifth is to come again"
        _, rest, _ = await ask(edge, "", headers(5, 3, resume=resume, answered="messages=3, covered=1"))
        assert rest == "data: 5.3\n\n"
        assert (await ghost)[1] == ""
        assert (await new)[1].count("data:") == 4
        assert seen == [(5, True, 1), (6, False, 0), (7, False, 0)]


async def test_a_checkpoint_says_how_far_each_answer_has_come(edge: Edge, node: Node) -> None:
    go = asyncio.Event()

    @node.answers_side_by_side
    async def agent(exchange: Exchange) -> None:
        for _ in range(exchange.number):
            await exchange.send("x")
        if exchange.number == 3:
            exchange.session.checkpoint("")
        await go.wait()

    async with joined(edge, node):
        await edge.invite("s")
        tasks = [asyncio.create_task(ask(edge, "", headers(number))) for number in (1, 2, 3)]
        word = await edge.word("checkpoint")
        assert (word["received"], word["sent"], word["answers"]) == (3, 6, {"1": 1, "2": 2, "3": 3})
        go.set()
        await asyncio.gather(*tasks)


async def test_what_this_node_does_not_know_it_does_not_touch(edge: Edge, node: Node) -> None:
    @node.answers
    async def agent(exchange: Exchange) -> None:
        await exchange.reply("done")

    async with joined(edge, node):
        for told in (headers(2), headers(1, resume="received=3, sent=3, delivered=3, cause=failover"), {}):
            status, _, fields = await ask(edge, "", told)
            assert (status, fields["Session-Outcome"]) == (503, "not-sent")
        await edge.invite("s", 4)
        assert (await ask(edge, "", headers(1, 4)))[:2] == (200, "done")
        assert (await ask(edge, "", headers(2, 3)))[0] == 503, "an epoch that is over"
        await edge.tell("release", session="s", epoch=4, reason="moved")
        await wait_until(lambda: not node.sessions, "it is released")


async def test_a_node_that_stands_by_waits_for_its_promotion(edge: Edge, node: Node) -> None:
    @node.answers
    async def agent(exchange: Exchange) -> None:
        await exchange.reply(exchange.session.state or "")

    async with joined(edge, node):
        await edge.invite("s", 2, role="standby")
        resume = "received=1, sent=1, delivered=1, cause=promotion, open=0"
        request = asyncio.create_task(ask(edge, "", headers(2, 5, resume=resume)))
        await asyncio.sleep(0.1)
        assert not request.done()
        await edge.tell("promote", session="s", epoch=5, received=1, sent=1, delivered=1,
                        checkpoint={"received": 1, "sent": 1, "state": "kept"})
        assert (await request)[:2] == (200, "kept")


async def test_the_example_in_the_docstring(edge: Edge) -> None:
    from sbc.sdk import exchange as module  # noqa: PLC0415

    example = (module.__doc__ or "").split("\n\n", 2)[2].replace("\n    ", "\n").strip()
    lines = [line for line in example.split("\n") if not line.startswith("web.run_app")]
    names: dict[str, Any] = {"Node": Node, "Exchange": Exchange}
    exec("import json\n" + "\n".join(lines).replace("ws://127.0.0.1:9071/trunk", edge.trunk_url), names)
    node = names["node"]
    node.drain_for = 0.0
    app: web.Application = node.app()
    async with running(app) as port:
        edge.leg_url = f"http://127.0.0.1:{port}/"
        await wait_until(lambda: edge.trunks, "the trunk")
        await edge.invite("s", 2, checkpoint={"received": 1, "sent": 2, "state": '["a"]'})
        resume = "received=1, sent=2, delivered=2, cause=failover, open=1"
        _, rest, _ = await ask(edge, "a", headers(1, 2, resume=resume, answered="messages=2, covered=2"))
        assert rest == "data: 2: 1 messages so far\n\n"
        _, text, _ = await ask(edge, "b", headers(2, 2))
        assert text.endswith("data: 2: 2 messages so far\n\n")
