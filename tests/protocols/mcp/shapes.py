"""Requests, answers and events as the MCP SDK (2.3) sends them, and an exchange played by hand."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from sbc.model.http import Fields, Request, Response
from sbc.protocols.mcp import Mcp
from sbc.protocols.mcp.memory import Memory
from sbc.protocols.protocol import Reading

TOKEN = b"k1.c2VhbGVk"
NODE_ID = b"0f1e2d3c4b5a"
V2025 = b"2025-11-25"
V2026 = b"2026-07-28"
ACCEPT = (b"accept", b"application/json, text/event-stream")
META = {"io.modelcontextprotocol/protocolVersion": V2026.decode(), "io.modelcontextprotocol/clientCapabilities": {}}


def call(identity: Any, method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}


def told(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, **({"params": params} if params else {})}


def result(identity: Any, **said: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identity, "result": said}


def request(body: Any = None, *, method: bytes = b"POST", session: bytes | None = None, version: bytes | None = None,
            more: Fields | None = None) -> tuple[Request, bytes | None]:  # fmt: skip
    """A request of the older era, with its body."""
    fields: Fields = [ACCEPT, (b"content-type", b"application/json"), (b"accept-encoding", b"gzip"), *(more or [])]
    if session is not None:
        fields.append((b"mcp-session-id", session))
    if version is not None:
        fields.append((b"mcp-protocol-version", version))
    octets = None if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
    head = Request(method, b"/mcp", b"edge.test", fields, bodied=octets is not None, length=len(octets or b""))
    return head, octets


def modern(body: dict[str, Any], name: bytes | None = None, *, more: Fields | None = None,
           capabilities: Mapping[str, Any] | None = None) -> tuple[Request, bytes | None]:  # fmt: skip
    """A request of 2026-07-28, its headers and `_meta` as they have to be."""
    meta = {**META, "io.modelcontextprotocol/clientCapabilities": dict(capabilities or {})}
    body = {**body, "params": {**body.get("params", {}), "_meta": meta}}
    fields = [(b"mcp-method", body["method"].encode()), *(more or [])]
    if name is not None:
        fields.append((b"mcp-name", name))
    return request(body, version=V2026, more=fields)


def event(message: Any, identity: bytes | None = None) -> bytes:
    head = b"id: " + identity + b"\r\n" if identity is not None else b""
    return head + b"event: message\r\ndata: " + orjson.dumps(message) + b"\r\n\r\n"


def said(event: bytes | None) -> list[Any]:
    """The messages of some events."""
    assert event is not None
    lines = event.replace(b"\r\n", b"\n").split(b"\n")
    return [orjson.loads(line[5:]) for line in lines if line.startswith(b"data:")]


def sse(session: bytes | None = None) -> Response:
    fields: Fields = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache, no-transform")]
    return Response(200, fields + ([(b"mcp-session-id", session)] if session is not None else []))


def json(status: int = 200, session: bytes | None = None) -> Response:
    fields: Fields = [(b"content-type", b"application/json")]
    return Response(status, fields + ([(b"mcp-session-id", session)] if session is not None else []))


def token() -> bytes:
    return TOKEN


def ask(protocol: Mcp, memory: Memory, asked: tuple[Request, bytes | None]) -> tuple[Reading, Request]:
    """Read a request, and bring it on its way: the reading, and what the node sees."""
    reading = protocol.read(*asked)
    reading.joins(memory)
    return reading, reading.outgoing(asked[0], memory)


INITIALIZE = call(0, "initialize", protocolVersion=V2025.decode(), capabilities={}, clientInfo={"name": "c"})
SERVER = {"protocolVersion": V2025.decode(), "capabilities": {"tools": {"listChanged": True}, "prompts": {}},
          "serverInfo": {"name": "s"}}  # fmt: skip


def begin(protocol: Mcp, memory: Memory, *more: dict[str, Any]) -> None:
    """A session up to where its client may call tools."""
    reading, _ = ask(protocol, memory, request(INITIALIZE))
    reading.answered(sse(NODE_ID), token, memory)
    reading.event(event(result(0, **SERVER)))
    for each in (told("notifications/initialized"), *more):
        reading, _ = ask(protocol, memory, request(each, session=TOKEN, version=V2025))
        reading.answered(Response(202) if "id" not in each else sse(NODE_ID), token, memory)


def move(memory: Memory, node_id: bytes | None, version: bytes = V2025) -> list[tuple[Request, Any]]:
    """Bring a new owner to the same point: what it is asked, each answered as a server would."""
    asked: Sequence[Request] = memory.prelude()
    seen = []
    for each in asked:
        body = orjson.loads(memory.body_of(each))
        seen.append((each, body))
        if body["method"] == "initialize":
            answer = result(body["id"], **{**SERVER, "protocolVersion": version.decode()})
            assert memory.prelude_answered(each, sse(node_id), event(answer))
        else:
            assert memory.prelude_answered(each, Response(202) if "id" not in body else json(), b"")
    memory.taken()
    return seen
