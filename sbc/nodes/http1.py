"""A connection to a node over HTTP/1.1: one exchange at a time, and idle in between.

    IDLE ──start──> BUSY ──answer complete, both sides fit for more──> IDLE
                     └──anything else──> GONE

What comes while no answer is due is garbage: the connection is not used again (RFC 9112 section 9.2 knows no such
thing, and it may be meant for the next exchange).
"""

import asyncio
from functools import partial
from typing import Protocol, cast

from sbc.model.http import Fields
from sbc.nodes.answer import AnswerReader
from sbc.nodes.dial import ended_properly
from sbc.nodes.errand import Errand
from sbc.nodes.http1_outlet import Outlet
from sbc.wire.http1 import request_head
from sbc.wire.link import HIGH_WATER_BYTES, LOW_WATER_BYTES, QUANTUM_BYTES

UPLOAD_STALL = 30.0
"""Seconds in which a node has to take something of the body that it is sent."""


class Lines(Protocol):
    """Where the line belongs (nodes/lines.py)."""

    def freed(self, line: "Http1Line", patience: float | None = None) -> None:
        """It is idle, and fit for another exchange. patience: for how many seconds the node says it keeps it so."""

    def place(self, errand: Errand) -> None:
        """Have another line carry it."""

    def gone(self, line: "Http1Line") -> None:
        """It carries nothing any more. May be told more than once."""

    def garbage(self) -> None:
        """A node has sent what it should not have."""


