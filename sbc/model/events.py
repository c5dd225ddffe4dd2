"""Facts that the shell may tell a dialog: `Dialog.receive(event, now) -> list[Command]`.

Everything asynchronous that a command starts comes back as one of these. A `seat` is the number the dialog gave the
node's place when it asked for it; an answer about a seat that the dialog has left is ignored.
"""

from dataclasses import dataclass

from sbc.model.binding import Binding, Checkpoint
from sbc.model.ids import NodeId
from sbc.model.leg import Cause


@dataclass(slots=True)
class Bound:
    """The compare-and-set succeeded: `binding` is the truth now."""

    binding: Binding


@dataclass(slots=True)
class BindLost:
    """The compare-and-set met another epoch: the session belongs to another edge."""


@dataclass(slots=True)
class BindFailed:
    """The store did not answer; nothing is known to have changed."""


@dataclass(slots=True)
class Accepted:
    """The invited node takes the session."""

    seat: int


@dataclass(slots=True)
class Declined:
    """The invited node does not take the session, or did not say so in time."""

    seat: int
    reason: str
    retry_after: float | None = None


@dataclass(slots=True)
class LegOpened:
    """The node leg of a seat is open."""

    seat: int


@dataclass(slots=True)
class LegRefused:
    """The node answered the opening of its leg with an HTTP status; 0: it did not answer at all."""

    seat: int
    status: int
    reason: str


@dataclass(slots=True)
class LegClosed:
    """A node leg is gone. `code` is the node's close code, 1006 without one."""

    seat: int
    code: int
    reason: str


@dataclass(slots=True)
class NodeSilent:
    """The node has not been heard of for longer than this session's class bears, or is known to be down."""

    node: NodeId


@dataclass(slots=True)
class NodeReady:
    """A node may take sessions again: worth another look for a dialog that waits for one."""


@dataclass(slots=True)
class ClientLost:
    """The client's link broke without a word; it may return."""


@dataclass(slots=True)
class ClientBye:
    """The client closed the session on purpose."""

    code: int
    reason: str


@dataclass(slots=True)
class Reattached:
    """The client is back on a new link and says how many node messages it has."""

    received: int


@dataclass(slots=True)
class Checkpointed:
    """The owner's word on its durable state."""

    node: NodeId
    epoch: int
    checkpoint: Checkpoint


@dataclass(slots=True)
class NodeBye:
    """The owner ended the session."""

    node: NodeId
    epoch: int
    result: str


@dataclass(slots=True)
class MoveOrdered:
    """The session is to move to another owner: at the turn's end, or when `deadline` (a duration) has passed."""

    to: NodeId | None
    cause: Cause
    deadline: float


@dataclass(slots=True)
class TurnEnded:
    """The session protocol says that nothing is in flight."""


@dataclass(slots=True)
class EndOrdered:
    """The session is to end now. result: the word for its record."""

    code: int
    reason: str
    result: str = "ordered"


@dataclass(slots=True)
class DeadlinePassed:
    """`Dialog.deadline` has come."""


Event = (
    Bound | BindLost | BindFailed | Accepted | Declined | LegOpened | LegRefused | LegClosed | NodeSilent | NodeReady
    | ClientLost | ClientBye | Reattached | Checkpointed | NodeBye | MoveOrdered | TurnEnded | EndOrdered
    | DeadlinePassed
)
