"""What the client has been given of the answer to a POST: so that it gets each response once, and after a handover
nothing of what the lost node said already.

A new node says all of it again from the beginning. Responses are known by their ids; progress only ever grows (MCP,
"progress notifications"), so what does not go beyond the last was there before; other notifications are compared byte
by byte. Requests of a node always pass: the new node waits for an answer of its own.
"""

from collections import Counter
from collections.abc import Iterable

from sbc.model.errors import Refusal
from sbc.model.http import Response
from sbc.protocols.mcp import jsonrpc
from sbc.protocols.mcp.jsonrpc import Code, Id, Kind, Message
from sbc.protocols.protocol import LastWords

LOST = "the agent was lost; it may have acted on this request"

MOST_REMEMBERED = 1024
MOST_RESTARTS = 3


class Delivered:
    """The answer to some requests, as far as it has gone to the client."""

    __slots__ = ("_again", "_asked", "_batch", "_open", "_progress", "_restarts", "_said", "streamed")

    def __init__(self, messages: Iterable[Message], *, batch: bool = False) -> None:
        """messages: what was asked; batch: as JSON, the answer is a list."""
        asked = [each.id for each in messages if each.kind is Kind.REQUEST and each.id is not None]
        self.streamed = False
        """Whether the answer is a stream of events."""
        self._batch = batch
        self._asked = frozenset(asked)
        self._open = dict.fromkeys(asked)
        self._progress: dict[Id, float] = {}
        self._restarts = 0
        self._said: Counter[int] = Counter()
        self._again: Counter[int] = Counter()

    @property
    def whole(self) -> bool:
        """Whether the client has all responses."""
        return not self._open

    def restart(self) -> bool:
        """Another node begins with the answer again; False: it was tried often enough. A request that every node breaks
        on must not go through all of them."""
        self._restarts += 1
        self._again = self._said.copy()
        return self._restarts <= MOST_RESTARTS

    def gone_on(self, response: Response, body: bytes) -> list[Message]:
        """What the client is to be given of an answer that came whole, in the place of a stream that broke off."""
        # An error without an id says that the request was not even read: it answers nothing.
        return [each for each in jsonrpc.in_answer(response, body) if each.id is not None and self.passes(each)]

    def last_words(self, *, begun: bool) -> LastWords:
        """Every request that is not answered has failed, with an outcome that cannot be known."""
        if begun and not self.streamed:
            return LastWords(b"", False)
        if begun:
            said = [jsonrpc.error(each, Code.OUTCOME_UNKNOWN, LOST, outcome="unknown") for each in self._open]
            return LastWords(b"".join(jsonrpc.event(each) for each in said), True)
        body = jsonrpc.errors(self._open, Code.OUTCOME_UNKNOWN, LOST, batch=self._batch, outcome="unknown")
        return LastWords(body, True)

    def refusal(self, refused: Refusal) -> tuple[Response, bytes]:
        """A refusal as the answer to every request."""
        return jsonrpc.refusal(refused, self._open, batch=self._batch)

    def passes(self, message: Message) -> bool:
        """Whether the client is to be given this message; if so, it is taken for delivered."""
        match message.kind:
            case Kind.REQUEST:
                return True
            case Kind.RESPONSE:
                return self._response(message.id)
            case Kind.NOTIFICATION if message.method == "notifications/progress":
                return self._advances(message)
            case Kind.NOTIFICATION:
                return self._is_new(hash(repr(message.whole)))

    def _response(self, identity: Id | None) -> bool:
        if identity is None or identity not in self._asked:
            return True
        if identity not in self._open:
            return False
        del self._open[identity]
        return True

    def _advances(self, message: Message) -> bool:
        token, progress = message.params.get("progressToken"), message.params.get("progress")
        if not isinstance(token, str | int) or not isinstance(progress, int | float):
            return True
        last = self._progress.get(token)
        if self._restarts and last is not None and progress <= last:
            return False
        if last is not None or len(self._progress) < MOST_REMEMBERED:
            self._progress[token] = progress
        return True

    def _is_new(self, digest: int) -> bool:
        if self._again[digest] > 0:
            self._again[digest] -= 1
            return False
        if digest in self._said or len(self._said) < MOST_REMEMBERED:
            self._said[digest] += 1
        return True


class Restated:
    """Mixed into a Reading whose answer another node may say again from its beginning."""

    __slots__ = ()

    _delivered: Delivered

    def _learn(self, message: Message) -> None:
        """What a message of the answer says that has to be known."""
        raise NotImplementedError

    def whole_answer(self, body: bytes) -> bytes:
        for message in jsonrpc.in_answer(Response(200), body):
            self._learn(message)
        return body

    def resume_answered(self, response: Response, body: bytes) -> bytes | None:
        passed = self._delivered.gone_on(response, body)
        for message in passed:
            self._learn(message)
        return b"".join(jsonrpc.event(message.whole) for message in passed) or None

    def last_words(self, *, begun: bool) -> LastWords:
        return self._delivered.last_words(begun=begun)

    def refusal(self, refused: Refusal) -> tuple[Response, bytes]:
        return self._delivered.refusal(refused)
