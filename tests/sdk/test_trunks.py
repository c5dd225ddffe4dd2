"""A node with several edges: whom it dials and lets go of, and to whom it says what."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sbc.sdk import Exchange, Node, Session
from tests.sdk.edge import Edge, joined, listening, words
from tests.support.wait import wait_until


@pytest.fixture
async def other() -> AsyncIterator[Edge]:
    async with listening("edge-2") as edge:
        yield edge


def echo(node: Node) -> None:
    """The agent of these tests: says how many messages there were, and makes each durable."""
    @node.agent
    async def count(session: Session) -> None:
        seen = int(session.state or 0)
        async for _ in session:
            seen += 1
            await session.send(str(seen))
            session.checkpoint(str(seen))


def living(*edges: Edge) -> list[dict[str, str]]:
    return [{"edge": edge.name, "trunk": edge.trunk_url} for edge in edges]


async def test_it_dials_the_edges_that_are_named_and_lets_go_of_one_that_is_gone(
    edge: Edge, other: Edge, node: Node,
) -> None:
    async with joined(edge, node):
        await edge.tell("edges", edges=living(edge, other))
        await other.word("heartbeat", 2)
        assert len(edge.trunks) == 1, "the edge that names itself is not dialled again"
        await other.tell("edges", edges=living(edge, other))
        await edge.tell("edges", edges=living(edge))
        await edge.word("heartbeat", len([word for word in edge.heard if word["type"] == "heartbeat"]) + 3)
        assert not other.trunks[-1].closed, "as long as it is there, it is an edge"
        await other.trunks[-1].close()
        heard = len(other.heard)
        await edge.word("heartbeat", len([word for word in edge.heard if word["type"] == "heartbeat"]) + 5)
        assert len(other.heard) == heard and node.has_trunk


async def test_an_edge_that_comes_back_elsewhere_is_dialled_there(edge: Edge, other: Edge, node: Node) -> None:
    async with joined(edge, node):
        await edge.tell("edges", edges=[{"edge": "edge-2", "trunk": edge.trunk_url.replace("/trunk", "/gone")}])
        await asyncio.sleep(0)
        await edge.tell("edges", edges=living(edge, other))
        await other.word("register")


async def test_two_addresses_of_one_edge_are_one_trunk_in_the_end(edge: Edge) -> None:
    edge.one_trunk = True
    again = edge.trunk_url.replace("127.0.0.1", "localhost")
    node = Node((edge.trunk_url, again), pool="p", name="a", url="http://x", drain_for=0.0)
    async with joined(edge, node):
        await wait_until(lambda: len(edge.trunks) >= 2, "both are dialled")
        await edge.word("heartbeat", len(edge.heard) + 5)
        assert len(edge.trunks) <= 3 and node.has_trunk


async def test_a_secret_that_was_shown_over_tls_is_not_shown_without(edge: Edge, other: Edge) -> None:
    node = Node("wss://127.0.0.1:1/trunk", pool="p", name="a", url="http://x", drain_for=0.0)
    assert not node._trunks._trusted(other.trunk_url) and node._trunks._trusted("wss://edge-2:9071/trunk")


async def test_the_seat_of_an_edge_that_died_is_taken_over_with_its_checkpoint(
    edge: Edge, other: Edge, node: Node,
) -> None:
    echo(node)
    async with joined(edge, node):
        await edge.tell("edges", edges=living(edge, other))
        await other.word("register")
        other.leg_url = edge.leg_url
        assert (await edge.invite("s", 5))["type"] == "accept"
        async with edge.leg("s", 5) as leg:
            await leg.send_str("a")
            assert await words(leg, 1) == ["1"]
            kept = await edge.word("checkpoint")
            assert "checkpoint" not in [word["type"] for word in other.heard], "it is not the other edge's session"
            same = await other.invite("s", 5)
            assert (same["type"], same["reason"]) == ("decline", "epoch 5 is edge edge-1's")
            old = await other.invite("s", 4)
            assert (old["type"], old["reason"]) == ("decline", "epoch 4 is over: this node is at 5")
            point = {name: kept[name] for name in ("received", "sent", "state")}
            assert (await other.invite("s", 9, checkpoint=point))["type"] == "accept"
            async with other.leg("s", 9, resume=(1, 1, 1)) as taken:
                await taken.send_str("b")
                assert await words(taken, 1) == ["2"]
                assert (await other.word("checkpoint"))["epoch"] == 9
                assert len([word for word in edge.heard if word["type"] == "checkpoint"]) == 1
                await edge.tell("release", session="s", epoch=5, reason="over")
                await taken.send_str("c")
                assert await words(taken, 1) == ["3"], "what the former edge says is about the former epoch"
                assert (await edge.invite("s", 5))["type"] == "decline"


async def test_a_leg_that_nobody_announced_speaks_to_all_edges(edge: Edge, other: Edge, node: Node) -> None:
    echo(node)
    async with joined(edge, node):
        await edge.tell("edges", edges=living(edge, other))
        await other.word("register")
        async with edge.leg("s", 1) as leg:
            await leg.send_str("a")
            await edge.word("checkpoint")
            await other.word("checkpoint")


async def test_sessions_of_requests_of_an_edge_that_died_are_let_go_of_when_nobody_comes_back(
    edge: Edge, other: Edge, node: Node,
) -> None:
    go = asyncio.Event()

    @node.answers
    async def agent(exchange: Exchange) -> None:
        if exchange.text == "wait":
            await go.wait()
        await exchange.reply("done")

    async def ask(session: str, text: str) -> int:
        told = {"Session-Id": session, "Session-Epoch": "1", "Session-Role": "owner", "Session-Message": "1"}
        async with edge.http.post(edge.leg_url, data=text, headers=told) as answer:
            return answer.status
    node.idle = 0.4
    async with joined(edge, node):
        await edge.tell("edges", edges=living(edge, other))
        await other.word("heartbeat", 1)
        for there, session in ((edge, "lives"), (other, "dead"), (other, "busy"), (other, "stands by")):
            await there.invite(session)
        assert (await ask("lives", ""), await ask("dead", "")) == (200, 200)
        busy = asyncio.create_task(ask("busy", "wait"))
        await wait_until(lambda: "busy" in node.sessions, "a request is under way")
        await other.trunks[-1].close()
        await wait_until(lambda: set(node.sessions) == {"lives", "busy"}, "the session of the dead edge is let go of")
        await edge.word("heartbeat", len([word for word in edge.heard if word["type"] == "heartbeat"]) + 20)
        assert set(node.sessions) == {"lives", "busy"}
        go.set()
        assert await busy == 200
        await wait_until(lambda: set(node.sessions) == {"lives"}, "it is over, and its edge was away meanwhile")
        assert edge.heard[-1]["sessions"] <= 2
        for number in range(2):
            assert (await edge.invite(f"new-{number}"))["type"] == "accept", "no seat is taken by what is forgotten"
