"""What an MCP session of the 2025 eras is made of on its node, so that another node can be brought to the same point.

A client has done these things with the node that had its session first: `initialize`, `notifications/initialized`, and
maybe `logging/setLevel` and `resources/subscribe`. A new owner is asked the same by the edge. What else a server keeps
in its own memory is not ours.

Owners are numbered (`generation`): by that, streams know whether they still speak with the node that began them, and
ids.py keeps apart what two owners ask of the client.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson

from sbc.model.http import Fields, Request, Response
from sbc.protocols.mcp.ids import MARK
from sbc.protocols.mcp.jsonrpc import Message, event, in_answer
from sbc.protocols.mcp.safety import Tools
from sbc.protocols.protocol import Conversation

SESSION: Final = b"mcp-session-id"
VERSION: Final = b"mcp-protocol-version"
LAST_EVENT: Final = b"last-event-id"

REMEMBERED: Final = frozenset({
    "notifications/initialized", "logging/setLevel", "resources/subscribe", "resources/unsubscribe",
})  # fmt: skip
"""What a client does that a new owner has to be told again, besides `initialize`."""

LONGEST_RECORDED = 64 * 1024
"""Of `initialize` and `notifications/initialized`, each; heads are bounded by the policy."""
LONGEST_LEVEL = 64
LONGEST_ID = 1024
MOST_SUBSCRIPTIONS = 256
LONGEST_URI = 4096


class Memory(Conversation):
    """One session's past, as far as a new owner has to live through it again. Empty for the stateless era."""

    __slots__ = ("_asked", "_candidate", "_capabilities", "_initialize", "_initialized", "_latest", "_level",
                 "_subscriptions", "_version", "generation", "node_id", "tools")  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.node_id: bytes | None = None
        """The Mcp-Session-Id that the owner gave; None: it gave none."""
        self.generation = 0
        """The number of the owner: 0 is the first."""
        self.tools = Tools()
        self._initialize = b""
        self._initialized = b""
        self._version: bytes | None = None
        self._level: str | None = None
        self._subscriptions: dict[str, None] = {}
        self._latest: Request | None = None
        self._asked: list[tuple[Request, bytes]] = []
        self._candidate: bytes | None = None
        self._capabilities: Mapping[str, Any] = {}

    # What the client does.

    def asks(self, request: Request) -> None:
        """The client's newest POST: its fields (credentials grow old) are those that a new owner sees."""
        self._latest = request

    def is_seen(self, request: Request) -> None:
        """Any request of the client's: after a restart of the edge it may be the first that brings its credentials."""
        if self._latest is not None and not self._latest.fields:
            self._latest = replace(request, target=self._latest.target)

    def begun(self, body: bytes, node_id: bytes | None) -> None:
        """A node took this initialize request."""
        self._initialize, self.node_id, self.changed = body, node_id, True

    def done(self, message: Message, request: Request) -> None:
        """A node took this message."""
        self.changed = self.changed or message.method in REMEMBERED
        match message.method:
            case "notifications/initialized":
                self._initialized, self._version = orjson.dumps(message.whole), request.first(VERSION)
            case "logging/setLevel":
                level = message.params.get("level")
                self._level = level if isinstance(level, str) and len(level) <= LONGEST_LEVEL else self._level
            case "resources/subscribe":
                uri = message.params.get("uri")
                if isinstance(uri, str) and len(uri) <= LONGEST_URI and len(self._subscriptions) < MOST_SUBSCRIPTIONS:
                    self._subscriptions[uri] = None
            case "resources/unsubscribe":
                self._subscriptions.pop(str(message.params.get("uri")), None)

    # A new owner.

    def prelude(self) -> Sequence[Request]:
        self._asked, self._candidate = [], None
        if not self._initialize or self._latest is None:
            return ()
        self._asked = [_post(self._latest, self._initialize, None)]
        if self._initialized:
            self._asked.append(_post(self._latest, self._initialized, self._version))
        if self._level is not None:
            self._asked.append(self._call(self._latest, "logging/setLevel", {"level": self._level}))
        for uri in self._subscriptions:
            self._asked.append(self._call(self._latest, "resources/subscribe", {"uri": uri}))
        return [request for request, _ in self._asked]

    def body_of(self, request: Request) -> bytes:
        return next((body for each, body in self._asked if each is request), b"")

    def prelude_answered(self, request: Request, response: Response, body: bytes) -> bool:
        taken = 200 <= response.status < 300
        if not self._asked or request is not self._asked[0][0]:
            # A level or a subscription that the new owner does not take is no reason to have no owner at all.
            return taken or self.body_of(request) != self._initialized
        result = next((each.result for each in in_answer(response, body) if each.result), None)
        # The client goes on with the version that it agreed on with the first owner.
        version = str(result.get("protocolVersion")).encode() if result else b""
        if not taken or not result or (self._version is not None and version != self._version):
            return False
        capabilities = result.get("capabilities")
        self._capabilities = capabilities if isinstance(capabilities, dict) else {}
        self._candidate = session_id(response)
        if self._candidate is not None:
            for each, _ in self._asked[1:]:
                each.fields.append((SESSION, self._candidate))
        return True

    def taken(self) -> None:
        if not self._initialize:
            return
        if self._asked:
            self.node_id = self._candidate
            self.generation += 1
            self.changed = True
        self._asked, self._candidate = [], None

    def moved(self) -> Sequence[bytes]:
        """Whatever may have changed is said to have changed: the client asks again (level, not edge)."""
        events: list[dict[str, Any]] = [
            {"jsonrpc": "2.0", "method": f"notifications/{kind}/list_changed"}
            for kind in ("tools", "prompts", "resources")
            if isinstance(said := self._capabilities.get(kind), dict) and said.get("listChanged") is True
        ]
        events += [
            {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri}}
            for uri in self._subscriptions
        ]
        return [event(each) for each in events]

    def _call(self, latest: Request, method: str, params: Mapping[str, Any]) -> tuple[Request, bytes]:
        identity = f"{MARK}prelude.{len(self._asked)}"
        body = orjson.dumps({"jsonrpc": "2.0", "id": identity, "method": method, "params": params})
        return _post(latest, body, self._version)

    # A restart of the edge.

    def dump(self) -> str:
        """No credentials: the client brings its own with its next request."""
        if not self._initialize or self._latest is None:
            return ""
        return orjson.dumps({
            "initialize": self._initialize.decode(), "initialized": self._initialized.decode(),
            "version": _text(self._version), "node": _text(self.node_id), "generation": self.generation,
            "level": self._level, "subscriptions": list(self._subscriptions), "tools": self.tools.dump(),
            "target": _text(self._latest.target), "authority": _text(self._latest.authority),
        }).decode()  # fmt: skip

    def load(self, text: str) -> None:
        if not text:
            return
        said = orjson.loads(text)
        try:
            self._initialize, self._initialized = said["initialize"].encode(), said["initialized"].encode()
            self._version, self.node_id = _octets(said["version"]), _octets(said["node"])
            self.generation, self._level = int(said["generation"]), said["level"]
            self._subscriptions = dict.fromkeys(str(uri) for uri in said["subscriptions"])
            self.tools.load(said.get("tools", {}))  # an edge of an earlier version has not written it
            self._latest = Request(b"POST", said["target"].encode("latin-1"), said["authority"].encode("latin-1"), [])
        except (KeyError, TypeError, AttributeError) as fault:
            raise ValueError(f"not the memory of an MCP session: {fault!r}") from None


def _post(latest: Request, body: bytes, version: bytes | None) -> tuple[Request, bytes]:
    own = (SESSION, VERSION, LAST_EVENT, b"accept", b"content-type", b"accept-encoding")
    fields: Fields = [(name, value) for name, value in latest.fields if name not in own]
    fields += [(b"accept", b"application/json, text/event-stream"), (b"content-type", b"application/json")]
    if version is not None:
        fields.append((VERSION, version))
    return replace(latest, method=b"POST", fields=fields, bodied=True, length=len(body)), body


def session_id(response: Response) -> bytes | None:
    """The Mcp-Session-Id of an answer; None if there is none, or it is none that a client may echo."""
    value = response.first(SESSION)
    return value if value is not None and visible(value) else None


def visible(value: bytes) -> bool:
    """Whether this can be a session id: visible ASCII (MCP 2025-06-18, "session management"), of bounded length."""
    return 0 < len(value) <= LONGEST_ID and all(0x21 <= octet <= 0x7E for octet in value)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")


def _octets(value: str | None) -> bytes | None:
    return None if value is None else value.encode("latin-1")
