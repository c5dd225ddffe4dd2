"""What a new owner is told before it gets anything new: the protocol's prelude, then all that its state does not cover,
in the order in which the client said it, for the order is part of what it means.

A request whose answer the client has is said again by the edge itself, which waits for that answer before it goes on
and gives it to nobody. One whose answer is under way is sent again for its client, and is not waited for.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from sbc.core.dialog import Dialog
from sbc.model.errors import Refusal
from sbc.model.http import Fields, Request, Response
from sbc.model.streams import Answerer, NodeStream
from sbc.protocols.protocol import Conversation, Reading
from sbc.protocols.protocol import Protocol as SessionProtocol
from sbc.runtime.house import House
from sbc.runtime.http.exchange import Exchange
from sbc.runtime.http.journal import request_of
from sbc.runtime.http.outgoing import Place, outgoing

LONGEST_ANSWER = 1024 * 1024
SILENCE = 10.0
"""How long a new owner may say nothing to one of these, in seconds."""
WHOLE = (b"session-answered", b"whole")
"""With a request whose whole answer the client has (docs/DESIGN.md section 5.3)."""


class Moving(Protocol):
    """The session that has a new owner."""

    house: House
    dialog: Dialog
    protocol: SessionProtocol
    conversation: Conversation
    exchanges: dict[Exchange, None]

    def lifted(self, request: Request) -> Request:
        """A request of the journal as its client made it."""

    def send(self, exchange: Exchange, place: Place) -> None:
        """Send an exchange to its node (again)."""


class Handover:
    """Asks a new owner one thing after the other."""

    def __init__(self, session: Moving, place: Place, replay: Sequence[bytes], done: Callable[[str], None], *,
                 stays: bool) -> None:  # fmt: skip
        """replay: entries of the journal, up to its end; done: told once, with what went wrong; stays: the owner has
        heard the prelude, and more."""
        self._session = session
        self._place = place
        self._done = done
        self._asked: _Asked | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._counts = session.dialog.owner is not None and session.dialog.owner.checkpoints
        """Whether the owner has to be given every number."""
        self._prelude = [] if stays else list(session.conversation.prelude())
        self._told = bool(self._prelude)
        """Whether the owner is told a prelude."""
        first = session.dialog.inbound.count - len(replay) + 1
        self._said = dict(enumerate(replay, first))
        self._open = {found.number: found for found in session.exchanges if found.waiting and found.number}
        self._numbers = sorted(self._said.keys() | self._open.keys())

    def begin(self) -> None:
        """Ask the first."""
        if not self._prelude:
            self._session.conversation.taken()
        self._next()

    def stop(self) -> None:
        """The new owner is lost already."""
        self._prelude, self._numbers = [], []
        self._rest()
        if self._asked is not None:
            self._asked.stop()

    def _next(self) -> None:
        if self._prelude:
            request = self._prelude.pop(0)
            body = self._session.conversation.body_of(request)
            self._ask(request, body, 0, lambda response, answer: self._answered(request, response, answer))
            return
        while self._numbers:
            number = self._numbers.pop(0)
            exchange = self._open.get(number)
            if exchange is not None and exchange.waiting:
                self._session.send(exchange, self._place)
            elif number in self._said and self._repeat(number):
                return
        self._rest()
        self._done("")

    def _repeat(self, number: int) -> bool:
        """Say a request again whose answer the client has. False: the owner was told all of it in the prelude."""
        request, body, standing = request_of(self._said[number])
        request = self._session.lifted(request)
        reading = self._read(request, body)
        if self._told and reading.in_prelude and not self._counts:
            return False
        asked = self._ask(request, body, number, lambda response, answer: self._next(), reading)
        asked.head_is_enough = standing
        return True

    def _read(self, request: Request, body: bytes) -> Reading:
        protocol = self._session.protocol
        try:
            reading = protocol.read(request, body if protocol.wants_body(request) else None)
        except Refusal:  # what its route once took is no longer of its protocol
            reading = Reading(request, None)
        reading.joins(self._session.conversation)
        return reading

    def _ask(self, request: Request, body: bytes, number: int, done: Callable[[Response, bytes], None],
             reading: Reading | None = None) -> "_Asked":  # fmt: skip
        sent = outgoing(request, self._place.fields(number))
        if reading is not None:
            sent = reading.outgoing(sent, self._session.conversation)
            body = body if reading.body is None else reading.body
            sent.fields.append(WHOLE)
        sent.bodied, sent.length = bool(body), len(body) if body else None
        self._rest()
        self._asked = asked = _Asked(done, self._failed)
        asked.stream = stream = self._session.house.pool.open(self._place.node, sent, asked)
        if body:
            stream.send(body)
            stream.finish([])
        self._watch = self._session.house.loop.call_later(SILENCE, self._look, asked, 0)
        return asked

    def _look(self, asked: "_Asked", heard: int) -> None:
        if asked.heard == heard:
            asked.stop()
            self._failed("the new owner says nothing")
        else:
            self._watch = self._session.house.loop.call_later(SILENCE, self._look, asked, asked.heard)

    def _rest(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()

    def _answered(self, request: Request, response: Response, body: bytes) -> None:
        conversation = self._session.conversation
        if not conversation.prelude_answered(request, response, body):
            self._failed(f"the new owner answered {response.status} to what it has to be told first")
            return
        if not self._prelude:
            conversation.taken()
        self._next()

    def _failed(self, reason: str) -> None:
        self._prelude, self._numbers = [], []
        self._rest()
        self._done(reason)


class _Asked(Answerer):
    """One question of the edge's own."""

    def __init__(self, done: Callable[[Response, bytes], None], failed: Callable[[str], None]) -> None:
        self.stream: NodeStream | None = None
        self._done = done
        self._failed = failed
        self.head_is_enough = False
        """Whether the answer has no end to wait for."""
        self.heard = 0
        """How often the node has said something."""
        self._response: Response | None = None
        self._body = bytearray()

    def stop(self) -> None:
        if self.stream is not None:
            self.stream.abort()

    def sent(self) -> None:
        """Nobody waits for this."""

    def informed(self, status: int, fields: Fields) -> None:
        self.heard += 1

    def answered(self, response: Response, *, end: bool, body: bytes = b"") -> None:
        self.heard += 1
        self._response = response
        self._body += body
        if self.head_is_enough:
            self.stop()
        if end or self.head_is_enough:
            self.answer_ended([])

    def answer_body(self, data: bytes) -> None:
        self.heard += 1
        if len(self._body) < LONGEST_ANSWER:
            self._body += data

    def answer_ended(self, trailers: Fields) -> None:
        assert self._response is not None
        self._done(self._response, bytes(self._body))

    def node_failed(self, reason: str, *, sent: bool, reached: bool) -> None:
        self._failed(reason)

    def node_slow(self) -> None:
        """A prelude is short."""

    def node_ready(self) -> None:
        """A prelude is short."""
