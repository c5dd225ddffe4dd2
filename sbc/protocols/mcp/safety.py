"""What MCP messages may be sent to another node although one was sent them already.

Reading and listing is safe, and so is what sets a thing to a value. A call of a tool is not, unless the tool is said to
be read-only or idempotent and the route trusts its nodes to say so: annotations are hints, and without them a tool is
taken for one that changes things (`readOnlyHint` and `idempotentHint` are false by default).
"""

from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from sbc.protocols.mcp.jsonrpc import Kind, Message

SAFE_METHODS: Final = frozenset({
    "initialize", "ping", "server/discover", "tools/list", "resources/list", "resources/read",
    "resources/templates/list", "resources/subscribe", "resources/unsubscribe", "prompts/list", "prompts/get",
    "completion/complete", "logging/setLevel", "subscriptions/listen", "tasks/list", "tasks/get", "tasks/result",
    "tasks/cancel",
})  # fmt: skip

SAFE_NOTIFICATIONS: Final = frozenset({
    "notifications/initialized", "notifications/cancelled", "notifications/progress",
    "notifications/roots/list_changed", "notifications/tasks/status",
})  # fmt: skip
"""What a server may be told twice. Of those that MCP does not define nothing is known."""

MOST_TOOLS = 1024
MOST_RECORDED = 256
LONGEST_NAME = 256


class Tools:
    """What lists of tools said of each: which may be called twice. Bounded: of further ones nothing is known.

    Lists may differ by who asks for them, so whoever called a tool unsafe once is believed from then on.
    """

    __slots__ = ("_repeatable",)

    def __init__(self) -> None:
        self._repeatable: dict[str, bool] = {}

    def learn(self, result: Mapping[str, Any]) -> None:
        """Read the result of a tools/list."""
        tools = result.get("tools")
        for tool in tools if isinstance(tools, list) else ():
            name = tool.get("name") if isinstance(tool, dict) else None
            if isinstance(name, str) and len(name) <= LONGEST_NAME:
                self._note(name, _repeatable(tool.get("annotations")))

    def _note(self, name: str, repeatable: bool) -> None:
        if name in self._repeatable:
            self._repeatable[name] = self._repeatable[name] and repeatable
        elif len(self._repeatable) < MOST_TOOLS:
            self._repeatable[name] = repeatable

    def dump(self) -> dict[str, bool]:
        """What is known, for a store: of so many tools at most."""
        return dict(islice(self._repeatable.items(), MOST_RECORDED))

    def load(self, known: Mapping[str, bool]) -> None:
        """Know what `dump` wrote."""
        for name, repeatable in known.items():
            self._note(name, repeatable is True)

    def repeatable(self, name: Any) -> bool:
        """Whether a call of this tool may be made again."""
        return isinstance(name, str) and self._repeatable.get(name, False)


def safe(message: Message, tools: Tools | None) -> bool:
    """Whether a message may be sent again. tools: what is known of the tools; None: what they say is not trusted."""
    match message.kind:
        case Kind.RESPONSE:
            return True  # who did not ask, or has the answer already, drops it
        case Kind.NOTIFICATION:
            return message.method in SAFE_NOTIFICATIONS
        case Kind.REQUEST:
            if message.method == "tools/call":
                return tools is not None and tools.repeatable(message.params.get("name"))
            return message.method in SAFE_METHODS


def _repeatable(annotations: Any) -> bool:
    if not isinstance(annotations, dict):
        return False
    return annotations.get("readOnlyHint") is True or annotations.get("idempotentHint") is True
