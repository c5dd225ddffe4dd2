"""The Model Context Protocol over Streamable HTTP, both eras on one route: 2025-03-26 to 2025-11-25 (with sessions) and
2026-07-28 (without).

The era is told by MCP-Protocol-Version, as servers of both eras do it: a revision that begins with `initialize`, or
none at all, is of the older one. So a client that tries the new era first gets its nodes' own answer, and falls back.
Whatever the edge says itself is a JSON-RPC error; 404 says that a session is truly gone, and nothing else.
"""

from typing import Final

from sbc.model.http import Request, Response
from sbc.protocols.bodies import JSON_TYPE
from sbc.protocols.mcp import jsonrpc
from sbc.protocols.mcp.headers import METHOD, NAME, VERSION, mismatch, modern, twice
from sbc.protocols.mcp.jsonrpc import Code, Id, Kind, Malformed, Message
from sbc.protocols.mcp.listen import ListenReading
from sbc.protocols.mcp.memory import LONGEST_RECORDED, SESSION, Memory, visible
from sbc.protocols.mcp.posts import PostReading
from sbc.protocols.mcp.safety import Tools
from sbc.protocols.mcp.sessions import SessionReading, StreamReading
from sbc.protocols.mcp.stateless import StatelessReading
from sbc.protocols.protocol import Protocol, Reading, Rejection

RECORDED: Final = frozenset({"initialize", "notifications/initialized"})


class Mcp(Protocol):
    """trust_annotations: whether a tool that its node calls read-only or idempotent may be called again elsewhere."""

    def __init__(self, *, trust_annotations: bool = False) -> None:
        # Without sessions there is nothing smaller than the route that could remember what tools are.
        self._tools = Tools() if trust_annotations else None

    def wants_body(self, request: Request) -> bool:
        return request.method == b"POST"

    def read(self, request: Request, body: bytes | None) -> Reading:
        if fault := twice(request, VERSION, SESSION):
            raise _rejection(400, Code.INVALID_REQUEST, fault)
        if modern(request):
            return self._read_modern(request, body)
        token = request.first(SESSION)
        if token is not None and not visible(token):
            raise _rejection(400, Code.INVALID_REQUEST, "mcp-session-id has to be visible ASCII")
        if request.method == b"GET":
            return StreamReading(request)
        if request.method != b"POST":
            return SessionReading(request, body)
        messages, batch = _messages(request, body)
        if any(each.method in RECORDED for each in messages) and len(body or b"") > LONGEST_RECORDED:
            raise _rejection(413, Code.INVALID_REQUEST, f"at most {LONGEST_RECORDED} bytes", messages[0].id)
        return PostReading(request, body or b"", messages, batch=batch, tools=self._tools)

    def _read_modern(self, request: Request, body: bytes | None) -> Reading:
        if request.method == b"OPTIONS":
            return Reading(request, body)
        if request.method != b"POST":
            raise _rejection(405, Code.INVALID_REQUEST, "only POST is known in this revision", allow=b"POST")
        messages, batch = _messages(request, body)
        message = messages[0]
        if batch or message.kind is Kind.RESPONSE:
            raise _rejection(400, Code.INVALID_REQUEST, "one request or notification is expected")
        if message.kind is Kind.REQUEST:
            fault = twice(request, METHOD, NAME) or mismatch(request, message)
            if fault is not None:
                raise _rejection(400, Code.HEADER_MISMATCH, fault, message.id)
            if message.method == "subscriptions/listen":
                return ListenReading(request, body or b"", message)
        return StatelessReading(request, body or b"", message, self._tools)

    def converse(self) -> Memory:
        return Memory()


def _messages(request: Request, body: bytes | None) -> tuple[list[Message], bool]:
    encoding = (request.first(b"content-encoding") or b"identity").lower()
    if encoding != b"identity":
        raise _rejection(415, Code.INVALID_REQUEST, "a compressed body cannot be read here")
    try:
        return jsonrpc.read(body)
    except Malformed as fault:
        raise _rejection(400, fault.code, fault.detail) from None


def _rejection(status: int, code: Code, detail: str, identity: Id | None = None, *,
               allow: bytes | None = None) -> Rejection:  # fmt: skip
    fields = [JSON_TYPE] if allow is None else [JSON_TYPE, (b"allow", allow)]
    body = jsonrpc.errors(() if identity is None else (identity,), code, detail)
    return Rejection(code.name.lower(), detail, Response(status, fields), body)
