"""A node, in the test's own process, that tells in every answer where and what it is; and is honest otherwise.

`told` in a JSON answer is what the node was told, with which session; each protocol has a path of its own.
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

from tests.support.edge import free_port

SECRETS = {"Server": "n0de-server/7.1", "X-Powered-By": "n0de-power", "Via": "1.1 n0de-via", "X-Served-By": "n0de-a",
           "Alt-Svc": 'h2="n0de-alt:1"', "X-Backend-Server": "n0de-b", "X-Envoy-Upstream-Service-Time": "3",
           "Session-Owner": "n0de-c"}  # fmt: skip


class Leaky:
    """`port` is where it listens; `heard` has the head of each request."""

    def __init__(self) -> None:
        self.port = free_port()
        self.heard: list[dict[str, str]] = []
        self._numbers = itertools.count(1)

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    def note(self, request: web.Request) -> dict[str, str]:
        told = {name.lower(): value for name, value in request.headers.items()}
        self.heard.append(told)
        return told

    async def ask(self, request: web.Request) -> web.Response:
        return web.json_response({"told": self.note(request)}, headers=SECRETS)

    async def moved(self, request: web.Request) -> web.Response:
        kind = request.query.get("kind", "")
        where = {"node": f"http://{self.place}/ask?a=1", "else": "https://elsewhere.test/x", "": "/ask"}[kind]
        return web.Response(status=302, headers=SECRETS | {"Location": where, "Content-Location": where})

    async def events(self, request: web.Request) -> web.StreamResponse:
        self.note(request)
        answer = web.StreamResponse(headers=SECRETS | {"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        for number in range(int(request.query.get("count", 3))):
            await answer.write(b'data: {"i": %d}\n\n' % number)
            await asyncio.sleep(0.02)
        return answer

    async def cut(self, request: web.Request) -> web.StreamResponse:
        """Break off: before the answer, or in the middle of it."""
        assert request.transport is not None
        if "late" in request.query:
            answer = web.StreamResponse(headers=SECRETS | {"Content-Length": "100"})
            await answer.prepare(request)
            await answer.write(b"some")
            await asyncio.sleep(0.05)
        request.transport.abort()
        await asyncio.sleep(0.05)
        return web.Response()

    async def mcp(self, request: web.Request) -> web.Response:
        told, asked = self.note(request), await _asked(request)
        answer = {"jsonrpc": "2.0", "id": asked.get("id"), "result": {"told": told}}
        if asked.get("method") != "initialize":
            return web.json_response(answer, headers=SECRETS)
        answer["result"] = {"protocolVersion": "2025-06-18", "capabilities": {},
                            "serverInfo": {"name": "s", "version": "1"}}  # fmt: skip
        return web.json_response(answer, headers=SECRETS | {"Mcp-Session-Id": f"n0de-{next(self._numbers)}"})

    async def a2a(self, request: web.Request) -> web.Response:
        told, asked = self.note(request), await _asked(request)
        identity = (asked.get("params") or {}).get("id") or f"task-{next(self._numbers)}"
        task = {"kind": "task", "id": identity, "contextId": f"context-{identity}", "status": {"state": "working"},
                "metadata": {"told": told}}
        return web.json_response({"jsonrpc": "2.0", "id": asked.get("id"), "result": task}, headers=SECRETS)

    async def card(self, request: web.Request) -> web.Response:
        self.note(request)
        url = f"http://{self.place}/a2a"
        return web.json_response({
            "name": "n", "url": url, "preferredTransport": "JSONRPC", "protocolVersion": "0.3.0",
            "additionalInterfaces": [{"url": url, "transport": "HTTP+JSON"}],
            "supportedInterfaces": [{"url": url, "protocolBinding": "JSONRPC"}],
        }, headers=SECRETS)  # fmt: skip

    async def responses(self, request: web.Request) -> web.Response:
        told = self.note(request)
        return web.json_response({"id": f"resp_{next(self._numbers)}", "object": "response", "status": "completed",
                                  "output": [], "told": told}, headers=SECRETS)  # fmt: skip

    async def talk(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return await self.ask(request)
        told, ws = self.note(request), web.WebSocketResponse()
        ws.headers.update(SECRETS)
        await ws.prepare(request)
        async for message in ws:
            if message.type is WSMsgType.TEXT:
                await ws.send_str(json.dumps({"said": message.data, "told": told}))
        return ws


async def _asked(request: web.Request) -> dict[str, Any]:
    try:
        return dict(await request.json())
    except ValueError:
        return {}


@asynccontextmanager
async def leaking() -> AsyncIterator[Leaky]:
    """One that serves."""
    node, app = Leaky(), web.Application()
    routes: list[tuple[str, str, Any]] = [
        ("GET", "/healthz", node.ask), ("*", "/moved", node.moved), ("*", "/events", node.events),
        ("*", "/{path:.*}cut", node.cut), ("POST", "/mcp", node.mcp), ("POST", "/a2a", node.a2a),
        ("GET", "/a2a/.well-known/agent-card.json", node.card), ("POST", "/v1/responses", node.responses),
        ("*", "/{path:.*}", node.talk)]
    for method, path, answer in routes:
        app.router.add_route(method, path, answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", node.port).start()
    try:
        yield node
    finally:
        await runner.cleanup()
