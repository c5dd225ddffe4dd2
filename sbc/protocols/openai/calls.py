"""What is asked of an inference server that speaks the OpenAI API: which call it is, and which conversation it belongs
to. Paths may have any prefix (`/v1/...`, `/openai/deployments/NAME/...`); ids are made by the server.

The digest is of what all turns of one conversation begin with: the tools and instructions, and the messages up to the
first one of the user. That is also what the server's KV cache is shared by, so that turn n+1 meets what turn n left.
Legacy completions have no turns: what two of them have in common says nothing, so they are pinned by explicit keys.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from typing import Any

import orjson

from sbc.model.http import Request
from sbc.protocols.protocol import Key

LONGEST_KEY = 256
"""Characters of a key; of a longer one a digest is kept."""

_CLIENT_TOOLS = ("function", "custom")
"""The tools that the client runs, not the server."""


class Kind(Enum):
    CHAT = "chat/completions"
    COMPLETION = "completions"
    RESPONSE = "responses"
    ASIDE = "responses/compact, responses/input_tokens"
    STORED = "responses/ID"
    CANCEL = "responses/ID/cancel"
    CONVERSATION = "conversations/..."
    OTHER = "anything else: models, embeddings, stored chat completions"


BODIED = frozenset({Kind.CHAT, Kind.COMPLETION, Kind.RESPONSE, Kind.ASIDE})
"""The calls whose body says what they belong to."""


@dataclass(frozen=True, slots=True)
class Call:
    kind: Kind
    identity: str = ""
    """The id in the path."""


def call_of(request: Request) -> Call:
    """Which call a request is."""
    segments = [part for part in request.path.decode("latin-1").split("/") if part]
    post = request.method == b"POST"
    for at in range(len(segments) - 1, -1, -1):
        rest = segments[at + 1 :]
        match segments[at]:
            case "completions":
                kind = Kind.CHAT if at and segments[at - 1] == "chat" else Kind.COMPLETION
                return Call(kind) if post and not rest else Call(Kind.OTHER)
            case "responses":
                return _responses(rest, post=post)
            case "conversations":
                return Call(Kind.CONVERSATION, rest[0] if rest else "")
    return Call(Kind.OTHER)


def _responses(rest: list[str], *, post: bool) -> Call:
    match rest:
        case []:
            return Call(Kind.RESPONSE if post else Kind.OTHER)
        case ["compact" | "input_tokens"]:
            return Call(Kind.ASIDE if post else Kind.OTHER)
        case [identity, "cancel"] if post:
            return Call(Kind.CANCEL, identity)
        case [identity, *_]:
            return Call(Kind.STORED, identity)
    return Call(Kind.OTHER)


def keys_of(request: Request, call: Call, asked: Mapping[str, Any]) -> list[Key]:
    """What a call belongs to, the most specific first. asked: its body."""
    match call.kind:
        case Kind.STORED | Kind.CANCEL:
            return [_key("response", call.identity)]
        case Kind.CONVERSATION:
            return [_key("conversation", call.identity)] if call.identity else []
        case Kind.OTHER:
            return []
    conversation = asked.get("conversation")
    if isinstance(conversation, dict):
        conversation = conversation.get("id")
    named = {
        "response": asked.get("previous_response_id"), "conversation": conversation,
        "prompt_cache_key": asked.get("prompt_cache_key"),
        "user": asked.get("safety_identifier") or asked.get("user"),
    }  # fmt: skip
    keys = [_key(kind, value) for kind, value in named.items() if isinstance(value, str) and value]
    if keys:
        return keys
    return _prefix(request, asked, _opening(call, asked))


def _prefix(request: Request, asked: Mapping[str, Any], opening: list[Any]) -> list[Key]:
    if not opening:
        return []
    before = [asked.get("model"), asked.get("tools"), asked.get("instructions")]
    try:
        common = orjson.dumps([*before, *opening], option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return []  # nested deeper than anything that means something
    return [Key("prefix", _digest(request.path + common))]


def stored_key(answer: Mapping[str, Any]) -> Key | None:
    """The key that an object of an answer brings: of a response or a conversation that the server keeps."""
    kind, identity = answer.get("object"), answer.get("id")
    if kind in ("response", "conversation") and isinstance(identity, str) and identity:
        return _key(kind, identity)
    return None


def leaves_nothing(call: Call, asked: Mapping[str, Any]) -> bool:
    """Whether a POST changes nothing on the server, as far as the client itself says so: it only costs tokens."""
    match call.kind:
        case Kind.CANCEL:
            return True  # the guide on background mode: "Cancelling twice is idempotent"
        case Kind.COMPLETION:
            return True  # nothing of these is ever stored, and they know no tools
        case Kind.CHAT | Kind.RESPONSE:
            kept = asked.get("store") is not False or asked.get("background") or asked.get("conversation")
            return not (kept or asked.get("prompt") or asked.get("web_search_options") or _runs_tools(asked))
    return False


def _runs_tools(asked: Mapping[str, Any]) -> bool:
    tools = asked.get("tools") or []
    return not isinstance(tools, list) or any(
        not isinstance(tool, dict) or tool.get("type") not in _CLIENT_TOOLS for tool in tools
    )


def _opening(call: Call, asked: Mapping[str, Any]) -> list[Any]:
    """The messages up to the user's first one; none: it is not there, or this is no chat."""
    messages = asked.get("messages") if call.kind is Kind.CHAT else asked.get("input")
    if isinstance(messages, str):
        return [["user", messages]]
    said: list[Any] = []
    for message in messages if isinstance(messages, list) else []:
        if not isinstance(message, dict):
            return []
        said.append([message.get("role"), _text(message.get("content"))])
        if message.get("role") == "user":
            return said
    return []


def _text(content: Any) -> Any:
    """A text in one part and a plain one are the same to the model."""
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict):
        return content[0].get("text", content)
    return content


def _key(kind: str, value: str) -> Key:
    return Key(kind, value if len(value) <= LONGEST_KEY else _digest(value.encode("utf-8", "replace")))


def _digest(octets: bytes) -> str:
    return blake2b(octets, digest_size=16).hexdigest()
