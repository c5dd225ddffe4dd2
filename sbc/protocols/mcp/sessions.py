"""MCP 2025-03-26 to 2025-11-25: sessions that begin with `initialize` and are known by their Mcp-Session-Id.

The client's id is the edge's own token; the node's stays between node and edge, and changes with the owner. Three kinds
of requests: POST with messages, GET for the stream of what the server says by itself, DELETE to end the session. Event
ids are the edge's own too, and a client that comes back with Last-Event-ID is served from the edge's journal.

A server that mints no session id is stateless: its clients send none, and each of their requests stands for itself.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from sbc.model.errors import Refusal
from sbc.model.http import Fields, Request, Response
from sbc.protocols.bodies import unencoded
from sbc.protocols.mcp import jsonrpc
from sbc.protocols.mcp.delivered import Delivered
from sbc.protocols.mcp.ids import to_client
from sbc.protocols.mcp.memory import LAST_EVENT, SESSION, Memory
from sbc.protocols.protocol import Conversation, Ids, Key, LastWords, Reading, Rest

RETRY: Final = 1.0
"""Seconds until a stream is asked for again that its node closed without a `retry` of its own."""
LONGEST_RETRY: Final = 60.0
BARREN: Final = 5
"""How often in a row a node may close a stream without an event, until it is taken for one that cannot go on."""


class SessionReading(Reading):
    """What the requests of all methods have in common; by itself, a DELETE."""

    __slots__ = ("_barren", "_generation", "_known", "_memory", "_rest_of", "ends", "ids", "keys", "needs_session",
                 "outlives", "rest", "retry")  # fmt: skip

    def __init__(self, request: Request, body: bytes | None) -> None:
        super().__init__(request, body)
        token = request.first(SESSION)
        self.keys = (Key("token", token.decode("latin-1")),) if token is not None else ()
        self.needs_session = self._known = self.outlives = token is not None
        self.ends = request.method == b"DELETE"
        self.ids = Ids.OWN if self._known else Ids.KEEP
        self.rest, self.retry = Rest.LOST, RETRY
        self._memory = Memory()
        self._generation = 0
        self._rest_of: bytes | None = None
        """The node's own last event id, once it is asked for what comes after that."""
        self._barren = 0

    def joins(self, conversation: Conversation) -> None:
        # A session begun before a reload gave its route this protocol has a memory of another kind.
        if isinstance(conversation, Memory):
            self._memory = conversation
            if self._known:
                conversation.is_seen(self.request)

    def outgoing(self, request: Request, conversation: Conversation) -> Request:
        self._generation = self._memory.generation
        dropped = (SESSION, LAST_EVENT) if self._known else (SESSION,)
        fields: Fields = [(name, value) for name, value in request.fields if name not in dropped]
        if self._known and self._memory.node_id is not None:
            fields.append((SESSION, self._memory.node_id))
        if self._rest_of is not None:
            fields.append((LAST_EVENT, self._rest_of))
        return unencoded(replace(request, fields=fields))

    def answered(self, response: Response, token: Callable[[], bytes], conversation: Conversation) -> Response:
        """The node's id never leaves: some clients take the id of any answer for theirs."""
        if response.first(SESSION) is None:
            return response
        return identified(response, self.request.first(SESSION))

    def last_words(self, *, begun: bool) -> LastWords:
        if begun:
            return LastWords(b"", True)
        return Delivered(()).last_words(begun=False)

    def refusal(self, refused: Refusal) -> tuple[Response, bytes]:
        return jsonrpc.refusal(refused, ())

    def _same_node(self) -> bool:
        """Whether the session still has the owner that was asked."""
        return self._known and self._generation == self._memory.generation

    def _heard(self, event: bytes) -> None:
        """The node said something: when it wants to be asked again, and from where."""
        self._barren = 0
        for line in event.splitlines() if b"retry:" in event else ():
            name, _, value = line.partition(b":")
            if name == b"retry" and value.strip().isdigit() and len(value) < 12:
                self.retry = min(int(value) / 1000, LONGEST_RETRY)

    def _worn_out(self) -> bool:
        """The node closed the stream once more: whether there is no use in asking it again."""
        self._barren += 1
        return self._barren > BARREN

    def _rest_after(self, last_id: bytes) -> tuple[Request, bytes]:
        """What asks the same node for the events after this one, of whatever stream it belongs to."""
        self._rest_of = last_id
        kept = [(name, value) for name, value in self.request.fields if name not in (b"accept", b"content-type")]
        fields: Fields = [*kept, (b"accept", b"text/event-stream")]
        return replace(self.request, method=b"GET", fields=fields, bodied=False, length=None), b""


class StreamReading(SessionReading):
    """GET: what the server says by itself, or (with Last-Event-ID) the rest of any stream of the session."""

    __slots__ = ("after",)

    standing = True

    def __init__(self, request: Request) -> None:
        super().__init__(request, None)
        last = request.first(LAST_EVENT)
        self.after = last.decode("latin-1") if self._known and last else None

    def event(self, event: bytes) -> bytes | None:
        self._heard(event)
        messages = jsonrpc.in_event(event) if self._generation else []
        marked = to_client(messages, self._generation)
        return event if marked is None else jsonrpc.with_data(event, marked)

    def complete(self) -> bool:
        """A server may close it at any time, and expects to be asked again; the client need not notice."""
        if not self._known or self._worn_out():
            return True
        self.rest = Rest.SAME if self._same_node() else Rest.LOST
        return False

    def resume(self, last_id: bytes | None) -> tuple[Request, bytes] | None:
        if not self._known:
            return None
        self._rest_of = last_id if last_id and self._same_node() else None
        return self.request, b""


def identified(response: Response, token: bytes | None) -> Response:
    """The answer with this session id, and no other."""
    fields = [(name, value) for name, value in response.fields if name != SESSION]
    if token is not None:
        fields.append((SESSION, token))
    return replace(response, fields=fields)
