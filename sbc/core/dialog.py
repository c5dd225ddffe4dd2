"""A dialog: the long-lived relation of one client and the node that owns it. State is data; transitions.py moves it.

Each side has a life of its own, and the state that operators see is read off both, so the two can never disagree:

    client  JOINING ──101──> PRESENT <──────> AWAY          ──> GONE
    node    BINDING ──> SEATING ──> SERVING ──> BINDING ...  ──> OVER
                └── WAITING (nobody can take it) ──┘

    state   EARLY      client JOINING
            CONFIRMED  client PRESENT, node SERVING
            HELD       client PRESENT, node not SERVING
            PARKED     client AWAY
            ENDED      node OVER
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from sbc.core.relay import Gate, Relay
from sbc.core.roster import Roster
from sbc.model.binding import BIRTH, Binding, Checkpoint
from sbc.model.ids import NodeId, SessionId
from sbc.model.leg import Cause, Role, State
from sbc.model.manifest import Manifest


class ClientSide(Enum):
    JOINING = "joining"
    PRESENT = "present"
    AWAY = "away"
    GONE = "gone"


class NodeSide(Enum):
    BINDING = "binding"
    SEATING = "seating"
    WAITING = "waiting"
    SERVING = "serving"
    OVER = "over"


class Step(Enum):
    """How far a seat is taken."""

    CHOSEN = "chosen"
    INVITED = "invited"
    OPENING = "opening"
    OPEN = "open"
    LOST = "lost"


@dataclass(slots=True)
class Seat:
    """A node's place in a dialog, as owner or standby, from its choice to its release."""

    number: int
    node: NodeId
    epoch: int
    role: Role
    trunk: bool
    checkpoints: bool
    step: Step = Step.CHOSEN
    until: float | None = None
    """When the invitation or the opening is given up."""


class MoveStep(Enum):
    TURN = "turn"
    CHECKPOINT = "checkpoint"
    SEAT = "seat"
    BIND = "bind"


@dataclass(slots=True)
class Move:
    """A planned change of owner (core/move.py)."""

    to: NodeId | None
    cause: Cause
    deadline: float
    """When it is done even in the middle of a turn."""
    step: MoveStep
    look_at: float
    """When to look again."""
    seen: tuple[int, int] = (-1, -1)
    """The counts of both directions at the last look: unchanged means quiet."""
    quiet_since: float = 0.0
    held_since: float | None = None
    target: Seat | None = None
    base: Checkpoint | None = None
    """What the new owner is built upon: fixed before it is invited."""
    avoid: set[NodeId] = field(default_factory=set)


@dataclass(slots=True)
class Outage:
    """The time from an owner's loss until the next one serves."""

    cause: Cause
    began: float
    hold_until: float | None
    """Until when the client is kept waiting; None: it waits for as long as it likes."""
    avoid: set[NodeId] = field(default_factory=set)
    retry_at: float | None = None
    """When nobody could take the session: when to look again."""
    base: Checkpoint | None = None
    """What the lost owner had made durable."""
    prefer: NodeId | None = None
    """For a session that begins: where its relatives are."""
    retry_after: float = 1.0
    """When a client that is turned away may try again: the longest that a node has asked for, in seconds."""


@dataclass(slots=True)
class Account:
    """What a session's record says of its handovers (docs/DESIGN.md P7)."""

    recovered: bool = False
    """Whether it was begun by an edge process before this one: what it says is since then."""
    handovers: int = 0
    replayed: int = 0
    lost: int = 0
    unknown: int = 0
    held_seconds: float = 0.0
    parked_seconds: float = 0.0


