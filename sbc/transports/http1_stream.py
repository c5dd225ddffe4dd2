"""One request on an HTTP/1.1 connection, and how it is answered: what an exchange orders becomes bytes here.

    WAITING ──respond──> ANSWERING ──finish──> OVER
       └──────── respond(end), abort, client gone ───┘
"""

from enum import Enum

from sbc.model.http import Fields, Request, Response
from sbc.model.marking import Mark
from sbc.model.streams import Asker, ClientStream
from sbc.wire.http1 import (
    CHUNKED,
    CLOSE,
    LENGTH,
    NONE,
    chunk,
    framing_of,
    interim_head,
    last_chunk,
    response_head,
)


class Carrier:
    """What a stream needs of its connection, which is one of these."""

    __slots__ = ()

    def mark(self, mark: Mark) -> None:
        """See ClientStream."""

    def put(self, data: bytes) -> None:
        """Write, at the end of this turn of the loop at the latest."""
        raise NotImplementedError

    def connection_line(self, last: bool) -> bytes:
        """Decide whether the connection goes on behind this answer (not if `last`): the lines of its head that say so,
        and what else the connection has to say."""
        raise NotImplementedError

    def answered(self, last: bytes) -> None:
        """The answer is complete with this."""
        raise NotImplementedError

    def cut(self, *, reset: bool) -> None:
        """The answer will never be complete: close, or reset, the connection."""
        raise NotImplementedError

    def hold_body(self) -> None:
        """Read no more of the request's body."""
        raise NotImplementedError

    def want_body(self) -> None:
        """Read on."""
        raise NotImplementedError


class Stage(Enum):
    WAITING = "waiting"
    ANSWERING = "answering"
    OVER = "over"


WAITING, ANSWERING, OVER = Stage
"""The same, looked up once: what is found in an enum by its name is found slowly."""


class Http1Stream(ClientStream):
    """One exchange on a connection over HTTP/1."""

    __slots__ = ("_carrier", "_framing", "_left", "_old", "_to_head", "asker", "stage")

    asker: Asker

    def __init__(self, carrier: Carrier, request: Request, congested: bool) -> None:
        self.stage = WAITING
        self.congested = congested
        self._carrier = carrier
        self._to_head = request.method == b"HEAD"
        self._old = request.version == "1.0"
        self._framing = NONE
        self._left = 0
        """What is still to be sent of a body whose length was told."""

    def mark(self, mark: Mark) -> None:
        self._carrier.mark(mark)

    def inform(self, status: int, fields: Fields) -> None:
        if self.stage is WAITING and not self._old:  # RFC 9110 section 15.2: never to HTTP/1.0
            self._carrier.put(interim_head(status, fields))

    def respond(self, response: Response, *, end: bool, body: bytes = b"") -> None:
        if self.stage is not WAITING:
            return
        if end and body and response.length is None:
            response.length = len(body)
        framing = self._framing = framing_of(response, end=end, to_head=self._to_head, old=self._old)
        connection = self._carrier.connection_line(framing is CLOSE)
        whole = end and (not body or (framing is not NONE and response.length == len(body)))
        head = response_head(response, framing, end=end and not body, connection=connection,
                             body=body if whole else b"")  # fmt: skip
        if whole or (framing is NONE and end):
            self._complete(head)
        else:
            self.stage = ANSWERING
            self._left = response.length or 0
            self._carrier.put(head)
            self.send(body)
            if end:
                self.finish([])

    def send(self, data: bytes) -> None:
        if self.stage is not ANSWERING or not data:
            return
        if self._framing is LENGTH:
            self._left -= len(data)
            if self._left < 0:
                self.abort()  # the client would take the rest for another answer
            else:
                self._carrier.put(data)
        elif self._framing is CHUNKED:
            self._carrier.put(chunk(data))
        elif self._framing is CLOSE:
            self._carrier.put(data)

    def finish(self, trailers: Fields) -> None:
        if self.stage is not ANSWERING or (self._framing is LENGTH and self._left):
            self.abort()  # it is not complete, whoever says so
            return
        self._complete(last_chunk(trailers) if self._framing is CHUNKED else b"")

    def _complete(self, last: bytes) -> None:
        self.stage = OVER
        self._carrier.answered(last)

    def abort(self) -> None:
        if self.stage is not OVER:
            reset = self.stage is ANSWERING and self._framing is CLOSE
            self.stage = OVER
            self._carrier.cut(reset=reset)

    def pause(self) -> None:
        if self.stage is not OVER:
            self._carrier.hold_body()

    def resume(self) -> None:
        if self.stage is not OVER:
            self._carrier.want_body()

    # What the connection tells.

    def slow(self) -> None:
        """What is written piles up."""
        if self.stage is not OVER:
            self.congested = True
            self.asker.client_slow()

    def ready(self) -> None:
        """It does no longer."""
        if self.stage is not OVER:
            self.congested = False
            self.asker.client_ready()

    def gone(self) -> None:
        """The client gave up."""
        if self.stage is not OVER:
            self.stage = OVER
            self.asker.client_gone()
