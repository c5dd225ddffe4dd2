"""Ids of the requests that nodes make of their client (sampling, elicitation, roots), across owners.

The ids are of the node's choosing, and two nodes may choose the same: what a client answers to the first must never be
taken for an answer to the second. So the ids of every owner but the first reach the client as
`sbc.<number of the owner>.<id as JSON>`; of the answers, the owner gets those that are for it under its own id, and
those to an earlier one under an id that it does not know, which it drops (JSON-RPC).
"""

from collections.abc import Sequence
from typing import Any

import orjson

from sbc.protocols.mcp.jsonrpc import Kind, Message

MARK = "sbc."


def to_client(messages: Sequence[Message], generation: int) -> list[dict[str, Any]] | None:
    """What an owner of this number says, as the client is to see it; None: as it is."""
    if generation == 0 or not any(_asks(message) for message in messages):
        return None
    return [_marked(message, generation) if _asks(message) else message.whole for message in messages]


def to_node(messages: Sequence[Message], generation: int) -> list[dict[str, Any]] | None:
    """What the client says, as an owner of this number is to see it; None: as it is."""
    if generation == 0 or not any(message.kind is Kind.RESPONSE for message in messages):
        return None
    return [_plain(message, generation) if message.kind is Kind.RESPONSE else message.whole for message in messages]


def _asks(message: Message) -> bool:
    """Whether the id of a request of the node's stands in it."""
    return message.kind is Kind.REQUEST or message.method == "notifications/cancelled"


def _marked(message: Message, generation: int) -> dict[str, Any]:
    if message.kind is Kind.REQUEST:
        return {**message.whole, "id": _mark(message.id, generation)}
    params = {**message.params, "requestId": _mark(message.params.get("requestId"), generation)}
    return {**message.whole, "params": params}


def _mark(identity: Any, generation: int) -> str:
    return f"{MARK}{generation}.{orjson.dumps(identity).decode()}"


def _plain(message: Message, generation: int) -> dict[str, Any]:
    own = f"{MARK}{generation}."
    if isinstance(message.id, str) and message.id.startswith(own):
        try:
            return {**message.whole, "id": orjson.loads(message.id[len(own) :])}
        except orjson.JSONDecodeError:
            return message.whole
    stale = isinstance(message.id, str) and message.id.startswith(MARK)
    return message.whole if stale or message.id is None else {**message.whole, "id": _mark(message.id, 0)}
