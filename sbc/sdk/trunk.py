"""The node's end of the trunk (docs/DESIGN.md section 5.4): dials, registers, beats, and dials again when it breaks."""

import asyncio
import json
import logging
import random
import time
from collections import deque
from collections.abc import Mapping
from ssl import SSLContext
from typing import Any, Protocol

from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, ClientWSTimeout, DummyCookieJar, WSMsgType

SUBPROTOCOL = "sbc-trunk.v1"
CONNECT_WITHIN = 5.0
PING = 10.0
LAST_WORD = 1.0
QUEUE_MESSAGES = 10_000
MESSAGE_LIMIT = 16 * 1024 * 1024
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
STEADY_AFTER = 5.0
"""A trunk that stood for so long had no fault of its own: it is dialled again without delay."""

log = logging.getLogger("sbc.sdk")

Message = dict[str, Any]


class Listener(Protocol):
    """Who has the trunk, and speaks and listens on it."""

    def register(self) -> Message:
        """The message that introduces the node."""

    def heartbeat(self) -> Message:
        """The message that says how it is."""

    def opened(self, trunk: "TrunkClient") -> None:
        """The edge has let the node in."""

    def heard(self, trunk: "TrunkClient", message: Mapping[str, Any]) -> None:
        """Any further message of the edge. Raises KeyError, TypeError, ValueError or AttributeError for a bad form."""

    def closed(self, trunk: "TrunkClient") -> None:
        """The trunk is gone."""

    def may_dial(self, trunk: "TrunkClient") -> bool:
        """Whether the trunk is wanted at the moment."""


class TrunkClient:
    """Keeps one trunk open. `edge`: the name of the edge that it leads to, as far as that is known."""

    def __init__(self, url: str, secret: str | None, listener: Listener, *, tls: SSLContext | None = None,
                 edge: str = "") -> None:
        self.url = url
        self.edge = edge
        self._headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        self._tls = tls or True
        self._listener = listener
        self._queue: deque[str] = deque()
        self._wake = asyncio.Event()
        self._every: float | None = None
        """Seconds between heartbeats; None as long as there is no trunk."""

    @property
    def is_open(self) -> bool:
        """Whether the edge has let this node in."""
        return self._every is not None

    def send(self, message: Message) -> None:
        """Send one message. Without a trunk it is lost: what matters is told anew when the next one opens."""
        # A full queue means that the edge hangs; the unanswered ping will end this trunk.
        if self.is_open and len(self._queue) < QUEUE_MESSAGES:
            self._queue.append(json.dumps(message))
            self._wake.set()

    async def run(self) -> None:
        """Keep the trunk open until cancelled."""
        pause, complaint = FIRST_PAUSE, ""
        async with ClientSession(cookie_jar=DummyCookieJar(), trust_env=False) as http:
            while True:
                if not self._listener.may_dial(self):
                    await asyncio.sleep(LONGEST_PAUSE)
                    continue
                began = time.monotonic()
                reason = await self._stand(http)
                if reason != complaint:
                    log.warning("no trunk to %s: %s", self.url, reason)
                complaint = reason
                pause = FIRST_PAUSE if time.monotonic() - began > STEADY_AFTER else min(pause * 2, LONGEST_PAUSE)
                await asyncio.sleep(random.uniform(pause / 2, pause))

    async def _stand(self, http: ClientSession) -> str:
        """One trunk, from dialling to its end; why it ended."""
        try:
            async with asyncio.timeout(CONNECT_WITHIN):
                ws = await http.ws_connect(self.url, protocols=(SUBPROTOCOL,), headers=self._headers, ssl=self._tls,
                                           heartbeat=PING, max_msg_size=MESSAGE_LIMIT,
                                           timeout=ClientWSTimeout(ws_close=LAST_WORD))
        except TimeoutError:
            return f"no answer in {CONNECT_WITHIN:g} s"
        except (ClientError, OSError, ValueError) as fault:
            return str(fault) or type(fault).__name__
        try:
            async with ws, asyncio.TaskGroup() as group:
                self._queue.clear()
                self._queue.append(json.dumps(self._listener.register()))
                writing = group.create_task(self._write(ws), name="trunk writer")
                reason = await self._read(ws)
                writing.cancel()
            return reason
        finally:
            was_open, self._every = self.is_open, None
            if was_open:
                self._listener.closed(self)

    async def _read(self, ws: ClientWebSocketResponse) -> str:
        complaint = ""
        while True:
            frame = await ws.receive()
            if frame.type is WSMsgType.CLOSE:
                return complaint or f"closed by the edge: {frame.data} {frame.extra or ''}".rstrip()
            if frame.type is not WSMsgType.TEXT:
                return complaint or "the connection broke"
            try:
                complaint = self._take(json.loads(frame.data)) or complaint
            except (ValueError, TypeError, KeyError, AttributeError) as fault:
                log.warning("a message of the edge that cannot be understood (%r): %.200s", fault, frame.data)

    def _take(self, message: Message) -> str | None:
        match message["type"]:
            case "registered":
                self._every = float(message["heartbeat"])
                self.edge = str(message.get("edge") or self.url)
                log.info("the trunk to edge %s is open", self.edge)
                self._wake.set()
                self._listener.opened(self)
            case "error":
                log.warning("the edge complains: %s", message.get("message"))
                return str(message.get("message"))
            case _:
                self._listener.heard(self, message)
        return None

    async def _write(self, ws: ClientWebSocketResponse) -> None:
        clock = asyncio.get_running_loop().time
        beat_at = clock()
        try:
            while True:
                if self._every is not None and clock() >= beat_at:
                    beat_at = clock() + self._every
                    self._queue.append(json.dumps(self._listener.heartbeat()))
                while self._queue:
                    await ws.send_str(self._queue.popleft())
                self._wake.clear()
                try:
                    async with asyncio.timeout_at(None if self._every is None else beat_at):
                        await self._wake.wait()
                except TimeoutError:
                    continue  # time for a heartbeat
        except ConnectionError:
            return  # the reader learns of it too

