"""What a new owner is told before it gets anything new: the protocol's prelude, then the requests of the journal that
its state does not cover and whose answers the client has. Those still unanswered the session sends again itself.

One at a time: their order is part of what they mean.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sbc.core.dialog import Dialog
from sbc.model.http import Fields, Request, Response
from sbc.model.streams import NodeStream
from sbc.protocols.protocol import Conversation
from sbc.runtime.house import House
from sbc.runtime.http.journal import request_of
from sbc.runtime.http.outgoing import Place, outgoing

LONGEST_ANSWER = 1024 * 1024


class Moving(Protocol):
    """The session that has a new owner."""

    house: House
    dialog: Dialog
    conversation: Conversation
    exchanges: Any


class Handover:
    """Asks a new owner one thing after the other."""

    def __init__(self, session: Moving, place: Place, replay: Sequence[bytes], done: Callable[[str], None]) -> None:
        """replay: entries of the journal, up to its end; done: told once, with what went wrong."""
        self._session = session
        self._place = place
        self._done = done
        self._asked: _Asked | None = None
        self._steps: list[tuple[Request, bytes, int]] = []
        conversation = session.conversation
        for request in conversation.prelude():
            self._steps.append((request, conversation.body_of(request), 0))
        open_numbers = {exchange.number for exchange in session.exchanges}
        first = session.dialog.inbound.count - len(replay) + 1
        for number, entry in enumerate(replay, first):
            if number not in open_numbers:
                self._steps.append((*request_of(entry), number))

    def begin(self) -> None:
        """Ask the first."""
        self._next()

    def stop(self) -> None:
        """The new owner is lost already."""
        if self._asked is not None:
            self._asked.stop()

    def _next(self) -> None:
        if not self._steps:
            self._done("")
            return
        request, body, number = self._steps.pop(0)
        sent = outgoing(request, self._place.fields(number))
        sent.bodied, sent.length = bool(body), len(body) if body else None
        self._asked = _Asked(lambda response, answer: self._answered(request, number, response, answer), self._failed)
        self._asked.stream = stream = self._session.house.pool.open(self._place.node, sent, self._asked)
        if body:
            stream.send(body)
            stream.finish([])

    def _answered(self, request: Request, number: int, response: Response, body: bytes) -> None:
        if number == 0 and not self._session.conversation.prelude_answered(request, response, body):
            self._failed(f"the new owner answered {response.status} to what it has to be told first")
        else:
            self._next()

    def _failed(self, reason: str) -> None:
        self._steps = []
        self._done(reason)


class _Asked:
    """One question of the edge's own; implements Answerer."""

    def __init__(self, done: Callable[[Response, bytes], None], failed: Callable[[str], None]) -> None:
        self.stream: NodeStream | None = None
        self._done = done
        self._failed = failed
        self._response: Response | None = None
        self._body = bytearray()

    def stop(self) -> None:
        if self.stream is not None:
            self.stream.abort()

    def sent(self) -> None:
        """Nobody waits for this."""

    def informed(self, status: int, fields: Fields) -> None:
        """Nobody waits for this."""

    def answered(self, response: Response, *, end: bool) -> None:
        self._response = response
        if end:
            self.answer_ended([])

    def answer_body(self, data: bytes) -> None:
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