class Http1Line(Outlet):
    """A Line (nodes/errand.py), and an asyncio.Protocol by its methods."""

    __slots__ = ("_answer", "_errand", "_headed", "_held", "_lines", "_over", "_paused", "_reused", "_silent", "_stall",
                 "_stalled_at", "idle_until")

    def __init__(self, lines: Lines) -> None:
        super().__init__()
        self._lines = lines
        self._errand: Errand | None = None
        self._answer = AnswerReader()
        self._over = False
        self._reused = False
        """Whether this is not the first exchange."""
        self._silent = True
        """Whether nothing of the answer is here yet."""
        self._headed = False
        """Whether the head of the answer is told."""
        self._paused = False
        """Whether the connection is not read."""
        self._held = False
        """Whether what was read is not told yet: it came in one read with what made the exchange pause."""
        self._stall, self._stalled_at, self.idle_until = 0, 0.0, 0.0

    # The connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only
        self._transport.set_write_buffer_limits(HIGH_WATER_BYTES, LOW_WATER_BYTES)

    def data_received(self, data: bytes) -> None:
        if self._errand is None:
            if not self._over:
                self._lines.garbage()
                self.drop()
            return
        self._silent = False
        self._answer.read(data)
        self._tell(self._errand)
        if len(data) >= QUANTUM_BYTES and not self._paused and not self._over:
            # The loop would read on, up to 8 MiB, before those who write have their turn to say that it is too much.
            self._transport.pause_reading()
            self._loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if not self._paused and not self._over:
            self._transport.resume_reading()

    def eof_received(self) -> bool:
        self._cut("the node closed the connection", whole=ended_properly(self._transport))
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._cut(f"the connection to the node broke: {error or 'closed'}", whole=False)

    def _cut(self, reason: str, *, whole: bool) -> None:
        """Nothing more comes. whole: the node ended the connection itself."""
        if self._over:
            return
        errand, answer = self._errand, self._answer
        if errand is not None and whole and answer.close_framed:
            answer.complete = True
        if errand is not None and answer.complete:
            self._close()  # nothing is lost: what is held will be told
            if not self._held:
                self._tell(errand)
        else:
            self.drop()
            if errand is not None:
                errand.dropped(reason, unanswered=self._silent, reused=self._reused)

    def pause_writing(self) -> None:
        if self._errand is not None:
            self._errand.slow()

    def resume_writing(self) -> None:
        if self._errand is not None:
            self._errand.ready()

    # Orders.

    def start(self, errand: Errand) -> None:
        if self._transport.is_closing():
            self.drop()  # its end is not told yet
            self._lines.place(errand)
        else:
            self.begin(errand)

    def begin(self, errand: Errand) -> None:
        """The same, on a connection that is known not to be closing."""
        request = errand.request
        assert request is not None  # there is no answer yet
        try:
            head = request_head(request)
        except ValueError as error:
            self._lines.freed(self)
            self._loop.call_soon(partial(errand.fail, str(error), sent=False, reached=True))
            return
        if not errand.taken(self):
            self._lines.freed(self)
            return
        self._errand = errand
        self._silent = True
        self._headed = False
        self._answer.expect(head=request.method == b"HEAD")
        self._say_head(request, head)
        errand.begun()

    def send(self, errand: Errand, data: bytes) -> None:
        if errand is not self._errand or not data or self._transport.is_closing():
            return
        if not self._say_body(data):
            self._break(errand, "a longer body than its head said")

    def finish(self, errand: Errand, trailers: Fields) -> None:
        if errand is not self._errand or self._transport.is_closing():
            return
        if not self._say_end(trailers):
            self._break(errand, "a shorter body than its head said")

    def abort(self, errand: Errand) -> None:
        if errand is self._errand:
            self.drop()

    def pause(self, errand: Errand) -> None:
        if errand is self._errand and self._headed:
            self._stop_reading()

    def resume(self, errand: Errand) -> None:
        if errand is not self._errand or not self._paused:
            return
        self._paused = False
        if self._held:
            self._loop.call_soon(self._go_on, errand)
        else:
            self._read_on()

    def _stop_reading(self) -> None:
        if not self._paused:
            self._paused = True
            if not self._over:
                self._transport.pause_reading()

    # For the pool.

    def closing(self) -> bool:
        """Whether the connection is at its end."""
        return self._over or self._transport.is_closing()

    def drop(self) -> None:
        """Close the connection; nothing is told of what it carried."""
        self._errand = None
        self._close()

    def sweep(self, now: float) -> None:
        """Give the exchange up if the node takes nothing of the body that it is sent, for too long."""
        if self._errand is None or self._over:
            return
        waiting = self._transport.get_write_buffer_size()
        if not waiting or waiting != self._stall:
            self._stall, self._stalled_at = waiting, now
        elif now - self._stalled_at > UPLOAD_STALL:
            self.give_up("the node does not take the request's body")

    def give_up(self, reason: str) -> None:
        """Close the connection; what it carried has failed."""
        errand = self._errand
        self.drop()
        if errand is not None:
            errand.fail(reason, sent=True, reached=True)

    # The answer.

    def _tell(self, errand: Errand) -> None:
        """Tell what has come; from the first pause on the rest is held."""
        answer = self._answer
        if answer.fault:
            self._lines.garbage()
            if not answer.complete:
                self.give_up(answer.fault)
                return
        while answer.interim:
            errand.answerer.informed(*answer.interim.pop(0))
        response, answer.response = answer.response, None
        if self._errand is errand and response is not None:
            self._headed = True
            errand.heard()
            if answer.complete and not answer.trailers and not (errand.paused and answer.body):
                body = answer.take_body()
                self._free(errand)
                errand.answerer.answered(response, end=True, body=body)
                return
            errand.answerer.answered(response, end=False)
        self._tell_body(errand)

    def _go_on(self, errand: Errand) -> None:
        if self._errand is errand and not self._paused:
            self._held = False
            self._read_on()
            self._tell_body(errand)

    def _tell_body(self, errand: Errand) -> None:
        answer = self._answer
        if self._errand is errand and self._headed and errand.paused:
            self._stop_reading()
        if self._errand is errand and answer.body:
            if errand.paused:
                self._held = True
                return
            errand.answerer.answer_body(answer.take_body())
        if self._errand is errand and answer.complete:
            trailers = answer.trailers  # the line may go on to the next answer at once
            self._free(errand)
            errand.answerer.answer_ended(trailers)

    def _free(self, errand: Errand) -> None:
        """The answer is complete: on to the next, if the connection is fit for it."""
        errand.done()
        self._errand = None
        if self._over:
            return
        # A body that the node did not wait for would be taken for the next request.
        if self._uploading or not self._answer.keep:
            self._close()
            return
        self._reused = True
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        self._lines.freed(self, self._answer.patience)

    # The end.

    def _break(self, errand: Errand, reason: str) -> None:
        """The request cannot be completed: the node must not take what it has for the whole. Told once this is over."""
        self._loop.call_soon(partial(errand.fail, reason, sent=True, reached=True))
        self.drop()

    def _close(self) -> None:
        if not self._over:
            self._over, self._opening = True, b""
            self._transport.abort()
            self._lines.gone(self)
