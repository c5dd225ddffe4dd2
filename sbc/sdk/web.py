"""Legs over aiohttp: a node's sessions as a route of a web.Application."""

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from aiohttp import WSMsgType, web

from sbc.model.errors import CloseCode
from sbc.sdk.answer import Asked, RequestRefused
from sbc.sdk.link import Host, LegRefused, Link, SessionClosed

MESSAGE_LIMIT = 64 * 1024 * 1024
"""The edge has the tighter limit; this one only keeps what is not an edge from filling the memory."""
LAST_WORD = 2.0
KEEPALIVE = {socket.TCP_KEEPIDLE: 30, socket.TCP_KEEPINTVL: 10, socket.TCP_KEEPCNT: 3}
"""Seconds, seconds, probes: how soon an edge whose host is gone is noticed on a silent leg. No WebSocket pings: aiohttp
does not see their answers while an agent is slow and the leg is not read."""


def join(node: Host, app: web.Application, path: str) -> None:
    """Serve the node's sessions at `path` of `app`; a SIGTERM to `web.run_app` drains the node first."""

    stops: list[Callable[[], None]] = []

    async def leg(request: web.Request) -> web.StreamResponse:
        if node.answers_requests and request.headers.get("Upgrade", "").lower() != "websocket":
            return await _answer(node, request)
        ws = web.WebSocketResponse(protocols=node.subprotocols, max_msg_size=MESSAGE_LIMIT, timeout=LAST_WORD,
                                   # What a compressed message means depends on those before it, on another node.
                                   compress=False)
        if not ws.can_prepare(request):
            raise web.HTTPUpgradeRequired(headers={"Upgrade": "websocket"})

        async def accept() -> Link:
            await ws.prepare(request)
            _keep_alive(request)
            return AiohttpLink(ws)

        try:
            await node.serve(request.headers, accept)
        except LegRefused as refused:
            return web.Response(status=refused.status, text=f"{refused.reason}\n")
        return ws

    async def trunk(_: web.Application) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(node.run(), name="trunk")
            stops.append(_drain_first(node, group))
            yield
            running.cancel()

    async def leave(_: web.Application) -> None:
        for stop in stops:
            stop()

    app.router.add_route("*" if node.answers_requests else "GET", path, leg)
    app.cleanup_ctx.append(trunk)
    app.on_shutdown.append(leave)


async def _answer(node: Host, request: web.Request) -> web.StreamResponse:
    answer = AiohttpAnswer(request)
    try:
        await node.answer(Asked(request.method, request.path_qs, request.headers, request.read), answer)
    except RequestRefused as refused:
        return web.Response(status=503, text=f"{refused}\n", headers={"Session-Outcome": "not-sent"})
    except Exception:
        if request.transport is not None and not answer.over:
            request.transport.abort()  # what was begun must not look complete
        raise
    return answer.response or web.Response(status=500)


class AiohttpAnswer:
    """An answer that aiohttp carries."""

    def __init__(self, request: web.Request) -> None:
        self.response: web.StreamResponse | None = None
        self.over = False
        self._request = request

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head."""
        self.response = web.StreamResponse(status=status, headers=headers)
        await self._try(self.response.prepare(self._request))

    async def send(self, data: bytes) -> None:
        """Send a piece of the body. Raises SessionClosed."""
        assert self.response is not None
        await self._try(self.response.write(data))

    async def finish(self) -> None:
        """The answer is complete. Raises SessionClosed."""
        assert self.response is not None
        self.over = True
        await self._try(self.response.write_eof())

    async def _try(self, step: Awaitable[object]) -> None:
        try:
            await step
        except ConnectionError:
            raise SessionClosed from None


def _drain_first(node: Host, group: asyncio.TaskGroup) -> Callable[[], None]:
    """Stop the application only when the node is drained: one that stops is deaf to what arrives on open legs.

    Where nobody has asked for SIGTERM, it is left alone: who runs the application in another way calls `drain`.
    The answer is what to do when the application stops after all.
    """
    loop = asyncio.get_running_loop()
    leaving: list[asyncio.Task[None]] = []

    async def leave() -> None:
        await node.leave()
        loop.call_soon(_exit)

    def begin() -> None:
        loop.add_signal_handler(signal.SIGTERM, _exit)  # a second one does not wait
        leaving.append(group.create_task(leave(), name="leave"))

    def stop() -> None:
        for task in leaving:
            task.cancel()
        node.end_sessions()

    if threading.current_thread() is threading.main_thread() and callable(signal.getsignal(signal.SIGTERM)):
        loop.add_signal_handler(signal.SIGTERM, begin)
    return stop


def _exit() -> None:
    raise web.GracefulExit


async def healthy(_: web.Request) -> web.Response:
    """The answer to a probe."""
    return web.Response(text="ok\n")


class AiohttpLink:
    """A leg that aiohttp carries."""

    def __init__(self, ws: web.WebSocketResponse) -> None:
        self.close_code = int(CloseCode.ABNORMAL)
        self._ws = ws

    async def receive(self) -> str | bytes | None:
        """The next message; None once the leg is closed."""
        message = await self._ws.receive()
        if message.type is WSMsgType.TEXT or message.type is WSMsgType.BINARY:
            content: str | bytes = message.data
            return content
        if message.type is WSMsgType.CLOSE:
            self.close_code = int(message.data)
        return None

    async def send(self, message: str | bytes) -> None:
        """Send one message, waiting while the edge does not read. Raises SessionClosed."""
        try:
            if isinstance(message, str):
                await self._ws.send_str(message)
            else:
                await self._ws.send_bytes(message)
        except ConnectionError:
            raise SessionClosed from None

    async def close(self, code: int, reason: str) -> None:
        """Close it, with a close frame if it is still open."""
        with contextlib.suppress(ConnectionError):
            await self._ws.close(code=code, message=reason.encode())


def _keep_alive(request: web.Request) -> None:
    sock = request.get_extra_info("socket")
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        for option, value in KEEPALIVE.items():
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
