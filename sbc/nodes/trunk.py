"""The trunk's door: nodes dial in over WebSocket and signal here, apart from the data legs (DESIGN.md section 5.4).

    NEW --register, let in--> REGISTERED --closed by either side--> ENDING
     \\--refused, too late, three malformed in a row----------------^

A link reads in the coroutine that serves its connection and writes in one task beside it. `send` only puts into a
bounded queue: a node that does not read its trunk loses it, and costs nobody else anything.
"""

import asyncio
import hmac
import socket
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from ssl import SSLContext
from typing import Any

import orjson
from aiohttp import WSMsgType, web

from sbc.model.errors import CloseCode, Refusal
from sbc.model.ids import NodeId, node_id
from sbc.model.interfaces import TrunkListener
from sbc.nodes.signals import Malformed, parse
from sbc.wire.aiohttp_doors import Patience, faults_only

SUBPROTOCOL = "sbc-trunk.v1"
MESSAGE_LIMIT = 256 * 1024
QUEUE_BYTES = 1024 * 1024
QUEUE_MESSAGES = 10_000
TRUNKS = 4096
"""How many trunks one door has open at most."""
REGISTER_WITHIN = 5.0
MALFORMED_IN_A_ROW = 3
PING = 10.0
"""How often a silent trunk is asked whether it lives; unanswered for half as long, it is lost."""
LAST_WORD = 2.0
"""How long a node has to read what is still queued, and to answer the close frame."""


class _State(Enum):
    NEW = "new"
    REGISTERED = "registered"
    ENDING = "ending"


@dataclass(slots=True)
class TrunkCounts:
    """What the door saw since it was built."""

    malformed: int = 0
    refused: int = 0
    """Trunks that the hall did not let in."""
    unauthorized: int = 0
    unread: int = 0
    """Trunks closed because the node did not read them."""

    def by_kind(self) -> dict[str, int]:
        return asdict(self)


