"""What a process and its successor say of a session, as JSON values (wire/channel.py carries them).

The two may be of different versions of this program: what is not known is ignored, what is missing has its default, and
bytes are base64. A node's state may hold half a surrogate pair, which JSON in UTF-8 cannot: it goes as bytes too.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from math import inf, isfinite
from typing import Any

from sbc.model.binding import Binding, Checkpoint
from sbc.model.identity import Revocation, Revoked
from sbc.model.ids import AgentName, NodeId, PrincipalId, SessionId
from sbc.model.interfaces import Journals, Stored

VERSION = 1
"""Of all that is said here. A successor that speaks another one ends before anything has changed."""


def stored_out(stored: Stored) -> dict[str, Any]:
    binding = stored.binding
    return {
        "session": binding.session, "owner": binding.owner, "replica": binding.replica, "epoch": binding.epoch,
        "agent": stored.agent, "route": stored.route, "principal": stored.principal, "created": stored.created,
        "checkpoint": _checkpoint_out(stored.checkpoint), "keys": [list(key) for key in stored.keys],
    }  # fmt: skip


def stored_in(said: Mapping[str, Any]) -> Stored:
    """Raises KeyError, TypeError, ValueError: it is none."""
    replica = said["replica"]
    binding = Binding(SessionId(said["session"]), NodeId(said["owner"]), None if replica is None else NodeId(replica),
                      int(said["epoch"]))  # fmt: skip
    return Stored(binding, AgentName(said["agent"]), said["route"], PrincipalId(said["principal"]),
                  float(said["created"]), _checkpoint_in(said["checkpoint"]),
                  tuple((kind, value) for kind, value in said["keys"]))  # fmt: skip


def _checkpoint_out(checkpoint: Checkpoint | None) -> dict[str, Any] | None:
    if checkpoint is None:
        return None
    state = None if checkpoint.state is None else _text(checkpoint.state.encode("utf-8", "surrogatepass"))
    answers = None if checkpoint.answers is None else sorted(checkpoint.answers.items())
    return {"received": checkpoint.received, "sent": checkpoint.sent, "state": state, "answers": answers}


def _checkpoint_in(said: Mapping[str, Any] | None) -> Checkpoint | None:
    if said is None:
        return None
    state = None if said["state"] is None else b64decode(said["state"]).decode("utf-8", "surrogatepass")
    answers = None if said["answers"] is None else {int(number): int(count) for number, count in said["answers"]}
    return Checkpoint(int(said["received"]), int(said["sent"]), state, answers)


def journals_out(journals: Journals) -> dict[str, Any]:
    (client_first, from_client), (node_first, from_node) = journals.from_client, journals.from_node
    return {
        "from_client": [client_first, [*map(_text, from_client)]], "from_node": [node_first, [*map(_text, from_node)]],
        "memory": journals.memory,
    }


def journals_in(said: Mapping[str, Any]) -> Journals:
    """Raises KeyError, TypeError, ValueError: they are none."""
    return Journals(_run(said["from_client"]), _run(said["from_node"]), said["memory"])


def _run(said: Sequence[Any]) -> tuple[int, Sequence[bytes]]:
    first, messages = said
    return int(first), [b64decode(message) for message in messages]


def revocation_out(revocation: Revocation) -> list[Any]:
    until = revocation.until
    return [revocation.kind.value, revocation.name, revocation.since, until if isfinite(until) else None]


def revocation_in(said: Sequence[Any]) -> Revocation:
    """Raises TypeError, ValueError: it is none."""
    kind, name, since, until = said
    # JSON knows no infinity: a node is drained until that is taken back.
    return Revocation(Revoked(kind), name, float(since), inf if until is None else float(until))


def _text(octets: bytes) -> str:
    return b64encode(octets).decode("ascii")
