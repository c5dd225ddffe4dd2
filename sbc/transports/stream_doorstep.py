"""WebSocket over HTTP/2 (RFC 8441) and HTTP/3 (RFC 9220): an extended CONNECT, whose answer is held back until a node
has the session.

    WAITING ──admit──> a Link takes the stream over
       └────refuse───> an HTTP status, and the end of the stream
"""

import asyncio
from collections.abc import Callable
from typing import ClassVar, Protocol, cast

from sbc.model.errors import Refusal
from sbc.model.http import Fields, Request
from sbc.model.interfaces import Reception
from sbc.model.marking import Mark
from sbc.model.route import Hello
from sbc.transports.request_stream import Patron, announcement
from sbc.wire.http2.inbound import Inbound, Stage
from sbc.wire.http2.stream_transport import StreamTransport
from sbc.wire.link import Link, LinkOwner
from sbc.wire.upgrade import Headers, values


def hello_of(request: Request) -> Hello:
    """What a client says of itself in a request."""
    host = request.authority.decode("latin-1")
    fields = [(b"host", request.authority), *request.fields]
    return Hello(request.client, host, request.target.decode("latin-1"), fields, request.secure, request.listener,
                 certificate=request.certificate)


class Tunnels(Patron, Protocol):
    """What a Doorstep needs of its connection."""

    def hand_over(self, stream: int, inbound: Inbound) -> None:
        """From here on a stream's facts are for another one."""

    def turn_away(self, stream: int, refused: Refusal, hello: Hello) -> None:
        """Answer with an HTTP status."""


class StreamDoorstep:
    """A client's stream until its session is open, or refused: to the hall what a Doorstep on HTTP/1.1 is."""

    __slots__ = ("_carrier", "_early", "_ended", "_reception", "_stream", "gone", "hello", "sent", "stage")

    MORE_FIELDS: ClassVar[tuple[tuple[bytes, bytes], ...]] = ()
    """What else the answer says."""

    def __init__(self, carrier: Tunnels, stream: int, reception: Reception, request: Request) -> None:
        self._carrier = carrier
        self._stream = stream
        self._reception = reception
        self.hello = hello_of(request)
        self.stage = Stage.WAITING
        self.sent = 0
        self._early: list[bytes] = []
        """What came before the answer: never more than a window, as it is not credited."""
        self._ended = False
        self.gone: Callable[[], None] = _nobody_waits
        """Called if the client gives up while it waits for its answer."""

    def enter(self, octets: int) -> None:
        """Be greeted, or refused. octets: the size of the request's head."""
        try:
            versions = [value for name, value in self.hello.fields if name == b"sec-websocket-version"]
            if versions != [b"13"]:
                raise Refusal(400, "websocket_version", "version 13 is spoken here",
                              headers=[("Sec-WebSocket-Version", "13")])
            self._reception.greet(self, self.hello, octets)
        except Refusal as refused:
            self.refuse(refused)

    @property
    def protocols(self) -> list[str]:
        """The subprotocols that the client offers."""
        return values(self.hello.fields, b"sec-websocket-protocol")

    # The answer.

    def mark(self, mark: Mark) -> None:
        """Have the connection's packets bear a mark, unless they bear one that ranks above."""
        self._carrier.mark(mark)

    def admit(self, headers: Headers, owner: LinkOwner) -> tuple[Link, bytes]:
        """Send the 200: the stream is a link now. What the client sent ahead of it is given back too."""
        self.stage = Stage.OVER
        fields = [(b":status", b"200")]
        fields += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        if self._carrier.services:
            fields.append(announcement(self._carrier))
        fields += self.MORE_FIELDS
        self._carrier.engine.respond(self._stream, fields, end=False)
        transport, early = self._take_over()
        link = Link(transport, owner, 0, None)
        transport.set_protocol(cast(asyncio.BaseProtocol, link))  # by its methods
        self._carrier.touch()
        return link, early

    def _take_over(self) -> tuple[asyncio.Transport, bytes]:
        """From here on the stream is a transport. Also what came ahead of the answer."""
        transport = StreamTransport(self._carrier, self._stream)
        self._carrier.hand_over(self._stream, transport)
        early = b"".join(self._early)
        self._carrier.engine.consume(self._stream, len(early))
        if self._ended:
            asyncio.get_running_loop().call_soon(transport.data, b"", True)
        return cast(asyncio.Transport, transport), early  # by its methods

    def refuse(self, refused: Refusal) -> None:
        """Answer with an HTTP status."""
        if self.stage is Stage.WAITING:
            self.stage = Stage.OVER
            self._carrier.linger(self._stream)
            self._carrier.turn_away(self._stream, refused, self.hello)

    # What the connection tells.

    def data(self, data: bytes, end: bool) -> None:
        """What a client should not send yet."""
        self._ended = self._ended or end
        if self.stage is Stage.WAITING:
            self._early.append(data)
        else:
            self._carrier.engine.consume(self._stream, len(data))

    def trailers(self, _fields: Fields) -> None:
        """The client will say no more."""
        self._ended = True

    def slow(self) -> None:
        """Nothing is sent yet."""

    def ready(self) -> None:
        """Nothing is sent yet."""

    def closed(self) -> None:
        """The stream is over, or its whole connection."""
        waiting = self.stage is Stage.WAITING
        self.stage = Stage.OVER
        for piece in self._early:
            self._carrier.engine.consume(self._stream, len(piece))
        self._early.clear()
        if waiting:
            self.gone()


def _nobody_waits() -> None:
    pass
