"""MCP 2026-07-28: no sessions; every request says all that there is to say, and may go to any node.

Three things still bind a client to a node: a task that a call began (`taskId`), the state that a server hands out to
have it back with the answers it asked for (`requestState`, which many servers can only open where they sealed it), and
a subscription (listen.py). A request that names what nobody knows here goes to any node, which knows best.

Closing the answer's stream cancels the request, so nothing outlives its client. When the node is lost, the client's
stream stays: the request is made again if that is safe, and what the client has already is left out.
"""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final

from sbc.model.http import Request, Response
from sbc.protocols.bodies import is_event_stream, unencoded
from sbc.protocols.mcp import jsonrpc
from sbc.protocols.mcp.delivered import Delivered, Restated
from sbc.protocols.mcp.jsonrpc import Kind, Message
from sbc.protocols.mcp.memory import LAST_EVENT, SESSION
from sbc.protocols.mcp.safety import Tools, safe
from sbc.protocols.protocol import Conversation, Key, Reading

ASKING: Final = frozenset({"tools/call", "prompts/get", "resources/read"})
"""Methods whose result may be a task, or a request for input."""
CAPABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"
LONGEST_KEY: Final = 256


class StatelessReading(Restated, Reading):
    """One request or notification. tools: what is known of the route's tools; None: what they say is not believed."""

    __slots__ = ("_delivered", "_message", "_tools", "dispensable", "ends", "keys", "may_begin", "wants_answer")

    def __init__(self, request: Request, body: bytes, message: Message, tools: Tools | None) -> None:
        super().__init__(request, body)
        self._message = message
        self._tools = tools
        self._delivered = Delivered([message])
        lists = message.method == "tools/list" and tools is not None
        self.keys = tuple(_keys(message))
        self.may_begin = message.kind is Kind.REQUEST and message.method in ASKING and _can_more(message)
        self.wants_answer = self.may_begin or lists
        self.dispensable = True  # a client need not come back with its answers
        self.ends = any(key.kind == "state" for key in self.keys)  # handed out to come back once

    @property
    def safe(self) -> bool:
        return safe(self._message, self._tools)

    def outgoing(self, request: Request, conversation: Conversation) -> Request:
        """Mcp-Session-Id and Last-Event-ID mean nothing here, and must not mean anything to an older node either."""
        kept = [(name, value) for name, value in request.fields if name not in (SESSION, LAST_EVENT)]
        return unencoded(replace(request, fields=kept))

    def answered(self, response: Response, token: Callable[[], bytes], conversation: Conversation) -> Response:
        self._delivered.streamed = is_event_stream(response)
        return replace(response, fields=[(name, value) for name, value in response.fields if name != SESSION])

    def event(self, event: bytes) -> bytes | None:
        if b'"id"' not in event and not self.safe:
            return event  # nothing that has to be known
        messages = jsonrpc.in_event(event)
        passed = [message for message in messages if self._delivered.passes(message)]
        for message in passed:
            self._learn(message)
        return None if messages and not passed else event

    def complete(self) -> bool:
        return self._delivered.whole

    def resumable(self, last_id: bytes | None, *, elsewhere: bool) -> bool:
        return self.safe

    def resume(self, last_id: bytes | None) -> tuple[Request, bytes] | None:
        if not self.safe or not self._delivered.restart():
            return None
        return self.request, self.body or b""

    def _learn(self, message: Message) -> None:
        """What an answer says of where its client has to come back to."""
        if message.kind is not Kind.RESPONSE or message.id != self._message.id:
            return
        if self._message.method == "tools/list" and self._tools is not None:
            self._tools.learn(message.result)
        match message.result.get("resultType"):
            case "task":
                key = task_key(message.result.get("taskId"))
                self.dispensable = False
            case "input_required":
                key = _state(message.result.get("requestState"))
            case _:
                key = None
        if key is not None:
            self.learned.append(key)
            self.ends = False


def _can_more(message: Message) -> bool:
    """Whether the client has declared that it can do anything but wait for results: only then may a server begin a
    task, or ask for input."""
    meta = message.params.get("_meta")
    return isinstance(meta, dict) and bool(meta.get(CAPABILITIES))


def _keys(message: Message) -> list[Key]:
    """What a request names that one node may know and others not."""
    found: list[Key | None] = []
    if message.method.startswith("tasks/"):
        found.append(task_key(message.params.get("taskId")))
    found.append(_state(message.params.get("requestState")))
    return [key for key in found if key is not None]


def task_key(task: Any) -> Key | None:
    """The key of a task; None if this is no id of one."""
    return Key("task", task) if isinstance(task, str) and 0 < len(task) <= LONGEST_KEY else None


def _state(state: Any) -> Key | None:
    """Opaque, and of any length: known by its digest."""
    if not isinstance(state, str) or not state:
        return None
    return Key("state", sha256(state.encode(errors="surrogatepass")).hexdigest())
