"""WebSocket over HTTP/1.1: judges an upgrade request, and holds the 101 back until a node has the session.

    WAITING ──admit──> a Link takes the connection over
       └────refuse───> an HTTP status, and the end
"""

import asyncio
from collections.abc import Callable
from enum import Enum

from sbc.model.errors import Refusal
from sbc.model.http import Fields, Request
from sbc.model.interfaces import Reception
from sbc.model.marking import Mark
from sbc.model.route import Hello
from sbc.wire.link import Link, LinkOwner, Parting
from sbc.wire.marking import marked
from sbc.wire.upgrade import Headers, accept_key, check_upgrade, head, refusal, values

EARLY_BYTES = 64 * 1024
"""How much a client may send before its 101, which it should not do at all."""


class Stage(Enum):
    WAITING = "waiting"
    DONE = "done"


class Doorstep(asyncio.Protocol):
    """One connection of a client from its upgrade request on, until its session is open, or refused."""

    __slots__ = ("_key", "_reception", "_request", "_rest", "_services", "_stage", "_transport", "gone", "hello")

    def __init__(
        self, reception: Reception, transport: asyncio.Transport, request: Request, fields: Fields, rest: bytes,
        services: bytes,
    ) -> None:
        """fields: all of the request's, those of its connection too. rest: what came behind its head. services: what
        the answer says of other ways to come here (RFC 7838)."""
        self._reception = reception
        self._transport = transport
        self._request = request
        self._stage = Stage.WAITING
        self._key = ""
        self._rest = rest
        self._services = services.decode()
        self.hello = Hello(
            request.client, request.authority.decode("latin-1"), request.target.decode("latin-1"), fields,
            request.secure, request.listener, certificate=request.certificate,
        )  # fmt: skip
        self.gone: Callable[[], None] = _nobody_waits
        """Called if the client gives up while it waits for its answer."""

    # The connection.

    def enter(self, octets: int) -> None:
        """Be greeted, or refused. octets: the size of the request's head."""
        try:
            self._judge()
            self._reception.greet(self, self.hello, octets)
        except Refusal as refused:
            self.refuse(refused)

    def data_received(self, data: bytes) -> None:
        if self._stage is Stage.WAITING:
            self._rest += data
            if len(self._rest) > EARLY_BYTES:
                self._transport.pause_reading()

    def connection_lost(self, _error: Exception | None) -> None:
        waiting = self._stage is Stage.WAITING
        self._leave()
        if waiting:
            self.gone()

    def _leave(self) -> None:
        """The connection is no hello any more."""
        if self._stage is not Stage.DONE:
            self._stage = Stage.DONE
            self._reception.departed()

    def _judge(self) -> None:
        if self._request.version != "1.1":
            raise Refusal(505, "version", "HTTP/1.1 is spoken here")
        # RFC 9112 section 6.1: a body here is a sign of smuggling, and a handshake has no use for one.
        if self._request.bodied:
            raise Refusal(400, "body", "a WebSocket handshake has no body")
        self._key = check_upgrade(self._request.method, self.hello.fields)

    @property
    def protocols(self) -> list[str]:
        """The subprotocols that the client offers."""
        return values(self.hello.fields, b"sec-websocket-protocol")

    # The answer.

    def mark(self, mark: Mark) -> None:
        """Have the connection's packets bear a mark."""
        marked(self._transport, mark, None)

    def admit(self, headers: Headers, owner: LinkOwner) -> tuple[Link, bytes]:
        """Send the 101: the connection is a link now. What the client sent ahead of it is given back too."""
        self._leave()
        self.gone = _nobody_waits
        accept = ("Sec-WebSocket-Accept", accept_key(self._key))
        answer = [("Upgrade", "websocket"), ("Connection", "Upgrade"), accept, *headers]
        if self._services:
            answer.append(("Alt-Svc", self._services))
        link = Link(self._transport, owner, 0, None)
        self._transport.write(head("HTTP/1.1 101 Switching Protocols", answer))
        self._transport.set_protocol(link)  # type: ignore[arg-type]  # a protocol by its methods
        if len(self._rest) > EARLY_BYTES:
            self._transport.resume_reading()
        return link, self._rest

    def refuse(self, refused: Refusal) -> None:
        """Answer with an HTTP status, and close; the client may be gone."""
        if self._stage is not Stage.WAITING:
            return
        self._leave()
        self.gone = _nobody_waits
        self._reception.refused(refused, self.hello)
        self._transport.write(refusal(refused))
        self._transport.set_protocol(Parting(self._transport, None))


def _nobody_waits() -> None:
    pass
