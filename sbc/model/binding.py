"""Who owns a session, and what its owner has made durable."""

from collections.abc import Mapping
from dataclasses import dataclass

from sbc.model.ids import NodeId, SessionId


@dataclass(frozen=True, slots=True)
class Binding:
    """session -> owner, replica, epoch; changed only by compare-and-set on the epoch."""

    session: SessionId
    owner: NodeId
    replica: NodeId | None
    epoch: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A node's word that its durable state covers `received` client messages and `sent` of its own."""

    received: int
    sent: int
    state: str | None
    answers: Mapping[int, int] | None = None
    """Of exchanges: the requests up to `received` whose answers are under way, and how many messages of each answer
    the state covers; all other answers it covers whole. None: the node did not say."""

    def covers(self, other: "Checkpoint") -> bool:
        """Whether this one is at least as far as `other` in both directions."""
        return self.received >= other.received and self.sent >= other.sent


BIRTH = Checkpoint(0, 0, None)
"""What a node that reports checkpoints has made durable before its first one: nothing."""


@dataclass(frozen=True, slots=True)
class Resume:
    """What a new owner is told: the checkpoint's counts, and how many node messages the client has been given.

    Replay of client messages starts at `received + 1` (docs/DESIGN.md section 5.3).
    """

    received: int
    sent: int
    delivered: int
    cause: str
