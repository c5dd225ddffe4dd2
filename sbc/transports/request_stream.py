"""One request on a connection with streams (HTTP/2, HTTP/3), and how it is answered: what an exchange orders becomes
orders to the connection's engine here.

    WAITING ──respond──> ANSWERING ──finish──> OVER
       └──────── respond(end), abort, client gone ───┘
"""

import asyncio
from typing import Protocol

from sbc.model.http import Fields, Request, Response, first
from sbc.model.marking import Mark
from sbc.model.streams import Asker, ClientStream
from sbc.protocols.grpc import is_grpc
from sbc.transports.outflow import Outflow
from sbc.wire.http2.engine import H2Error
from sbc.wire.http2.inbound import Carrier, Stage


class Patron(Carrier, Protocol):
    """What a client's stream needs of its connection."""

    services: bytes
    """What the next answer says of other ways to come here (RFC 7838); empty once it was said."""

    @property
    def outflow(self) -> Outflow:
        """Its writing side."""

    def mark(self, mark: Mark) -> None:
        """See ClientStream."""

    def linger(self, stream: int) -> None:
        """The answer is complete and the request is not: nobody wants the rest of it."""


class _Nobody:
    """The Asker of a stream that is over."""

    def body(self, data: bytes) -> None: ...

    def body_ended(self, trailers: Fields) -> None: ...

    def client_gone(self) -> None: ...

    def client_slow(self) -> None: ...

    def client_ready(self) -> None: ...


NOBODY = _Nobody()
_ANSWERING = Stage.ANSWERING
_STATUS = {status: (b":status", b"%d" % status) for status in range(100, 600)}


def head_fields(response: Response) -> Fields:
    """The head of an answer as HTTP/2 and HTTP/3 have it."""
    fields = [_STATUS.get(response.status, (b":status", b"502")), *response.fields]
    if response.length is not None and response.status != 204:
        fields.append((b"content-length", b"%d" % response.length))
    return fields


def announcement(carrier: Patron) -> tuple[bytes, bytes]:
    """What an answer says of other ways to come here; it need not be said again."""
    services, carrier.services = carrier.services, b""
    return b"alt-svc", services


