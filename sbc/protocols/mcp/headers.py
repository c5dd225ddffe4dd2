"""MCP 2026-07-28: what request headers say of the body, and whether it is true.

`MCP-Protocol-Version`, `Mcp-Method` and `Mcp-Name` mirror what stands in the body, for those that do not read it. An
edge that let a request pass whose headers and body disagree would have it treated one way here and another way there.
Values that a header cannot carry stand as `=?base64?...?=` (of UTF-8, case-sensitive): decoded before comparing.
"""

import base64
import binascii
from typing import Final

from sbc.model.http import Request
from sbc.protocols.mcp.jsonrpc import Message

VERSION: Final = b"mcp-protocol-version"
METHOD: Final = b"mcp-method"
NAME: Final = b"mcp-name"

HANDSHAKE_VERSIONS: Final = frozenset({b"2024-11-05", b"2025-03-26", b"2025-06-18", b"2025-11-25"})
"""Revisions whose sessions begin with `initialize`. Every other one, known or not, has its say in each request."""

META_VERSION: Final = "io.modelcontextprotocol/protocolVersion"

NAMED_BY: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""Methods that must have Mcp-Name, and which parameter it mirrors."""

_OPENING: Final = b"=?base64?"
_CLOSING: Final = b"?="


def modern(request: Request) -> bool:
    """Whether a request is of the era without sessions. Without a version it is of an older one (2025-03-26)."""
    version = request.first(VERSION)
    return version is not None and version not in HANDSHAKE_VERSIONS


def twice(request: Request, *names: bytes) -> str | None:
    """The first of these headers that is there more than once: two readers might take two different ones."""
    for name in names:
        if sum(key == name for key, _ in request.fields) > 1:
            return f"{name.decode()} header appears more than once"
    return None


def mismatch(request: Request, message: Message) -> str | None:
    """What the headers of a request say wrong of its body; None: nothing. What the body itself lacks is left to the
    node to find."""
    meta = message.params.get("_meta")
    version = meta.get(META_VERSION) if isinstance(meta, dict) else None
    if version is not None and _text(request.first(VERSION)) != version:
        return "mcp-protocol-version header does not match the request's protocol version"
    if _text(request.first(METHOD)) != message.method:
        return "mcp-method header does not match the request's method"
    header = request.first(NAME)
    name = message.params.get(_named_by(message.method))
    # Of tasks/* older clients do not send it: what is there has to be right.
    if name is None or (header is None and message.method not in NAMED_BY):
        return None
    return None if decoded(header) == name else "mcp-name header does not match the request's parameter"


def decoded(value: bytes | None) -> str | None:
    """What a header value stands for; None: nothing that could be meant."""
    if value is None or not (value.startswith(_OPENING) and value.endswith(_CLOSING)):
        return _text(value)
    payload = value[len(_OPENING) : -len(_CLOSING)]
    try:
        plain = base64.b64decode(payload, validate=True)
        return plain.decode() if base64.b64encode(plain) == payload else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def _named_by(method: str) -> str:
    return "taskId" if method.startswith("tasks/") else NAMED_BY.get(method, "")


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
