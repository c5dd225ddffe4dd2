"""Legs over aiohttp: what a plain request gets, subprotocols, other routes beside, and leaving."""

import asyncio

import aiohttp
from aiohttp import web

from sbc.sdk import Node, Session
from tests.sdk.edge import Edge, closed, joined, running, words
from tests.support.wait import PATIENCE, wait_until


async def echo(session: Session) -> None:
    async for message in session:
        await session.send(message)


async def test_requests_that_are_no_legs(edge: Edge, node: Node) -> None:
    node.agent(echo)
    async with joined(edge, node):
        origin = edge.leg_url.split("/any")[0]
        async with edge.http.get(f"{origin}/healthz") as answer:
            assert (answer.status, await answer.text()) == (200, "ok\n")
        async with edge.http.get(f"{origin}/") as answer:
            assert (answer.status, answer.headers["Upgrade"]) == (426, "websocket")


async def test_a_route_beside_others(edge: Edge, node: Node) -> None:
    async def mine(_: web.Request) -> web.Response:
        return web.Response(text="mine")

    node.agent(echo)
    app = web.Application()
    app.router.add_get("/", mine)
    node.join(app, "/chat")
    async with running(app) as port:
        edge.leg_url = f"http://127.0.0.1:{port}/chat"
        async with edge.leg("s") as leg, edge.http.get(f"http://127.0.0.1:{port}/") as answer:
            assert await answer.text() == "mine"
            await leg.send_bytes(b"x")
            assert await words(leg, 1) == [b"x"]


async def test_a_part_of_a_larger_application(edge: Edge, node: Node) -> None:
    node.agent(echo)
    app = web.Application()
    app.add_subapp("/agents", node.app())
    async with running(app) as port:
        edge.leg_url = f"http://127.0.0.1:{port}/agents/chat"
        await wait_until(lambda: edge.trunks, "the trunk")
        async with edge.leg("s") as leg:
            await leg.send_str("x")
            assert await words(leg, 1) == ["x"]


async def test_the_subprotocol_and_no_compression(edge: Edge) -> None:
    node = Node(edge.trunk_url, pool="p", name="a", url="http://x", subprotocols=("chat.v2",), drain_for=0)
    node.agent(echo)
    async with joined(edge, node), edge.http.ws_connect(
            edge.leg_url, protocols=["chat.v3", "chat.v2"], compress=15,
            headers={"Session-Id": "s", "Session-Epoch": "1"}) as leg:
        assert leg.protocol == "chat.v2" and not leg.compress


async def test_sessions_that_nobody_takes_are_given_up(edge: Edge, node: Node) -> None:
    node.agent(echo)
    async with joined(edge, node):
        leg = await edge.http.ws_connect(edge.leg_url, headers={"Session-Id": "s", "Session-Epoch": "1"})
        await leg.send_str("x")
        await words(leg, 1)
    assert await closed(leg) == 1001


async def test_a_leg_that_breaks_while_the_agent_speaks(edge: Edge, node: Node) -> None:
    ended = asyncio.Event()

    @node.agent
    async def speaks(session: Session) -> None:
        try:
            while True:
                await session.send("x" * 10_000)
        finally:
            ended.set()

    async with joined(edge, node):
        async with edge.leg("s") as leg:
            await words(leg, 3)
            assert isinstance(leg, aiohttp.ClientWebSocketResponse)
            leg._response.connection.transport.abort()
        await asyncio.wait_for(ended.wait(), PATIENCE)
