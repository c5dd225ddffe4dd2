"""An errand on a stream of an HTTP/2 connection: what it says of its request, and is told of the answer."""

import asyncio
from typing import Protocol

from sbc.model.http import Fields, Request, Response
from sbc.nodes.answer import MOST_FIELDS, MOST_INTERIM
from sbc.nodes.errand import Errand
from sbc.nodes.http1 import UPLOAD_STALL
from sbc.wire.http2.engine import Engine, H2Error

RESET = "the node reset the stream"
"""How the reason begins if a node said no more to a request than that."""


class Carrier(Protocol):
    """The connection (nodes/http2.py)."""

    engine: Engine
    secure: bool

    def flush(self) -> None: ...

    def board(self, passenger: "ErrandStream", fields: Fields, *, end: bool) -> int: ...

    def alight(self, number: int) -> None: ...

    def garbage(self) -> None: ...


class ErrandStream:
    """A Line (nodes/errand.py) for one errand, and a Passenger (nodes/passenger.py)."""

    __slots__ = ("_bodiless", "_carrier", "_ended", "_errand", "_held", "_interim", "_number", "_owed", "_queued",
                 "_queued_at", "_trailers", "_uploading")

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._errand: Errand | None = None
        self._number = 0
        self._bodiless = False
        self._uploading = False
        """Whether the request's body is not at its end."""
        self._owed: int | None = None
        """How much of a body of known length is still to be sent."""
        self._interim = 0
        self._held: list[bytes] | None = None
        """What came of the body while the exchange takes none: no more than the stream's window."""
        self._ended = False
        self._trailers: Fields | None = None
        self._queued, self._queued_at = 0, 0.0

    # Orders.

    def start(self, errand: Errand) -> None:
        """Write the request's head."""
        if not errand.taken(self):
            return
        request = errand.request
        assert request is not None  # there is no answer yet
        number = self._carrier.board(self, _fields(request, self._carrier.secure), end=not request.bodied)
        if not number:
            errand.refused("the connection takes no such request")
            return
        self._errand = errand
        self._number = number
        self._bodiless = request.method == b"HEAD"
        self._uploading = request.bodied
        self._owed = request.length
        errand.begun()

    def send(self, errand: Errand, data: bytes) -> None:
        if errand is not self._errand or not self._uploading or not data:
            return
        if self._owed is not None:
            self._owed -= len(data)
            if self._owed < 0:
                self._break("a longer body than its head said")
                return
        self._carrier.engine.send(self._number, data)
        self._carrier.flush()

    def finish(self, errand: Errand, trailers: Fields) -> None:
        if errand is not self._errand or not self._uploading:
            return
        if self._owed:
            self._break("a shorter body than its head said")
            return
        self._uploading = False
        self._carrier.engine.finish(self._number, trailers)
        self._carrier.flush()

    def abort(self, errand: Errand) -> None:
        if errand is self._errand:
            self._reset(H2Error.CANCEL)

    def pause(self, errand: Errand) -> None:
        """Nothing to do: what comes from here on is held, and the node's window shut once it is full."""

    def resume(self, errand: Errand) -> None:
        if errand is self._errand and (self._held or self._ended):
            asyncio.get_running_loop().call_soon(self._go_on, errand)

    # Facts.

    def head(self, fields: Fields, end: bool) -> None:
        errand = self._errand
        if errand is None:
            return
        response = _response(fields)
        if response is None or len(fields) > MOST_FIELDS + 1:
            self._give_up("an improper head of an answer", H2Error.PROTOCOL_ERROR)
            return
        errand.heard()
        self._bodiless = self._bodiless or response.status in (204, 304)
        if end:
            self._leave(errand)
        errand.answerer.answered(response, end=end)

    def interim(self, fields: Fields) -> None:
        self._interim += 1
        response = _response(fields)
        if self._errand is None:
            return
        # RFC 9113 section 8.6: 101 has no meaning here.
        if self._interim > MOST_INTERIM or response is None or response.status == 101 or len(fields) > MOST_FIELDS + 1:
            self._give_up("improper or too many interim answers", H2Error.ENHANCE_YOUR_CALM)
        elif response.status != 100:
            self._errand.answerer.informed(response.status, response.fields)

    def data(self, data: bytes, end: bool) -> None:
        errand = self._errand
        if errand is None:
            self._carrier.engine.consume(self._number, len(data))
            return
        if data and self._bodiless:
            self._carrier.engine.consume(self._number, len(data))
            self._give_up("a body where there can be none", H2Error.PROTOCOL_ERROR)
            return
        self._ended = end
        if errand.paused or self._held:
            if data:
                if self._held is None:
                    self._held = []
                self._held.append(data)
            return
        self._pass_on(errand, data)

    def trailers(self, fields: Fields) -> None:
        if self._errand is not None:
            self._trailers = fields
            self._ended = True
            if not self._held:
                self._pass_on(self._errand, b"")

    def closed(self, code: int, remote: bool) -> None:
        """Both sides are complete, or the stream was reset."""
        errand = self._errand
        if errand is None or self._ended:
            return  # what is held will be told
        if code == H2Error.REFUSED_STREAM:
            self.refused("the node refused the stream")
            return
        self._errand = None
        self._let_go()
        who = RESET if remote else "the node broke the stream"
        errand.fail(f"{who}: {error_name(code)}", sent=True, reached=True)

    def refused(self, reason: str) -> None:
        """RFC 9113 section 8.7: whoever refuses has done nothing, unless it has answered already."""
        errand, self._errand = self._errand, None
        self._let_go()
        if errand is not None:
            errand.refused(reason)

    def lost(self, reason: str) -> None:
        errand = self._errand
        if errand is not None and not self._ended:
            self._errand = None
            errand.fail(reason, sent=True, reached=True)

    def slow(self) -> None:
        if self._errand is not None:
            self._errand.slow()

    def ready(self) -> None:
        if self._errand is not None:
            self._errand.ready()

    def sweep(self, now: float) -> None:
        queued = self._carrier.engine.queued(self._number)
        if not queued or queued != self._queued:
            self._queued, self._queued_at = queued, now
        elif now - self._queued_at > UPLOAD_STALL:
            self._give_up("the node does not take the request's body", H2Error.CANCEL)

    # The body of the answer.

    def _go_on(self, errand: Errand) -> None:
        if errand is self._errand and not errand.paused:
            held, self._held = self._held, None
            self._pass_on(errand, b"".join(held) if held else b"")
            self._carrier.flush()

    def _pass_on(self, errand: Errand, data: bytes) -> None:
        if data:
            self._carrier.engine.consume(self._number, len(data))
            errand.answerer.answer_body(data)
        if self._ended and errand is self._errand:
            self._leave(errand)
            errand.answerer.answer_ended(self._trailers or [])

    # The end.

    def _leave(self, errand: Errand) -> None:
        """The answer is complete."""
        errand.done()
        self._errand = None
        if self._uploading:  # RFC 9113 section 8.1: the node did not wait for the rest, so it does not want it
            self._carrier.engine.reset(self._number, H2Error.NO_ERROR)
            self._carrier.flush()
        self._carrier.alight(self._number)

    def _reset(self, code: int) -> None:
        self._errand = None
        self._let_go()
        self._carrier.engine.reset(self._number, code)
        self._carrier.flush()
        self._carrier.alight(self._number)

    def _let_go(self) -> None:
        """What is held will not be told; the other streams get its room in the connection's window."""
        if self._held:
            self._carrier.engine.consume(self._number, sum(map(len, self._held)))
            self._held = None
            self._carrier.flush()

    def _give_up(self, reason: str, code: int) -> None:
        errand = self._errand
        self._carrier.garbage()
        self._reset(code)
        if errand is not None:
            errand.fail(reason, sent=True, reached=True)

    def _break(self, reason: str) -> None:
        """The request cannot be completed: the node must not take what it has for the whole."""
        errand = self._errand
        self._reset(H2Error.CANCEL)
        if errand is not None:
            asyncio.get_running_loop().call_soon(_fail, errand, reason)


def error_name(code: int) -> str:
    """What an error code of RFC 9113 section 7 is called."""
    try:
        return H2Error(code).name
    except ValueError:
        return f"code {code}"


def _fail(errand: Errand, reason: str) -> None:
    errand.fail(reason, sent=True, reached=True)


def _fields(request: Request, secure: bool) -> Fields:
    """RFC 9113 section 8.3.1."""
    head = [
        (b":method", request.method), (b":scheme", b"https" if secure else b"http"), (b":authority", request.authority),
        (b":path", request.target), *request.fields,
    ]  # fmt: skip
    if request.length is not None:
        head.append((b"content-length", b"%d" % request.length))
    return head


def _response(fields: Fields) -> Response | None:
    """The head of an answer; None if it is none."""
    length: int | None = None
    status = 0
    kept: Fields = []
    for field in fields:
        name, value = field
        if name == b"content-length" and value.isdigit():
            length = int(value)
        elif name == b":status":
            status = int(value) if len(value) == 3 and value.isdigit() else 0
        else:
            kept.append(field)
    return Response(status, kept, length) if status >= 100 else None
