"""POST in an MCP session of the 2025 eras: messages of the client, and the answers to its requests.

A lost answer is asked for again in one of two ways: towards the same node, by the event id up to which it came (the
request was acted on once, and is not made again); towards another one, by making the request again, if that is safe.
Losing the connection cancels nothing in these eras.
"""

from collections.abc import Callable
from dataclasses import replace

import orjson

from sbc.model.http import Request, Response
from sbc.protocols.bodies import is_event_stream
from sbc.protocols.events import event_id
from sbc.protocols.mcp import jsonrpc
from sbc.protocols.mcp.delivered import Delivered, Restated
from sbc.protocols.mcp.ids import to_client, to_node
from sbc.protocols.mcp.jsonrpc import Kind, Message
from sbc.protocols.mcp.memory import REMEMBERED, session_id
from sbc.protocols.mcp.safety import Tools, safe
from sbc.protocols.mcp.sessions import BARREN, SessionReading, identified
from sbc.protocols.protocol import Conversation, Ids, Rest


class PostReading(Restated, SessionReading):
    """Some messages of the client. tools: what is known of the route's tools, for messages outside of a session; None:
    what tools are said to be is not believed."""

    __slots__ = ("_batch", "_delivered", "_forgotten", "_has_ids", "_lists", "_messages", "_tools", "begins",
                 "wants_answer")  # fmt: skip

    def __init__(self, request: Request, body: bytes, messages: list[Message], *, batch: bool,
                 tools: Tools | None) -> None:  # fmt: skip
        super().__init__(request, body)
        self._messages = messages
        self._batch = batch
        self._tools = tools
        self._delivered = Delivered(messages, batch=batch)
        self._lists = {each.id for each in messages if tools is not None and each.method == "tools/list"}
        self._forgotten = False
        self._has_ids = False
        self.wants_answer = bool(self._lists)
        self.begins = not self._known and not batch and messages[0].method == "initialize"
        if self.begins:
            self.ids, self.outlives = Ids.OWN, True

    @property
    def in_prelude(self) -> bool:  # type: ignore[override]  # read only
        return all(each.method == "initialize" or each.method in REMEMBERED for each in self._messages)

    @property
    def safe(self) -> bool:
        return all(safe(message, self._tools) for message in self._messages)

    def joins(self, conversation: Conversation) -> None:
        super().joins(conversation)
        if self._known and self._tools is not None:
            self._tools = self._memory.tools
        self._memory.asks(self.request)

    def outgoing(self, request: Request, conversation: Conversation) -> Request:
        request = super().outgoing(request, conversation)
        answers = to_node(self._messages, self._generation) if request.method == b"POST" else None
        if answers is None:
            return request
        self.body = orjson.dumps(answers if self._batch else answers[0])
        return replace(request, length=len(self.body))

    # The answer.

    def answered(self, response: Response, token: Callable[[], bytes], conversation: Conversation) -> Response:
        self._delivered.streamed = is_event_stream(response)
        taken = 200 <= response.status < 300
        if self.begins:
            node_id = session_id(response) if taken else None
            if node_id is None:
                return identified(response, None)
            self._known = True
            self._memory.begun(self.body or b"", node_id)
            return identified(response, token())
        for message in self._messages if taken and self._known else ():
            self._memory.done(message, self.request)
        return super().answered(response, token, conversation)

    def forgotten(self, response: Response) -> bool:
        """404 to a message in a session: the node does not have it (any more). Other methods may get it for being
        unknown to a server, whose session is whole; and so may a message in a session that was begun just now."""
        before, self._forgotten = self._forgotten, self._forgotten or response.status == 404
        return self.needs_session and response.status == 404 and not before

    def event(self, event: bytes) -> bytes | None:
        self._heard(event)
        self._has_ids = self._has_ids or event_id(event) is not None
        if b'"id"' not in event and b"notifications/cancelled" not in event and not self.safe:
            return event  # nothing that has to be known
        messages = jsonrpc.in_event(event)
        passed = [message for message in messages if self._delivered.passes(message)]
        if messages and not passed:
            return None
        for message in passed:
            self._learn(message)
        marked = to_client(passed, self._generation)
        if marked is not None:
            return jsonrpc.with_data(event, marked)
        return event if len(passed) == len(messages) else jsonrpc.with_data(event, [each.whole for each in passed])

    def complete(self) -> bool:
        if self._delivered.whole:
            return True
        # MCP 2025-11-25: a server that gave an id may close the stream, and expects to be asked again.
        self.rest = Rest.SAME if self._has_ids and self._same_node() and not self._worn_out() else Rest.LOST
        return False

    def resumable(self, last_id: bytes | None, *, elsewhere: bool) -> bool:
        return self.safe or (last_id is not None and not elsewhere)

    def resume(self, last_id: bytes | None) -> tuple[Request, bytes] | None:
        if last_id and self._same_node() and self._barren <= BARREN:
            return self._rest_after(last_id)
        if not self.safe or not self._delivered.restart():
            return None
        self._rest_of = None
        return self.request, self.body or b""

    def _learn(self, message: Message) -> None:
        if self._tools is not None and message.kind is Kind.RESPONSE and message.id in self._lists:
            self._tools.learn(message.result)
            self._memory.changed = self._memory.changed or self._known
