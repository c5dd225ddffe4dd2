"""MCP 2026-07-28 `subscriptions/listen`: a stream of what changes, open for as long as both sides like.

    request --> acknowledged (with the filters taken) --> notifications ... --> result: the server ends it in good order

A node that drains sends the result. The client is not told: the same request goes to another node, whose
acknowledgement is left out, and in its place the client is told that all it listens for may have changed, since nothing
is replayed. The edge sends the result itself when it goes.
"""

from collections.abc import Mapping
from typing import Any, Final

from sbc.model.http import Request
from sbc.protocols.mcp import jsonrpc
from sbc.protocols.mcp.jsonrpc import Id, Kind, Message
from sbc.protocols.mcp.stateless import StatelessReading, task_key
from sbc.protocols.protocol import Rest

SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"
ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"
MOST_TASKS: Final = 64
MOST_SILENT: Final = 8
"""How many nodes in a row may end a subscription without having said anything of it, until the client is told."""


class ListenReading(StatelessReading):
    """One subscription."""

    __slots__ = ("_accepted", "_moved", "_over", "_silent", "rest")

    standing = True

    def __init__(self, request: Request, body: bytes, message: Message) -> None:
        super().__init__(request, body, message, None)
        self.rest = Rest.LOST
        self._accepted: Mapping[str, Any] | None = None
        """The filters that the first acknowledgement took: what the client relies on."""
        self._moved = False
        """Whether the acknowledgement of another node is awaited."""
        self._over = False
        self._silent = 0
        wanted = message.params.get("notifications")
        tasks = wanted.get("taskIds") if isinstance(wanted, dict) else None
        found = [task_key(task) for task in tasks[:MOST_TASKS]] if isinstance(tasks, list) else []
        self.keys = tuple(key for key in found if key is not None)

    def event(self, event: bytes) -> bytes | None:
        for message in jsonrpc.in_event(event):
            if message.kind is Kind.RESPONSE and message.id == self._message.id:
                return self._ended(message, event)
            if message.method == ACKNOWLEDGED:
                return self._acknowledged(message, event)
            self._silent = 0
        return event

    def _acknowledged(self, message: Message, event: bytes) -> bytes | None:
        if self._moved:
            self._moved = False
            return b"".join(jsonrpc.event(each) for each in self._changes())
        if self._accepted is None:
            accepted = message.params.get("notifications")
            self._accepted = accepted if isinstance(accepted, dict) else {}
        return event

    def _ended(self, message: Message, event: bytes) -> bytes | None:
        # Before it was acknowledged it is no farewell, but the answer; and an error is never a farewell.
        if self._accepted is not None and "result" in message.whole and self._silent < MOST_SILENT:
            self.rest = Rest.OTHER
            return None
        self._over = True
        return event

    def complete(self) -> bool:
        return self._over or self._delivered.whole

    def resume(self, last_id: bytes | None) -> tuple[Request, bytes] | None:
        self._silent += 1
        if self._silent > MOST_SILENT:
            return None
        self.rest = Rest.LOST
        self._moved = self._accepted is not None
        return self.request, self.body or b""

    def farewell(self) -> bytes:
        meta = _meta(self._message.id)
        return jsonrpc.event({
            "jsonrpc": "2.0", "id": self._message.id, "result": {"_meta": meta, "resultType": "complete"},
        })  # fmt: skip

    def _changes(self) -> list[dict[str, Any]]:
        """All that the client listens for may have changed: what it does then is to ask."""
        accepted, meta = self._accepted or {}, _meta(self._message.id)
        said: list[dict[str, Any]] = [
            {"jsonrpc": "2.0", "method": f"notifications/{kind}/list_changed", "params": {"_meta": meta}}
            for kind in ("tools", "prompts", "resources")
            if accepted.get(f"{kind}ListChanged") is True
        ]
        uris = accepted.get("resourceSubscriptions")
        for uri in uris if isinstance(uris, list) else ():
            params = {"_meta": meta, "uri": uri}
            said.append({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": params})
        return said


def _meta(identity: Id | None) -> dict[str, Any]:
    return {SUBSCRIPTION: identity}
