"""Legs over any ASGI server: the `websocket` and `lifespan` protocols of the ASGI specification, version 3."""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from multidict import CIMultiDict

from sbc.model.errors import CloseCode
from sbc.sdk.answer import Asked, RequestRefused
from sbc.sdk.link import Host, LegRefused, Link, SessionClosed

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]


class AsgiApp:
    """The ASGI application of a node."""

    def __init__(self, node: Host) -> None:
        self._node = node

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "websocket":
                await self._leg(scope, receive, send)
            case "lifespan":
                await self._lifespan(receive, send)
            case "http":
                found = scope["path"] == "/healthz"
                if not found and self._node.answers_requests:
                    await self._request(scope, receive, send)
                    return
                await _answer(send, "http.response", 200 if found else 426, "ok" if found else "WebSocket only")
            case other:
                raise NotImplementedError(f"ASGI scope {other}")  # the specification asks for an exception

    async def _request(self, scope: Event, receive: Receive, send: Send) -> None:
        query = scope.get("query_string", b"").decode("latin-1")
        target = scope["path"] + ("?" + query if query else "")
        answer = AsgiAnswer(send)
        try:
            await self._node.answer(Asked(scope["method"], target, _headers(scope), lambda: _body(receive)), answer)
        except RequestRefused as refused:
            await _answer(send, "http.response", 503, str(refused), (b"session-outcome", b"not-sent"))
        except Exception:
            if not answer.over:
                raise  # the server cuts what was begun

    async def _leg(self, scope: Event, receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        await receive()  # websocket.connect

        async def accept() -> Link:
            offered = scope.get("subprotocols", ())
            chosen = next((name for name in offered if name in self._node.subprotocols), None)
            await send({"type": "websocket.accept", "subprotocol": chosen})
            return AsgiLink(receive, send)

        try:
            await self._node.serve(headers, accept)
        except LegRefused as refused:
            if "websocket.http.response" in scope.get("extensions", {}):
                await _answer(send, "websocket.http.response", refused.status, refused.reason)
            else:
                await send({"type": "websocket.close", "reason": refused.reason})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()  # lifespan.startup
        async with asyncio.TaskGroup() as group:
            running = group.create_task(self._node.run(), name="trunk")
            _drain_first(self._node, group)
            await send({"type": "lifespan.startup.complete"})
            await receive()  # lifespan.shutdown
            self._node.end_sessions()
            running.cancel()
        await send({"type": "lifespan.shutdown.complete"})


def _drain_first(node: Host, group: asyncio.TaskGroup) -> None:
    """Let SIGTERM reach the server only when the node is drained: servers close the legs before they end the lifespan.

    For servers that take signals with `signal.signal`, as uvicorn does. Others, hypercorn among them, close the legs
    at once: the edge then takes the sessions elsewhere from their last checkpoints.
    """
    before = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        return
    loop = asyncio.get_running_loop()

    async def leave() -> None:
        await node.leave()
        os.kill(os.getpid(), signal.SIGTERM)

    def begin(*_: object) -> None:
        signal.signal(signal.SIGTERM, before)
        loop.call_soon_threadsafe(lambda: group.create_task(leave(), name="leave"))

    signal.signal(signal.SIGTERM, begin)


def _headers(scope: Event) -> Mapping[str, str]:
    return CIMultiDict((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])


async def _body(receive: Receive) -> bytes:
    """A whole body. Raises SessionClosed."""
    pieces = []
    while True:
        event = await receive()
        if event["type"] != "http.request":
            raise SessionClosed
        pieces.append(event.get("body", b""))
        if not event.get("more_body", False):
            return b"".join(pieces)


class AsgiAnswer:
    """An answer that an ASGI server carries."""

    def __init__(self, send: Send) -> None:
        self.over = False
        self._send = send

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head."""
        fields = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self._try({"type": "http.response.start", "status": status, "headers": fields})

    async def send(self, data: bytes) -> None:
        """Send a piece of the body. Raises SessionClosed."""
        await self._try({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self) -> None:
        """The answer is complete. Raises SessionClosed."""
        self.over = True
        await self._try({"type": "http.response.body", "body": b""})

    async def _try(self, event: Event) -> None:
        try:
            await self._send(event)
        except OSError:  # the specification, "Send events": raised once the client is gone
            raise SessionClosed from None


async def _answer(send: Send, kind: str, status: int, text: str, *fields: tuple[bytes, bytes]) -> None:
    headers = [(b"content-type", b"text/plain"), *fields]
    await send({"type": f"{kind}.start", "status": status, "headers": headers})
    await send({"type": f"{kind}.body", "body": f"{text}\n".encode()})


class AsgiLink:
    """A leg that an ASGI server carries."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self.close_code = int(CloseCode.ABNORMAL)
        self._receive = receive
        self._send = send
        self._open = True

    async def receive(self) -> str | bytes | None:
        """The next message; None once the leg is closed."""
        event = await self._receive()
        if event["type"] == "websocket.receive":
            text: str | None = event.get("text")
            content: bytes = event.get("bytes") or b""
            return content if text is None else text
        self._open = False
        self.close_code = event.get("code") or CloseCode.ABNORMAL
        return None

    async def send(self, message: str | bytes) -> None:
        """Send one message, waiting while the edge does not read. Raises SessionClosed."""
        if not self._open:
            raise SessionClosed
        try:
            await self._send({"type": "websocket.send", "text" if isinstance(message, str) else "bytes": message})
        except OSError:  # the specification, "Send events": raised once the client is gone
            raise SessionClosed from None

    async def close(self, code: int, reason: str) -> None:
        """Close it, with a close frame if it is still open."""
        if self._open:
            self._open = False
            with contextlib.suppress(OSError):
                await self._send({"type": "websocket.close", "code": int(code), "reason": reason})
