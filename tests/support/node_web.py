"""A node of requests as a process: the same few answers by servers of others, aiohttp or Starlette on uvicorn.

    hello       a short text                    echo     the body comes back while it still goes in
    look        the request, as JSON            parts    `count` pieces of 1 KiB without a length
    big         `size` bytes with a length      events   `count` server-sent events, `every` seconds apart, that
    take        counts a body, as it comes               go on after Last-Event-ID (`ids=0`: without ids)
    status/404  that status                     ws       says what it hears
    login       a cookie `key` of its making

The path may begin with anything.
"""

import argparse
import asyncio
import secrets
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import uvicorn
from aiohttp import WSMsgType, web
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from tests.support.history import History

HELLO = "hello\n"
PIECE = bytes(range(256)) * 4


async def parts(query: Any) -> AsyncIterator[bytes]:
    for _ in range(int(query.get("count", 3))):
        yield PIECE
        await asyncio.sleep(0)


async def events(query: Any, last: str | None, name: str) -> AsyncIterator[bytes]:
    for number in range(int(last or 0) + 1, int(query.get("count", 10)) + 1):
        head = b"id: %d\n" % number if query.get("ids") != "0" else b""
        yield head + b"data: %d %s\n\n" % (number, name.encode())
        await asyncio.sleep(float(query.get("every", 0.02)))


def seen(method: str, path: str, headers: Any, name: str) -> dict[str, Any]:
    return {"node": name, "method": method, "path": path, "headers": [[key.lower(), value] for key, value in headers]}


def big(query: Any) -> bytes:
    return b"b" * int(query["size"])


class Aiohttp:
    """The answers on aiohttp."""

    def __init__(self, name: str, history: History) -> None:
        self.name = name
        self.history = history

    async def answer(self, request: web.Request) -> web.StreamResponse:
        what, query = request.path.split("/")[-1], request.query
        match what:
            case "hello" | "healthz":
                return web.Response(text=HELLO)
            case "look":
                return web.json_response(seen(request.method, request.path_qs, request.headers.items(), self.name))
            case "big":
                return web.Response(body=big(query))
            case "take":
                return web.Response(text=str(sum([len(piece) async for piece in request.content.iter_any()])))
            case "login":
                answer = web.Response(text=self.name)
                answer.set_cookie("key", secrets.token_hex(8))
                return answer
            case "echo":
                return await self._stream(request, request.content.iter_any(), "application/octet-stream")
            case "parts":
                return await self._stream(request, parts(query), "application/octet-stream")
            case "events":
                last = request.headers.get("last-event-id")
                return await self._stream(request, events(query, last, self.name), "text/event-stream")
            case "ws":
                return await self._talk(request)
        return web.Response(status=int(what) if what.isdigit() else HTTPStatus.NOT_FOUND)

    async def _stream(self, request: web.Request, pieces: Any, kind: str) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"content-type": kind})
        await answer.prepare(request)
        try:
            async for piece in pieces:
                await answer.write(piece)
        except (ConnectionError, asyncio.CancelledError):
            self.history.write("left", path=request.path)
            raise
        return answer

    async def _talk(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(message.data)
            elif message.type is WSMsgType.BINARY:
                await socket.send_bytes(message.data)
        return socket

    async def serve(self, port: int) -> None:
        # 0: whatever is asked is read piece by piece
        application = web.Application(client_max_size=0)
        application.router.add_route("*", "/{any:.*}", self.answer)
        runner = web.AppRunner(application, access_log=None, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()


class Echo(Response):
    """A StreamingResponse would look out for the end of the client, and lose pieces of the body to that."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = [(b"content-type", b"application/octet-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        more = True
        while more:
            said = await receive()
            more = said.get("more_body", False)
            await send({"type": "http.response.body", "body": said.get("body", b""), "more_body": more})


class Asgi:
    """The answers on Starlette."""

    def __init__(self, name: str, history: History) -> None:
        self.name = name
        self.history = history

    async def answer(self, request: Request) -> Response:
        what, query = request.url.path.split("/")[-1], request.query_params
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        match what:
            case "hello" | "healthz":
                return PlainTextResponse(HELLO)
            case "look":
                return JSONResponse(seen(request.method, target, request.headers.items(), self.name))
            case "big":
                return Response(big(query))
            case "take":
                return PlainTextResponse(str(sum([len(piece) async for piece in request.stream()])))
            case "login":
                answer = PlainTextResponse(self.name)
                answer.set_cookie("key", secrets.token_hex(8))
                return answer
            case "echo":
                return Echo()
            case "parts":
                return StreamingResponse(parts(query), media_type="application/octet-stream")
            case "events":
                last = request.headers.get("last-event-id")
                return StreamingResponse(self._noted(request, events(query, last, self.name)),
                                         media_type="text/event-stream")
        return Response(status_code=int(what) if what.isdigit() else HTTPStatus.NOT_FOUND)

    async def _noted(self, request: Request, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for piece in pieces:
                yield piece
        except asyncio.CancelledError:
            self.history.write("left", path=request.url.path)
            raise

    async def talk(self, socket: WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(text)

    async def serve(self, port: int) -> None:
        methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]
        routes = [Route("/{any:path}", self.answer, methods=methods), WebSocketRoute("/{any:path}", self.talk)]
        await uvicorn.Server(uvicorn.Config(Starlette(routes=routes), port=port, log_level="warning")).serve()


def main() -> None:
    options = argparse.ArgumentParser()
    for option in ("--name", "--port", "--history"):
        options.add_argument(option, required=True)
    options.add_argument("--server", choices=["aiohttp", "uvicorn"], default="aiohttp")
    said = options.parse_args()
    node = (Aiohttp if said.server == "aiohttp" else Asgi)(said.name, History(said.history))
    asyncio.run(node.serve(int(said.port)))


if __name__ == "__main__":
    main()
