"""What the rows of the SQLite store hold: dialogs, states of checkpoints, runs of messages."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sbc.model.binding import Binding, Checkpoint
from sbc.model.ids import AgentName, NodeId, PrincipalId, SessionId
from sbc.model.interfaces import Stored


def row(stored: Stored) -> tuple[object, ...]:
    """A dialog as its row holds it."""
    binding, checkpoint = stored.binding, stored.checkpoint
    covered: Sequence[object] = (None,) * 4
    if checkpoint is not None:
        covered = checkpoint.received, checkpoint.sent, state_out(checkpoint.state), answers_out(checkpoint.answers)
    return (binding.session, binding.owner, binding.replica, binding.epoch, stored.agent, stored.route,
            stored.principal, stored.created, *covered)


def stored(row: Sequence[Any], keys: Sequence[tuple[str, str]]) -> Stored:
    """The dialog of a row, known by these keys."""
    session, owner, replica, epoch, agent, route, principal, created, *covered = row
    received, sent, state, answers = covered
    binding = Binding(SessionId(session), NodeId(owner), NodeId(replica) if replica is not None else None, epoch)
    checkpoint = None
    if received is not None:
        checkpoint = Checkpoint(received, sent, state_in(state), answers_in(answers or ""))
    return Stored(binding, AgentName(agent), route, PrincipalId(principal), created,
                  checkpoint, tuple(keys))


def state_out(state: str | None) -> bytes | None:
    """A checkpoint's state as it is written."""
    # JSON may spell half a surrogate pair; a node gets its state back as it gave it.
    return None if state is None else state.encode("utf-8", "surrogatepass")


def state_in(state: bytes | None) -> str | None:
    """A checkpoint's state as it was given."""
    return None if state is None else state.decode("utf-8", "surrogatepass")


def answers_out(answers: Mapping[int, int] | None) -> str:
    """How far a checkpoint covers the answers under way, as text; empty: its node did not say."""
    return "" if answers is None else json.dumps(dict(answers))


def answers_in(text: str | bytes) -> Mapping[int, int] | None:
    """What `answers_out` has written."""
    return {int(number): int(count) for number, count in json.loads(text).items()} if text else None


def pack(messages: Sequence[bytes]) -> bytes:
    """A run of messages, each behind its length."""
    return b"".join(part for message in messages for part in (len(message).to_bytes(4, "big"), message))


def unpack(packed: bytes) -> list[bytes]:
    """The messages of a run."""
    messages, at = [], 0
    while at < len(packed):
        begin = at + 4
        at = begin + int.from_bytes(packed[at:begin], "big")
        messages.append(packed[begin:at])
    return messages
