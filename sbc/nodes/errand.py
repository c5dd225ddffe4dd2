"""One request on its way to a node, whichever connection carries it: the node's side of an exchange.

    WAITING ──a line takes it──> UNDER_WAY ──answer complete, failed or aborted──> OVER
       └──────────────────────────────┴── back once, if the request certainly was not, or may safely be, acted on

What is sent before there is a line is kept here, within a bound.
"""

import asyncio
from enum import Enum
from typing import Protocol

from sbc.model.http import Fields, Request
from sbc.model.streams import Answerer
from sbc.protocols.protocol import IDEMPOTENT_METHODS

EARLY_BYTES = 64 * 1024
"""How much of a body may wait for a connection before whoever sends it is told to hold on."""


class Errands(Protocol):
    """Where errands wait for a line (nodes/lines.py)."""

    def place(self, errand: "Errand") -> None:
        """Have a line carry it. Facts may be told before this returns."""

    def withdraw(self, errand: "Errand") -> None:
        """Nobody waits for its answer any more."""


class Line(Protocol):
    """A connection to a node, as its errands see it. An order for an errand that it does not carry does nothing."""

    def start(self, errand: "Errand") -> None:
        """Write the request's head."""

    def send(self, errand: "Errand", data: bytes) -> None:
        """Write a piece of the request's body."""

    def finish(self, errand: "Errand", trailers: Fields) -> None:
        """Write the end of the request's body."""

    def abort(self, errand: "Errand") -> None:
        """Give the exchange up: nothing is told of it any more."""

    def pause(self, errand: "Errand") -> None:
        """Read no more of the answer's body."""

    def resume(self, errand: "Errand") -> None:
        """Read it again."""


class State(Enum):
    WAITING = "waiting"
    UNDER_WAY = "under way"
    OVER = "over"


WAITING, UNDER_WAY, OVER = State
"""The same, looked up once: what is found in an enum by its name is found slowly."""


class Errand:
    """A NodeStream (model/streams.py)."""

    __slots__ = ("_body_begun", "_early", "_early_bytes", "_early_end", "_errands", "_line", "_repeated",
                 "_slow_told", "_told",
                 "answerer", "congested", "paused", "request", "since", "state")

    def __init__(self, errands: Errands, request: Request, answerer: Answerer) -> None:
        self.request: Request | None = request
        """None once there is an answer: it is not sent again, and there are as many as streams."""
        self.answerer = answerer
        self.state = WAITING
        self.since = 0.0
        """From when on it waits for a line, by the loop's clock."""
        self.congested = False
        self.paused = False
        self._errands = errands
        self._line: Line | None = None
        self._early: list[bytes] | None = None
        self._early_bytes = 0
        self._early_end: Fields | None = None
        self._body_begun = False
        self._repeated = False
        self._told = False
        self._slow_told = False

    @property
    def repeated(self) -> bool:
        """Whether an idle connection has failed it before."""
        return self._repeated

    # Orders.

    def send(self, data: bytes) -> None:
        if self._line is not None:
            self._body_begun = True
            self._line.send(self, data)
        elif self.state is WAITING:
            if self._early is None:
                self._early = []
            self._early.append(data)
            self._early_bytes += len(data)
            if self._early_bytes > EARLY_BYTES and not self.congested:
                self.congested = True
                asyncio.get_running_loop().call_soon(self._say_slow)

    def finish(self, trailers: Fields) -> None:
        if self._line is not None:
            self._body_begun = True
            self._line.finish(self, trailers)
        elif self.state is WAITING:
            self._early_end = trailers

    def abort(self) -> None:
        if self.state is OVER:
            return
        line = self._line
        waited = self.state is WAITING
        self._end()
        if line is not None:
            line.abort(self)
        elif waited:
            self._errands.withdraw(self)

    def pause(self) -> None:
        self.paused = True
        if self._line is not None:
            self._line.pause(self)

    def resume(self) -> None:
        self.paused = False
        if self._line is not None:
            self._line.resume(self)

    # From the line.

    def taken(self, line: Line) -> bool:
        """A line is about to write the head. Whether it shall."""
        self.state = UNDER_WAY
        self._line = line
        if not self._told:
            self._told = True
            self.answerer.sent()
        return self.state is UNDER_WAY

    def begun(self) -> None:
        """The head is written: what has waited for that follows."""
        early, end = self._early, self._early_end
        if early or end is not None:
            self._early, self._early_bytes, self._early_end = None, 0, None
            self.congested = False
            if early:
                self.send(early[0] if len(early) == 1 else b"".join(early))
            if end is not None:
                self.finish(end)
            if self._slow_told and not self.congested and self.state is UNDER_WAY:
                self.answerer.node_ready()

    def heard(self) -> None:
        """The head of an answer is here."""
        self.request = None

    def slow(self) -> None:
        """What is written on the line piles up."""
        if not self.congested:
            self.congested = True
            self.answerer.node_slow()

    def ready(self) -> None:
        """It does no longer."""
        if self.congested:
            self.congested = False
            self.answerer.node_ready()

    def done(self) -> None:
        """The line has the whole answer, and is about to tell the last of it."""
        self._end()

    def fail(self, reason: str, *, sent: bool, reached: bool) -> None:
        """There will be no (more) answer."""
        if self.state is not OVER:
            self._end()
            self.answerer.node_failed(reason, sent=sent, reached=reached)

    def dropped(self, reason: str, *, unanswered: bool, reused: bool) -> None:
        """The line broke. unanswered: before any byte of an answer; reused: it had been idle."""
        # RFC 9112 section 9.3.1: an idle connection may be closed at any time, so what cannot do harm is sent again.
        request = self.request
        if unanswered and reused and request is not None and request.method in IDEMPOTENT_METHODS \
                and self._may_go_again():
            self._go_again()
        else:
            self.fail(reason, sent=True, reached=True)

    def refused(self, reason: str) -> None:
        """The node says that it has not acted on the request (RFC 9113 section 8.7)."""
        if self._may_go_again():
            self._go_again()
        else:
            self.fail(reason, sent=False, reached=True)

    def _may_go_again(self) -> bool:
        fresh = not self._repeated and not self._body_begun and self.request is not None
        return fresh and self.state is UNDER_WAY

    def _go_again(self) -> None:
        self._repeated = True
        self.state = WAITING
        self._line = None
        self._errands.place(self)

    def _end(self) -> None:
        self.state = OVER
        self._line = None
        self._early = None

    def _say_slow(self) -> None:
        if self.congested and self.state is WAITING:
            self._slow_told = True
            self.answerer.node_slow()
