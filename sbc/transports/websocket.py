"""WebSocket over HTTP/1.1: reads an upgrade request strictly, and holds the 101 back until a node has the session.

    READING ──hello──> WAITING ──admit──> a Link takes the connection over
       └──────refuse──────┴──> an HTTP status, and the end

httptools (llhttp) refuses most of what two parsers could read in two ways; what it lets pass is refused here.
"""

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import Any, cast

import httptools

from sbc.core.screening import LONGEST_TARGET, check_target
from sbc.model.errors import Refusal
from sbc.model.interfaces import Reception
from sbc.model.route import Hello
from sbc.wire.link import Link, LinkOwner, Parting
from sbc.wire.upgrade import Headers, accept_key, check_upgrade, head, refusal, values

EARLY_BYTES = 64 * 1024
"""How much a client may send before its 101, which it should not do at all."""


class Stage(Enum):
    READING = "reading"
    WAITING = "waiting"
    DONE = "done"


class Doorstep(asyncio.Protocol):
    """One connection of a client until its session is open, or refused."""

    def __init__(self, reception: Reception, listener: str, secure: bool) -> None:
        self._reception = reception
        self._listener = listener
        self._secure = secure
        self._stage = Stage.READING
        self._max_octets, self._max_headers, self._head_timeout = reception.limits()
        self._parser = httptools.HttpRequestParser(self)
        self._octets = 0
        self._first_line = b""
        self._target = b""
        self._headers: list[tuple[str, str]] = []
        self._complete = False
        self._key = ""
        self._rest = b""
        self._hello: Hello | None = None
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle | None = None
        self.gone: Callable[[], None] = _nobody_waits
        """Called if the client gives up while it waits for its answer."""

    # The connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only
        if not self._reception.arrived():
            self.refuse(Refusal(503, "connections", "too many connections", retry_after=1))
            return
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._head_timeout, self._late)

    def data_received(self, data: bytes) -> None:
        if self._stage is Stage.READING:
            try:
                self._read(data)
            except Refusal as refused:
                self.refuse(refused)
        elif self._stage is Stage.WAITING:
            self._rest += data
            if len(self._rest) > EARLY_BYTES:
                self._transport.pause_reading()

    def connection_lost(self, _error: Exception | None) -> None:
        waiting = self._stage is Stage.WAITING
        self._leave()
        if waiting:
            self.gone()

    def _late(self) -> None:
        if self._stage is Stage.READING:
            self.refuse(Refusal(408, "head_timeout", f"no whole request head within {self._head_timeout:g} s"))

    def _leave(self) -> None:
        """The connection is no hello any more."""
        self._stop_timer()
        if self._stage is not Stage.DONE:
            self._stage = Stage.DONE
            self._reception.departed()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # The request. httptools calls the next three.

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self._headers) <= self._max_headers:
            self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1").strip()))

    def on_headers_complete(self) -> None:
        self._complete = True

    def _read(self, data: bytes) -> None:
        self._octets += len(data)
        if b"\n" not in self._first_line:
            self._first_line += data[:LONGEST_TARGET + 32]
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._rest = data[upgrade.args[0] :]
            self._octets -= len(self._rest)
        except httptools.HttpParserError as error:
            raise Refusal(400, "malformed", f"not a proper HTTP/1.1 request: {error}") from None
        if self._octets > self._max_octets:
            raise Refusal(431, "head_too_large", f"at most {self._max_octets} bytes of request head")
        if self._complete:
            self._stop_timer()
            self._judge()

    def _judge(self) -> None:
        hello = Hello(
            client=_address(self._transport), host=self._only("host"), target=self._target.decode("latin-1"),
            headers=tuple(self._headers), secure=self._secure, listener=self._listener,
        )  # fmt: skip
        self._hello = hello
        if self._parser.get_http_version() != "1.1":
            raise Refusal(505, "version", "HTTP/1.1 is spoken here")
        # RFC 9112 section 3: single spaces. The parser takes more of them, and the next one may read them otherwise.
        method = self._parser.get_method().decode()
        if not self._first_line.startswith(f"{method} {hello.target} HTTP/1.1\r\n".encode("latin-1")):
            raise Refusal(400, "malformed", "not a proper request line")
        check_target(hello.target)
        # RFC 9110 section 10.1.1: an expectation that nobody here can meet.
        if (hello.header("expect") or "100-continue").lower() != "100-continue":
            raise Refusal(417, "expectation", "only 100-continue can be expected here")
        # RFC 9112 section 6.1: a body here is a sign of smuggling, and a handshake has no use for one.
        if hello.header("transfer-encoding") is not None or self._only_or_none("content-length") not in (None, "0"):
            raise Refusal(400, "body", "a WebSocket handshake has no body")
        self._key = check_upgrade(method, hello.headers)
        self._stage = Stage.WAITING
        self._reception.greet(self, hello, self._octets)

    def _only(self, name: str) -> str:
        value = self._only_or_none(name)
        # RFC 9112 section 3.2: exactly one Host, and it names a host and maybe a port.
        if value is None or "@" in value or "/" in value or " " in value or "," in value:
            raise Refusal(400, "bad_host", "exactly one proper Host header is needed")
        return value

    def _only_or_none(self, name: str) -> str | None:
        found = [value for key, value in self._headers if key == name]
        if len(found) > 1:
            raise Refusal(400, "duplicate_header", f"more than one {name} header")
        return found[0] if found else None

    @property
    def protocols(self) -> list[str]:
        """The subprotocols that the client offers."""
        return values(self._headers, "sec-websocket-protocol")

    # The answer.

    def admit(self, headers: Headers, owner: LinkOwner) -> tuple[Link, bytes]:
        """Send the 101: the connection is a link now. What the client sent ahead of it is given back too."""
        self._leave()
        accept = ("Sec-WebSocket-Accept", accept_key(self._key))
        answer = [("Upgrade", "websocket"), ("Connection", "Upgrade"), accept, *headers]
        link = Link(self._transport, owner, 0, None)
        self._transport.write(head("HTTP/1.1 101 Switching Protocols", answer))
        self._transport.set_protocol(link)  # type: ignore[arg-type]  # a protocol by its methods
        if len(self._rest) > EARLY_BYTES:
            self._transport.resume_reading()
        return link, self._rest

    def refuse(self, refused: Refusal) -> None:
        """Answer with an HTTP status, and close."""
        self._leave()
        self._reception.refused(refused, self._hello)
        self._transport.write(refusal(refused))
        self._transport.set_protocol(Parting(self._transport, None))


def _nobody_waits() -> None:
    pass


def _address(transport: asyncio.Transport) -> str:
    name: Any = transport.get_extra_info("peername")
    return str(name[0]) if name else ""
