"""Orders that a dialog may give the shell, to be carried out in the order given (runtime/session.py).

None of them is waited for: what an order leads to comes back as an event.
"""

from dataclasses import dataclass

from sbc.model.binding import Binding, Checkpoint, Resume
from sbc.model.errors import Refusal
from sbc.model.ids import NodeId
from sbc.model.leg import Cause, Role

ELSEWHERE = "bound_elsewhere"
"""The `result` of a dialog, and the code of the refusal, where another edge has the session."""


@dataclass(slots=True)
class Bind:
    """Make `binding` the truth if the epoch on record is `expected` (None: if there is none) -> Bound | BindLost."""

    binding: Binding
    expected: int | None


@dataclass(slots=True)
class Invite:
    """Ask a node over its trunk to take a seat -> Accepted | Declined."""

    seat: int
    node: NodeId
    epoch: int
    role: Role
    checkpoint: Checkpoint | None


@dataclass(slots=True)
class OpenLeg:
    """Open the node leg of a seat -> LegOpened | LegRefused | LegClosed."""

    seat: int
    node: NodeId
    epoch: int
    role: Role
    resume: Resume | None


@dataclass(slots=True)
class CloseLeg:
    """Give a seat up: stop its opening, or close its leg. What still comes from it is stale. No event follows."""

    seat: int
    node: NodeId
    code: int
    reason: str


@dataclass(slots=True)
class Release:
    """Tell a node over its trunk that a session is no longer its own."""

    node: NodeId
    epoch: int
    reason: str


@dataclass(slots=True)
class Promote:
    """Tell a standby over its trunk that it owns the session from here on."""

    node: NodeId
    epoch: int
    resume: Resume
    checkpoint: Checkpoint | None


@dataclass(slots=True)
class CheckpointNow:
    """Ask the owner for a checkpoint -> Checkpointed, if it comes."""

    node: NodeId
    epoch: int
    deadline: float


@dataclass(slots=True)
class FreezeNode:
    """Stop reading the owner's leg: what the client has been given must not change until the switch, or
    until the same seat is told to Serve again."""


@dataclass(slots=True)
class Serve:
    """The leg of this seat carries the session from here on: send it `replay`, then pass messages both ways."""

    seat: int
    replay: list[bytes]


@dataclass(slots=True)
class Answer:
    """Tell the client that its session is open (the 101), then send it `replay`, and all that follows.

    resumed: the count it is served after, on a re-attachment; gap: how many node messages are lost to it.
    """

    resumed: int | None
    gap: int
    replay: list[bytes]


@dataclass(slots=True)
class Refuse:
    """Tell the client that there will be no session."""

    refusal: Refusal


@dataclass(slots=True)
class ReplaceClient:
    """Close the client's former link: another connection took the session over."""


@dataclass(slots=True)
class Park:
    """The client is away: its link is gone, and what the node says stays in the journal."""


@dataclass(slots=True)
class CloseClient:
    """Close the client's link for good, with a close frame."""

    code: int
    reason: str


@dataclass(slots=True)
class Trim:
    """A checkpoint was accepted: put it on record. The journal has let go of what it covers already."""

    checkpoint: Checkpoint


@dataclass(slots=True)
class Report:
    """A handover has come to an end: measure it."""

    cause: Cause
    outcome: str
    """moved | failed | aborted"""
    gap: float
    """Seconds during which the client had no owner."""
    replayed: int
    lost: int
    unknown: int
    """Client messages of which nobody can know whether the former owner acted on them."""


@dataclass(slots=True)
class Close:
    """The dialog is over: forget it, and write its record."""

    code: int
    reason: str
    result: str


Command = (
    Bind | Invite | OpenLeg | CloseLeg | Release | Promote | CheckpointNow | FreezeNode | Serve
    | Answer | Refuse | ReplaceClient | Park | CloseClient | Trim | Report | Close
)
