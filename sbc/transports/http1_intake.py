"""What comes on an HTTP/1.x connection of a client: heads, bodies, and what came before its time.

    HEAD ──request──> BODY ──whole──> ANSWER ──answered──> HEAD ...
      │                └──answered before its end──> DROP ──whole──> HEAD
      ├──WebSocket──> a Doorstep takes the connection over
      └──refused, told to close, too late──> LEAVING

What comes before its time (a pipelined request, a body that nobody takes yet) is kept unread within a bound; then
nothing more is read from the socket.
"""

import asyncio
from enum import Enum

from sbc.model.errors import Refusal
from sbc.model.interfaces import Reception
from sbc.transports.http1_stream import OVER, WAITING, Carrier, Http1Stream
from sbc.transports.patience import Patience
from sbc.transports.valves import Hold, Inlet
from sbc.transports.websocket import Doorstep
from sbc.wire.bodies import Chunks, Measured
from sbc.wire.http1 import CONTINUE
from sbc.wire.link import QUANTUM_BYTES
from sbc.wire.request_head import RequestReader

EARLY_BYTES = 64 * 1024
"""How much may come before its time until reading is paused."""
MOST_REQUESTS = 1000
"""Requests on one connection."""


class Stage(Enum):
    HEAD = "head"
    BODY = "body"
    ANSWER = "answer"
    DROP = "drop"
    LEAVING = "leaving"


HEAD, BODY, ANSWER, DROP, LEAVING = Stage
"""The same, looked up once: what is found in an enum by its name is found slowly."""


class Http1Intake(Carrier):
    """The reading half of a connection."""

    __slots__ = ("__weakref__", "_body", "_client", "_expects", "_inlet", "_kept", "_lingers", "_listener", "_loop",
                 "_patience", "_persists", "_plain", "_reader", "_reception", "_requests", "_retired", "_secure",
                 "_stage", "_stream", "_take", "_transport", "_websocket", "certificate", "congested", "services")

    _inlet: Inlet
    _patience: Patience
    _reader: RequestReader
    _transport: asyncio.Transport

    def __init__(
        self, reception: Reception, listener: str, secure: bool, client: str, transports: frozenset[str]
    ) -> None:
        """client: its address. transports: what the listener serves. The reception knows already that it is here."""
        self.congested = False
        self.services = b""
        """What the next answer says of other ways to come here (RFC 7838)."""
        self.certificate = ""
        """Whom the client's certificate names."""
        self._reception, self._take = reception, reception.request
        self._listener, self._secure, self._client = listener, secure, client
        self._websocket, self._plain = "websocket" in transports, "http1" in transports
        self._loop = asyncio.get_running_loop()
        self._stage = HEAD
        self._stream: Http1Stream | None = None
        self._requests, self._persists, self._retired, self._lingers = 0, True, False, False
        self._expects = False
        """Whether the client waits for a 100 before it sends the body."""
        self._kept = b""
        """What came before its time."""

    def data_received(self, data: bytes) -> None:
        if self._kept:
            data, self._kept = self._kept + data, b""
        self._read(data)
        if len(data) >= QUANTUM_BYTES and self._stage is not LEAVING:
            # The loop would read on, up to 8 MiB, before those who write have their turn to say that it is too much.
            self._inlet.hold(Hold.OTHERS)
            self._loop.call_soon(self._inlet.release, Hold.OTHERS)

    def _read(self, data: bytes) -> None:
        """Read as much as may be read at the moment, and keep the rest."""
        at = 0
        try:
            while at < len(data):
                stage = self._stage
                if stage is HEAD and not self.congested:
                    at = self._read_head(data, at)
                elif stage is DROP or (stage is BODY and not self._inlet.holds & Hold.UNWANTED):
                    at = self._read_body(data, at)
                    if at < len(data) and self._stage is stage:
                        self._keep(data[at:])  # the rest of many small chunks: others come first
                        self._loop.call_soon(self._read_kept)
                        return
                elif stage is LEAVING:
                    return
                else:
                    self._keep(data[at:])
                    return
        except Refusal as refused:
            self._refuse(refused)

    def _keep(self, rest: bytes) -> None:
        self._kept = rest
        if len(rest) > EARLY_BYTES:
            self._inlet.hold(Hold.EARLY)

    def _read_kept(self) -> None:
        """The time of what was kept may have come."""
        if self._kept:
            data, self._kept = self._kept, b""
            self._inlet.release(Hold.EARLY)
            self._read(data)

    def _read_head(self, data: bytes, at: int) -> int:
        reader = self._reader
        end = reader.read(data, at)
        if end < 0:
            if reader.begun:
                self._patience.head()
            return len(data)
        request = reader.request
        request.client, request.secure, request.listener = self._client, self._secure, self._listener
        request.certificate = self.certificate
        if self._websocket and (reader.upgrade or not self._plain):
            self._step_aside(data[end:])
            return len(data)
        self._requests += 1
        self._persists = reader.persists and self._requests < MOST_REQUESTS and not self._retired
        if request.bodied:
            self._stage = BODY
            self._body: Chunks | Measured = Chunks() if reader.chunked else Measured(request.length or 0)
            self._expects = reader.expects
            self._patience.body(started=not reader.expects)
        else:
            self._stage = ANSWER
            self._patience.off()
        stream = self._stream = Http1Stream(self, request, self.congested)
        stream.asker = self._take(stream, request, reader.octets)
        return end

    def _read_body(self, data: bytes, at: int) -> int:
        """Tell of a piece of the body; of none in DROP, where nobody wants to know."""
        body = self._body
        piece, end = body.read(data, at)
        whole = body.whole
        self._expects = False
        self._patience.came(end - at)
        stream = self._stream
        if stream is None:
            if whole:
                self._await_request()
            return end
        if whole:
            self._stage = ANSWER
            self._patience.off()
        if piece:
            stream.asker.body(piece)
        if whole and stream.stage is not OVER:
            stream.asker.body_ended(body.trailers)
        return end

    def _step_aside(self, rest: bytes) -> None:
        """From here on the connection is a Doorstep's."""
        self._stage = LEAVING
        self._patience.end()
        self._inlet.release(Hold.OTHERS)
        doorstep = Doorstep(self._reception, self._transport, self._reader.request, self._reader.raw, rest,
                            self.services)
        self._transport.set_protocol(doorstep)
        doorstep.enter(self._reader.octets)

    def hold_body(self) -> None:
        if self._stage is BODY and not self._inlet.holds & Hold.UNWANTED:
            self._inlet.hold(Hold.UNWANTED)
            self._patience.rest()

    def want_body(self) -> None:
        if self._stage is BODY:
            if self._expects and self._stream is not None and self._stream.stage is WAITING:
                self.put(CONTINUE)
            self._expects = False
            self._patience.go_on()
            self._go_on()

    def _go_on(self) -> None:
        """Read on, but in another turn of the loop: facts are not told from within orders."""
        if self._inlet.holds:
            self._inlet.release(Hold.UNWANTED)
        if self._kept:
            self._loop.call_soon(self._read_kept)

    def _await_request(self) -> None:
        self._stage = HEAD
        self._patience.idle()
        if self._retired and not self._lingers and not self._kept:
            self._leave()

    # What the whole connection does.

    def _refuse(self, refused: Refusal) -> None:
        """Answer what cannot be read, and close."""
        raise NotImplementedError

    def _leave(self) -> None:
        """Close once everything is written."""
        raise NotImplementedError
