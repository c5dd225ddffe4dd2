"""Routes whose answers are streams of server-sent events (HTML Living Standard section 9.2, EventSource).

A GET that asks for events opens a stream that stays: EventSource comes back by itself when it breaks, with the id of
the last event it has in `Last-Event-ID`. Events that come without an id are given one by the edge, so that every
client can say where it was, and in a session without a key which session that is; the edge answers from its journal,
tells a gap with the event `session-gap`, and keeps the node's stream while the client is away. When the node is lost,
the next one is asked to go on after the last id that the lost one gave. By the standard an event without an id has no
place to come back to: what a node sends without one behind the last id is not asked for again, and a node that never
gives ids cannot be asked at all once it has said something; the client's connection is then cut, and EventSource asks
again. Where a node gives ids of its own and the session has no key, a client that comes back is a new one: the ids are
for the next node to go on from.

The answer to any other method is for the one who asked: no client can come back to it (a POST would be a new
request), and leaving is the only way to cancel it, so the node is left when the client leaves.
"""

from collections.abc import Callable
from dataclasses import replace

from sbc.model.http import Request, Response
from sbc.protocols.bodies import asks_for_events, is_event_stream, unencoded
from sbc.protocols.event_ids import handle_of
from sbc.protocols.events import has_data
from sbc.protocols.protocol import Conversation, Ids, Protocol, Reading

_LAST_EVENT = b"last-event-id"
_CONTROLS = bytes([*range(32), 127])
"""What a header field cannot hold (RFC 9110 section 5.5); an id of an event could."""


class SseReading(Reading):
    __slots__ = ("_told", "after", "attentive", "begins", "findable", "keys", "outlives", "standing")

    ids = Ids.ADD

    def __init__(self, request: Request, body: bytes | None) -> None:
        super().__init__(request, body)
        stream = request.method == b"GET" and asks_for_events(request)
        # A stream goes on at another node even if no key leads to it: for that it has to be a session.
        self.begins = self.standing = self.outlives = self.findable = stream
        last = request.first(_LAST_EVENT) if stream else None
        key = handle_of(last) if last else None
        self.keys = (key,) if key is not None else ()
        self.after = last.decode("utf-8", "replace") if last else None
        self.attentive = True
        self._told = False
        """Whether the node has given the client anything."""

    def outgoing(self, request: Request, conversation: Conversation) -> Request:
        return unencoded(request)

    def answered(self, response: Response, token: Callable[[], bytes], conversation: Conversation) -> Response:
        self.standing = self.outlives = self.findable = self.request.method == b"GET" and is_event_stream(response)
        return response

    def event(self, event: bytes) -> bytes:
        if has_data(event):
            self._told, self.attentive = True, False
        return event

    def resumable(self, last_id: bytes | None, *, elsewhere: bool) -> bool:
        return self.resume(last_id) is not None

    def resume(self, last_id: bytes | None) -> tuple[Request, bytes] | None:
        if self.request.method != b"GET":
            return None
        if not last_id or len(last_id.translate(None, _CONTROLS)) < len(last_id):
            return None if self._told else (self.request, b"")
        fields = [field for field in self.request.fields if field[0] != _LAST_EVENT]
        return replace(self.request, fields=[*fields, (_LAST_EVENT, last_id)]), b""


class Sse(Protocol):
    def read(self, request: Request, body: bytes | None) -> Reading:
        return SseReading(request, body)