class Dialog:
    """All that is known of one session."""

    __slots__ = (
        "account", "answering", "began", "binding", "bound", "checkpoint", "client", "entered", "fruitless", "ground",
        "inbound", "last_epoch", "last_seat", "lost_at", "manifest", "move", "node", "on_record", "outage", "outbound",
        "owner", "park_until", "passed", "patient", "pending", "recovered", "roster", "served", "session", "standby",
        "standby_at", "under_way",
    )  # fmt: skip

    def __init__(
        self, session: SessionId, manifest: Manifest, roster: Roster, inbound: Relay, outbound: Relay, now: float
    ) -> None:
        """inbound: the relay of client messages; outbound: that of node messages."""
        self.session = session
        self.manifest = manifest
        self.roster = roster
        self.inbound = inbound
        self.outbound = outbound
        self.client = ClientSide.JOINING
        self.patient = False
        """Whether it outlasts the hold: its client has no connection that waits, but asks again (exchanges)."""
        self.node = NodeSide.WAITING
        self.binding: Binding | None = None
        self.on_record: int | None = None
        """The epoch that the store has, where it was out of order when the binding changed; None: the binding's."""
        self.lost_at: float | None = None
        """When the owner's leg broke, if the dialog has not been told yet (runtime/burst.py)."""
        self.last_epoch = 0
        """The highest epoch that any node was ever told: the next one is above it, bound or not."""
        self.last_seat = 0
        self.owner: Seat | None = None
        self.standby: Seat | None = None
        self.standby_at: float | None = None
        """When to look for a warm standby again."""
        self.move: Move | None = None
        self.outage: Outage | None = None
        self.park_until: float | None = None
        self.passed = 0
        """While client messages are held: how many the owner had been sent before."""
        self.checkpoint: Checkpoint | None = None
        self.ground = BIRTH
        """What the present owner was built upon: its durable state until its first checkpoint, if it reports any."""
        self.pending: tuple[Checkpoint, ...] = ()
        """Checkpoints that speak of node messages which are still on their way here."""
        self.recovered = False
        """Read back from the store: the counts may lag behind what the client has seen."""
        self.served = (0, 0)
        """The counts of both directions when the present owner began."""
        self.answering: Mapping[int, int] | None = None
        """Of exchanges under way, as of now: the request's number, and how many messages of its answer the client has
        been given. None: the messages of this session are no exchanges."""
        self.under_way = 0
        """How many exchanges of the present turn are under way; a planned move waits for their end."""
        self.bound = False
        """Whether nobody else could go on with one of these; looked at when a planned move has waited long enough."""
        self.fruitless = 0
        """How many owners in a row were lost before they said anything."""
        self.began = now
        self.entered = now
        self.account = Account()

    @property
    def state(self) -> State:
        if self.node is NodeSide.OVER:
            return State.ENDED
        if self.client is ClientSide.JOINING:
            return State.EARLY
        if self.client is ClientSide.AWAY:
            return State.PARKED
        return State.CONFIRMED if self.node is NodeSide.SERVING else State.HELD

    @property
    def seats(self) -> list[Seat]:
        """Every seat that is taken at the moment."""
        target = self.move.target if self.move else None
        return [seat for seat in (self.owner, self.standby, target) if seat is not None]

    @property
    def deadline(self) -> float | None:
        """When the dialog wants a DeadlinePassed; None: not before something else happens."""
        times = [self.park_until, self.standby_at, *(seat.until for seat in self.seats)]
        if self.outage is not None:
            times += [self.outage.retry_at, self.outage.hold_until]
        if self.move is not None:
            times.append(self.move.look_at)
        return min((time for time in times if time is not None), default=None)

    @property
    def recorded_epoch(self) -> int | None:
        """The epoch that a compare-and-set has to expect; None: the store does not know the session."""
        if self.on_record is not None:
            return self.on_record
        return self.binding.epoch if self.binding is not None else None

    @property
    def sent(self) -> int:
        """How many client messages the owner was sent."""
        return self.inbound.count if self.inbound.gate is Gate.OPEN else self.passed

    def hold(self) -> None:
        """From here on client messages are kept in the journal and not sent."""
        if self.inbound.gate is Gate.OPEN:
            self.passed = self.inbound.count
            self.inbound.set_gate(Gate.HOLD)

    def next_seat(self, node: NodeId, role: Role, *, epoch: int, trunk: bool, checkpoints: bool) -> Seat:
        self.last_seat += 1
        return Seat(self.last_seat, node, epoch, role, trunk, checkpoints)

    def next_epoch(self) -> int:
        self.last_epoch += 1
        return self.last_epoch