class RequestStream(ClientStream):
    """A ClientStream; Inbound for the connection."""

    __slots__ = ("_came", "_carrier", "_ended", "_expects", "_fields", "_held", "_left", "_outflow", "_paused",
                 "_received", "_stream", "_to_head", "asker", "sent", "stage")

    def __init__(self, carrier: Patron, stream: int, request: Request, expects: bool) -> None:
        """expects: whether the client waits for a 100."""
        self.asker: Asker
        self.stage = Stage.WAITING
        self.congested = False
        self.sent = 0
        self._carrier = carrier
        self._outflow = carrier.outflow
        self._stream = stream
        self._to_head = request.method == b"HEAD"
        self._expects = expects
        self._received = not request.bodied
        self._fields = request.fields
        self._came = 0
        """Bytes of the body that the client has sent."""
        self._left = -1
        """What is still to be sent of a body whose length was told; below 0: it was not."""
        self._paused = False
        self._held: list[bytes] | None = None
        """What came while the body was paused: never more than a window, as it is not credited."""
        self._ended: Fields | None = None
        """The trailers of a body whose end came while it was paused."""

    # What an exchange orders.

    def mark(self, mark: Mark) -> None:
        self._carrier.mark(mark)

    def inform(self, status: int, fields: Fields) -> None:
        if self.stage is Stage.WAITING:
            self._carrier.engine.inform(self._stream, [_STATUS[status], *fields])
            self._outflow.touch()

    def respond(self, response: Response, *, end: bool, body: bytes = b"") -> None:
        if self.stage is not Stage.WAITING:
            return
        bare = (end and not body) or self._to_head or response.status in (204, 304)
        fields = head_fields(response)
        if self._carrier.services:
            fields.append(announcement(self._carrier))
        self._carrier.engine.respond(self._stream, fields, end=bare)
        self._outflow.touch()
        if bare:
            self._complete()
            return
        self.stage = Stage.ANSWERING
        self._left = -1 if response.length is None else response.length
        if body:
            self.send(body)
        if end:
            self.finish([])

    def send(self, data: bytes) -> None:
        if self.stage is not _ANSWERING or not data:
            return
        if self._left >= 0:
            self._left -= len(data)
            if self._left < 0:
                self.abort()  # there is more than was told: none of it can be trusted
                return
        self.sent += len(data)
        self._outflow.add(self._stream, data)

    def finish(self, trailers: Fields) -> None:
        if self.stage is not Stage.ANSWERING:
            return
        if self._left > 0:
            self.abort()  # it is not complete, whoever says so
            return
        self._carrier.engine.finish(self._stream, trailers)
        self._outflow.touch()
        self._complete()

    def _complete(self) -> None:
        self.stage = Stage.OVER
        self._drop()
        if not self._received:
            self._carrier.linger(self._stream)

    def abort(self) -> None:
        if self.stage is not Stage.OVER:
            self.stage = Stage.OVER
            self._drop()
            if self._carrier.engine.queued(self._stream):
                # A reset drops what is queued: what was said before goes out first, as far as the client takes it.
                self._outflow.touch()
                asyncio.get_running_loop().call_soon(self._cut)
            else:
                self._cut()

    def _cut(self) -> None:
        self._carrier.engine.reset(self._stream, H2Error.INTERNAL_ERROR)
        self._outflow.touch()

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        if self._expects:
            self._expects = False
            self.inform(100, [])
        if self._paused:
            self._paused = False
            if self._held or self._ended is not None:
                asyncio.get_running_loop().call_soon(self._deliver)

    # What the connection tells.

    def data(self, data: bytes, end: bool) -> None:
        """A piece of the request's body."""
        self._came += len(data)
        if end:
            self._received = True
        if self.stage is Stage.OVER:
            self._carrier.engine.consume(self._stream, len(data))
            return
        self._expects = False
        if self._paused or self._held:
            if data:
                if self._held is None:
                    self._held = []
                self._held.append(data)
            if end:
                self._ended = []
            return
        if data:
            self._carrier.engine.consume(self._stream, len(data))
            self.asker.body(data)
        if end:
            self._end_body([])

    def awaited(self) -> int:
        """How much of the body came, if the client alone is waited for; below 0: it is not. A call of gRPC may take its
        time, and so may whoever is answered already."""
        served = self._received or self._expects or self.stage is not Stage.WAITING
        if served or self._paused or self._held or is_grpc(first(self._fields, b"content-type")):
            return -1
        return self._came

    def trailers(self, fields: Fields) -> None:
        """The request is complete."""
        self._received = True
        self._end_body(fields)

    def _end_body(self, trailers: Fields) -> None:
        if self._paused or self._held:
            self._ended = trailers
        elif self.stage is not Stage.OVER:
            self.asker.body_ended(trailers)

    def _deliver(self) -> None:
        while self._held and not self._paused and self.stage is not Stage.OVER:
            piece = self._held.pop(0)
            self._carrier.engine.consume(self._stream, len(piece))
            self._outflow.touch()
            self.asker.body(piece)
        if self._ended is not None:
            trailers, self._ended = self._ended, None
            self._end_body(trailers)

    def _drop(self) -> None:
        held, self._held = self._held, None
        for piece in held or ():
            self._carrier.engine.consume(self._stream, len(piece))

    def slow(self) -> None:
        """What is sent piles up."""
        self.congested = True
        if self.stage is not Stage.OVER:
            self.asker.client_slow()

    def ready(self) -> None:
        """It does no longer."""
        self.congested = False
        if self.stage is not Stage.OVER:
            self.asker.client_ready()

    def closed(self) -> None:
        """The stream is over, or its whole connection."""
        self._drop()
        asker, self.asker = self.asker, NOBODY  # it refers to this stream
        if self.stage is not Stage.OVER:
            self.stage = Stage.OVER
            asker.client_gone()
