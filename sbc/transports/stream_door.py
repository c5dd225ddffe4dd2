"""What the connections with streams of clients have in common, HTTP/2 and HTTP/3: each stream is an exchange of its
own, or a WebSocket. How the connection is read and written is for its version to say.
"""

import asyncio
from typing import Any, Protocol

from sbc.model.errors import Refusal
from sbc.model.http import Fields, Request
from sbc.model.interfaces import Reception
from sbc.model.marking import Mark
from sbc.model.route import Hello
from sbc.transports.outflow import Outflow
from sbc.transports.request_stream import RequestStream
from sbc.transports.stream_doorstep import StreamDoorstep, hello_of
from sbc.transports.watch import Watch
from sbc.wire.http2.engine import H2Error, StreamOrders
from sbc.wire.http2.inbound import Inbound, Stage
from sbc.wire.http2.refusal import answer_refusal
from sbc.wire.http2.request_fields import check_size, octets_of, read_request

LINGER = 1.0
"""How long a client may go on with a request that was answered already, in seconds."""
REFUSED_GLITCHES = 2
"""What a request counts that is refused for its form."""


class Accounts(Protocol):
    """What the streams of a connection are charged to."""

    def premature(self) -> None:
        """The client reset a stream that had no answer yet."""

    def provoked(self) -> None:
        """A stream had to be reset for what came on it."""

    def glitch(self, points: int) -> None:
        """Something odd that is allowed now and then."""


class StreamDoor:
    """The streams of one connection. EngineOwner as far as they go, and for them Patron and Tunnels."""

    __slots__ = ("_budget", "_client", "_limits", "_lingering", "_listener", "_loop", "_reception", "_secure",
                 "_streams", "_watch", "_websocket", "certificate", "engine", "outflow", "services")

    engine: StreamOrders
    """What reads and writes the connection."""
    outflow: Outflow
    _budget: Accounts
    _watch: Watch

    VERSION: str
    """Of HTTP."""

    def __init__(self, reception: Reception, listener: str, secure: bool, client: str, websocket: bool) -> None:
        """client: its address. websocket: whether the listener serves it."""
        self._reception = reception
        self._listener = listener
        self._secure = secure
        self._client = client
        self._websocket = websocket
        self.services = b""
        """What the next answer says of other ways to come here (RFC 7838)."""
        self.certificate = ""
        """Whom the client's certificate names."""
        self._limits = reception.limits()
        self._loop = asyncio.get_running_loop()
        self._streams: dict[int, Inbound] = {}
        self._lingering: frozenset[int] = frozenset()

    def _drop_streams(self) -> None:
        """Nothing more comes of what is under way here."""
        self._lingering = frozenset()
        streams = list(self._streams.values())
        self._streams.clear()
        for inbound in streams:
            inbound.closed()

    # What the engine tells.

    def head(self, stream: int, fields: Fields, end: bool) -> None:
        octets = octets_of(fields)
        try:
            check_size(fields, octets, self._limits)
            request, expects = read_request(fields, end, self.VERSION)
        except Refusal as refused:
            self._budget.glitch(REFUSED_GLITCHES)
            if not end:
                self.linger(stream)
            self.turn_away(stream, refused, Hello(self._client, "", "", [], self._secure, self._listener))
            return
        request.client, request.secure, request.listener = self._client, self._secure, self._listener
        request.certificate = self.certificate
        if request.protocol is not None:
            self._greet(stream, request, octets)
            return
        inbound = RequestStream(self, stream, request, expects)
        self._streams[stream] = inbound
        inbound.asker = self._reception.request(inbound, request, octets)

    def _greet(self, stream: int, request: Request, octets: int) -> None:
        """An extended CONNECT: a WebSocket (RFC 8441 section 5, RFC 9220 section 3)."""
        if not self._websocket or request.protocol != b"websocket":
            self.linger(stream)
            self.turn_away(stream, Refusal(501, "protocol", "no such protocol is spoken here"), hello_of(request))
            return
        door = StreamDoorstep(self, stream, self._reception, request)
        self._streams[stream] = door
        door.enter(octets)

    def interim(self, stream: int, fields: Fields) -> None:
        """Not from a client."""

    def data(self, stream: int, data: bytes, end: bool) -> None:
        inbound = self._streams.get(stream)
        if inbound is not None:
            inbound.data(data, end)
        else:
            self.engine.consume(stream, len(data))

    def trailers(self, stream: int, fields: Fields) -> None:
        inbound = self._streams.get(stream)
        if inbound is not None:
            inbound.trailers(fields)

    def closed(self, stream: int, code: int, remote: bool) -> None:
        if self._lingering:
            self._lingering -= {stream}
        self.outflow.forget(stream)
        inbound = self._streams.pop(stream, None)
        if inbound is not None:
            if remote and inbound.stage is Stage.WAITING:
                self._budget.premature()
            elif not remote and code and inbound.stage is not Stage.OVER:
                self._budget.provoked()
            inbound.closed()
        elif code and not remote:
            self._budget.provoked()

    def slow(self, stream: int) -> None:
        self.outflow.slow(stream)

    def ready(self, stream: int) -> None:
        self.outflow.ready(stream)

    def settings(self) -> None:
        """Nothing hangs on them here."""

    def goaway(self, last: int, code: int) -> None:
        """The client takes no pushed streams any more: there are none."""

    # What the streams need.

    def put(self, stream: int, data: bytes) -> None:
        self.outflow.put(stream, data)

    def touch(self) -> None:
        self.outflow.touch()

    def extra(self, name: str, default: Any) -> Any:
        """What the connection's transport says of itself (`get_extra_info`)."""
        raise NotImplementedError

    def mark(self, mark: Mark) -> None:
        """Have the connection's packets bear a mark. Over QUIC all connections share a socket, and a mark with it."""

    def linger(self, stream: int) -> None:
        self._lingering |= {stream}
        self._loop.call_later(LINGER, self._let_go, stream)

    def _let_go(self, stream: int) -> None:
        if stream in self._lingering:
            self.engine.reset(stream, H2Error.NO_ERROR)  # RFC 9113 section 8.1
            self.touch()

    def turn_away(self, stream: int, refused: Refusal, hello: Hello) -> None:
        self._reception.refused(refused, hello)
        self._streams.pop(stream, None)
        answer_refusal(self.engine, stream, refused)
        self.touch()

    def urge(self, now: float) -> None:
        """Refuse requests whose bodies do not come in time."""
        awaited = {
            stream: here for stream, inbound in self._streams.items()
            if isinstance(inbound, RequestStream) and (here := inbound.awaited()) >= 0
        }  # fmt: skip
        for stream in self._watch.late(now, awaited):
            inbound = self._streams.pop(stream)
            inbound.closed()
            self.linger(stream)
            refused = Refusal(408, "body_timeout", "the request's body did not come in time")
            self.turn_away(stream, refused, Hello(self._client, "", "", [], self._secure, self._listener))

    def hand_over(self, stream: int, inbound: Inbound) -> None:
        self._streams[stream] = inbound