class TrunkLink:
    """One trunk: implements Trunk of model/interfaces.py."""

    def __init__(self, ws: web.WebSocketResponse, transport: asyncio.Transport, listener: TrunkListener, *,
                 edge: str, counts: TrunkCounts) -> None:
        self.node = NodeId("")
        self._ws = ws
        self._transport = transport
        self._listener = listener
        self._edge = edge
        self._counts = counts
        self._state = _State.NEW
        self._known = False
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._wake = asyncio.Event()
        self._last_word = (CloseCode.NORMAL, "")

    def send(self, message: Mapping[str, Any]) -> None:
        """Queue one message. A queue of more than 1 MiB or 10,000 messages closes the trunk with 1013."""
        if self._state is _State.ENDING:
            return
        text = orjson.dumps(message)
        if len(self._queue) >= QUEUE_MESSAGES or self._queued_bytes + len(text) > QUEUE_BYTES:
            self._counts.unread += 1
            self._queue.clear()
            self.end(CloseCode.TRY_LATER, "the trunk is not read")
            return
        self._queue.append(text)
        self._queued_bytes += len(text)
        self._wake.set()

    def close(self, reason: str) -> None:
        """Send what is queued and close the trunk."""
        self.end(CloseCode.GOING_AWAY, reason)

    def end(self, code: CloseCode, reason: str) -> None:
        """Take no more messages of the node, send what is queued, and close with `code`."""
        if self._state is _State.ENDING:
            return
        self._state = _State.ENDING
        self._last_word = (code, reason)
        self._wake.set()
        # Not cancelled when the link has ended: a transport that still holds unread bytes would stay open for ever.
        asyncio.get_running_loop().call_later(LAST_WORD, self._transport.abort)

    async def serve(self) -> None:
        """Carry the trunk until it is closed by either side."""
        late = asyncio.get_running_loop().call_later(
            REGISTER_WITHIN, self._complain_and_end, f"no `register` within {REGISTER_WITHIN:.0f} s")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._write(), name="trunk writer")
                try:
                    await self._read(late)
                finally:
                    self.end(CloseCode.NORMAL, "")
        finally:
            late.cancel()
            if self._known:
                self._listener.lost(self)

    async def _read(self, late: asyncio.TimerHandle) -> None:
        malformed = 0
        while True:
            frame = await self._ws.receive()
            if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY) or self._state is _State.ENDING:
                return
            try:
                if frame.type is WSMsgType.BINARY:
                    raise Malformed("a message must be text")
                self._take(parse(frame.data))
            except Malformed as fault:
                self._counts.malformed += 1
                malformed += 1
                if malformed == MALFORMED_IN_A_ROW:
                    self._complain_and_end(str(fault))
                else:
                    self.send({"type": "error", "message": str(fault)})
            else:
                malformed = 0
                late.cancel()

    def _take(self, message: dict[str, Any]) -> None:
        introduces = message["type"] == "register"
        if introduces and self._state is _State.NEW:
            self._register(message)
        elif introduces:
            raise Malformed("this trunk is registered already")
        elif self._state is _State.NEW:
            raise Malformed("the first message must be `register`")
        else:
            self._listener.heard(self, message)

    def _register(self, message: dict[str, Any]) -> None:
        self.node = node_id(message["pool"], message["node"])
        try:
            heartbeat = self._listener.registered(self, message)
        except Refusal as refusal:
            self._counts.refused += 1
            self._complain_and_end(refusal.detail)
            return
        self._known = True
        # Before anything that the hall has queued while it was told.
        text = orjson.dumps({"type": "registered", "edge": self._edge, "heartbeat": heartbeat})
        self._queue.appendleft(text)
        self._queued_bytes += len(text)
        self._wake.set()
        if self._state is _State.NEW:  # the hall may have closed it again
            self._state = _State.REGISTERED

    def _complain_and_end(self, fault: str) -> None:
        self.send({"type": "error", "message": fault})
        self.end(CloseCode.POLICY, fault)

    async def _write(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._queue:
                    text = self._queue.popleft()
                    self._queued_bytes -= len(text)
                    await self._ws.send_frame(text, WSMsgType.TEXT)
                if self._state is _State.ENDING:
                    code, reason = self._last_word
                    await self._ws.close(code=code, message=_close_reason(reason))
                    return
        except ConnectionError:
            return  # the reader learns of it too


def _close_reason(reason: str) -> bytes:
    # RFC 6455 section 5.5: a control frame carries 125 bytes at most, two of them the code; and 5.5.1: in UTF-8.
    return reason.encode()[:123].decode(errors="ignore").encode()


class TrunkDoor:
    """Listens for trunks. `counts` says what came through the door."""

    def __init__(self, listener: TrunkListener, *, edge: str, secret: str | None, ssl: SSLContext | None) -> None:
        """edge: the name nodes are told. For the others see `change`."""
        self.counts = TrunkCounts()
        self._listener = listener
        self._edge = edge
        self._secret = None if secret is None else secret.encode()
        self._ssl = ssl
        self._sock: socket.socket
        self._site: web.SockSite
        self._links: set[TrunkLink] = set()
        self._patience = Patience(REGISTER_WITHIN)
        app = web.Application(middlewares=[self._patience.guard])
        app.router.add_get("/trunk", self._open)
        self._runner = web.AppRunner(app, access_log=None, logger=faults_only("trunk"), shutdown_timeout=LAST_WORD + 1)

    async def start(self, host: str, port: int) -> int:
        """Listen on `host` and `port` (0: a free one); the answer is the port. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.create_server((host, port), family=family)
        await self.start_on(sock)
        return int(sock.getsockname()[1])

    async def start_on(self, sock: socket.socket) -> None:
        """Listen on a socket that is bound already (socket activation)."""
        self._sock = sock
        await self._runner.setup()
        if self._runner.server is not None:
            self._patience.watch(self._runner.server)
        await self._listen()

    async def _listen(self) -> None:
        # A duplicate: what waits to be accepted outlasts the change to another TLS.
        self._site = web.SockSite(self._runner, self._sock.dup(), ssl_context=self._ssl)
        await self._site.start()

    async def change(self, secret: str | None, ssl: SSLContext | None) -> None:
        """What nodes that come from now on must bear (None: nothing), and the TLS that is spoken to them (None: none).
        Those that are in stay. Raises OSError."""
        self._secret = None if secret is None else secret.encode()
        self._ssl = ssl
        await self._site.stop()
        await self._listen()

    @property
    def socket(self) -> socket.socket:
        """On which it listens."""
        return self._sock

    async def accept_no_more(self) -> None:
        """Listen no more; the trunks that there are stay open."""
        await self._site.stop()

    async def close(self) -> None:
        """Close every trunk with 1012 and stop listening."""
        for link in tuple(self._links):
            link.end(CloseCode.RESTART, "the edge stops")
        self._patience.stop()
        await self._runner.cleanup()
        self._sock.close()

    async def _open(self, request: web.Request) -> web.StreamResponse:
        if not self._authorized(request.headers.get("Authorization", "")):
            self.counts.unauthorized += 1
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
        offered = request.headers.get("Sec-WebSocket-Protocol", "")
        if SUBPROTOCOL not in (name.strip() for name in offered.split(",")):
            raise web.HTTPBadRequest(text=f"the WebSocket subprotocol {SUBPROTOCOL} is required\n")
        if len(self._links) >= TRUNKS:
            raise web.HTTPServiceUnavailable(text="too many trunks\n", headers={"Retry-After": "5"})
        # A message of exactly `max_msg_size` is too long for aiohttp.
        ws = web.WebSocketResponse(protocols=(SUBPROTOCOL,), max_msg_size=MESSAGE_LIMIT + 1, heartbeat=PING,
                                   timeout=LAST_WORD, compress=False)
        try:
            await ws.prepare(request)
        except ConnectionError:
            return web.Response()  # to nobody: the node is gone again
        transport = request.transport
        if transport is None:
            return ws
        link = TrunkLink(ws, transport, self._listener, edge=self._edge, counts=self.counts)
        self._links.add(link)
        try:
            await link.serve()
        finally:
            self._links.discard(link)
        return ws

    def _authorized(self, authorization: str) -> bool:
        if self._secret is None:
            return True
        scheme, _, borne = authorization.partition(" ")
        # What is not UTF-8 reaches us as surrogates.
        return scheme.lower() == "bearer" and hmac.compare_digest(
            borne.strip().encode(errors="surrogateescape"), self._secret)
