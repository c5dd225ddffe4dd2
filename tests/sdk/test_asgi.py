"""Legs over ASGI, behind a small server of our own: aiohttp's sockets, and the words of the ASGI specification."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from sbc.sdk import Exchange, Node, Session
from sbc.sdk.asgi import AsgiApp
from tests.sdk.edge import Edge, closed, running, words
from tests.support.wait import PATIENCE, wait_until


class Server:
    """Enough of an ASGI server for one application."""

    def __init__(self, app: AsgiApp, *, denies: bool) -> None:
        self.app = app
        self.extensions: dict[str, Any] = {"websocket.http.response": {}} if denies else {}
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.said: list[str] = []

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        async def send(event: Any) -> None:
            self.said.append(event["type"])

        life = asyncio.create_task(self.app({"type": "lifespan"}, self.events.get, send))
        await self.events.put({"type": "lifespan.startup"})
        await wait_until(lambda: self.said, "the start")
        yield
        await self.events.put({"type": "lifespan.shutdown"})
        await asyncio.wait_for(life, PATIENCE)
        assert self.said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        upgrade = request.headers.get("Upgrade") == "websocket"
        offered = request.headers.get("Sec-WebSocket-Protocol", "")
        scope = {"type": "websocket" if upgrade else "http", "path": request.path, "extensions": self.extensions,
                 "headers": [(name.lower(), value) for name, value in request.raw_headers],
                 "subprotocols": [name.strip() for name in offered.split(",") if name]}
        return await (self.leg(request, scope) if upgrade else self.plain(request, scope))

    async def plain(self, request: web.Request, scope: dict[str, Any]) -> web.Response:
        events: list[Any] = []
        scope |= {"method": request.method, "query_string": request.query_string.encode()}
        body = await request.read()
        pieces = [{"type": "http.request", "body": body[:3], "more_body": True},
                  {"type": "http.request", "body": body[3:]}]

        async def receive() -> Any:
            return pieces.pop(0)

        async def send(event: Any) -> None:
            events.append(event)

        await self.app(scope, receive, send)
        return web.Response(status=events[0]["status"], body=b"".join(event["body"] for event in events[1:]),
                            headers={name.decode(): value.decode() for name, value in events[0]["headers"]})

    async def leg(self, request: web.Request, scope: dict[str, Any]) -> web.StreamResponse:
        response: list[web.StreamResponse] = []
        connected = False

        async def receive() -> dict[str, Any]:
            nonlocal connected
            if not connected:
                connected = True
                return {"type": "websocket.connect"}
            [ws] = response
            assert isinstance(ws, web.WebSocketResponse)
            frame = await ws.receive()
            if frame.type is aiohttp.WSMsgType.TEXT:
                return {"type": "websocket.receive", "text": frame.data}
            if frame.type is aiohttp.WSMsgType.BINARY:
                return {"type": "websocket.receive", "bytes": frame.data, "text": None}
            return {"type": "websocket.disconnect",
                    "code": frame.data if frame.type is aiohttp.WSMsgType.CLOSE else 1006}

        async def send(event: Any) -> None:
            ws = response[0] if response else None
            match event["type"]:
                case "websocket.accept":
                    response.append(web.WebSocketResponse(protocols=filter(None, [event["subprotocol"]])))
                    await response[0].prepare(request)
                case "websocket.send" if isinstance(ws, web.WebSocketResponse):
                    await (ws.send_str(event["text"]) if "text" in event else ws.send_bytes(event["bytes"]))
                case "websocket.close" if isinstance(ws, web.WebSocketResponse):
                    await ws.close(code=event["code"], message=event["reason"].encode())
                case "websocket.close":
                    response.append(web.Response(status=403))
                case "websocket.http.response.start":
                    response.append(web.Response(status=event["status"]))

        await self.app(scope, receive, send)
        return response[0]


async def echo(session: Session) -> None:
    async for message in session:
        if message == "end":
            return
        await session.send(message)


@asynccontextmanager
async def serving(edge: Edge, node: Node, *, denies: bool = True) -> AsyncIterator[None]:
    server = Server(node.asgi(), denies=denies)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.serve)
    async with server.lifespan(), running(app) as port:
        edge.leg_url = f"http://127.0.0.1:{port}/chat"
        await wait_until(lambda: edge.trunks, "the trunk")
        yield


async def test_a_session_over_asgi(edge: Edge) -> None:
    node = Node(edge.trunk_url, pool="p", name="a", url="http://x", subprotocols=("chat.v2",))
    node.agent(echo)
    async with serving(edge, node):
        await edge.invite("s", 2, checkpoint={"received": 1, "sent": 1, "state": None})
        async with edge.leg("s", 2, resume=(1, 1, 2)) as leg:
            await leg.send_str("not said again")
            await leg.send_str("x")
            await leg.send_bytes(b"y")
            assert await words(leg, 2) == ["x", b"y"]
            await leg.send_str("end")
            assert await closed(leg) == 1000
        async with edge.http.ws_connect(edge.leg_url, protocols=["chat.v2"],
                                        headers={"Session-Id": "t", "Session-Epoch": "1"}) as leg:
            assert leg.protocol == "chat.v2"
    await wait_until(lambda: edge.trunks[0].closed, "the end of the trunk")


@pytest.mark.parametrize(("denies", "status"), [(True, 409), (False, 403)])
async def test_a_leg_that_is_refused(edge: Edge, node: Node, denies: bool, status: int) -> None:
    node.agent(echo)
    async with serving(edge, node, denies=denies):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with edge.leg("s", role="standby"):
                pass
        assert refused.value.status == status


@pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/chat", 426)])
async def test_plain_requests(edge: Edge, node: Node, path: str, status: int) -> None:
    async with serving(edge, node), edge.http.get(edge.leg_url.replace("/chat", path)) as answer:
        assert answer.status == status


@pytest.mark.parametrize("abort", [True, False])
async def test_a_leg_that_closes_ends_the_agent(edge: Edge, node: Node, abort: bool) -> None:
    node.agent(echo)
    async with serving(edge, node):
        async with edge.leg("s") as leg:
            await wait_until(lambda: node.sessions, "the session")
            if abort:
                leg._response.connection.transport.abort()
        await wait_until(lambda: not node.sessions, "its end")


async def test_what_is_left_when_the_server_stops(edge: Edge, node: Node) -> None:
    node.agent(echo)
    async with serving(edge, node):
        leg = await edge.http.ws_connect(edge.leg_url, headers={"Session-Id": "s", "Session-Epoch": "1"})
        await leg.send_str("x")
        await words(leg, 1)
        node.end_sessions()
        assert await closed(leg) == 1001


async def test_requests_over_asgi(edge: Edge, node: Node) -> None:
    @node.answers
    async def agent(exchange: Exchange) -> None:
        await exchange.send(f"{exchange.method} {exchange.target}")
        await exchange.send(exchange.text, event="echo", identity="7")

    async with serving(edge, node):
        told = {"Session-Id": "s", "Session-Epoch": "1", "Session-Message": "1"}
        async with edge.http.post(edge.leg_url + "?q=1", data="a\nbcd", headers=told) as answer:
            assert (answer.status, answer.content_type) == (200, "text/event-stream")
            assert (await answer.text()).endswith("?q=1\n\nid: 7\nevent: echo\ndata: a\ndata: bcd\n\n")
        async with edge.http.post(edge.leg_url, data="x", headers=told | {"Session-Message": "5", "Session-Id": "t"}
                                  ) as answer:
            assert (answer.status, answer.headers["Session-Outcome"]) == (503, "not-sent")
