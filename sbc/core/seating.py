"""Finding a session its owner: at the start, after a loss, after a restart of the edge.

    seek ──> Bind ──Bound──> Invite ──Accepted──> OpenLeg ──LegOpened──> serve
      ^  \\                     |                     |
      |   nobody: WAITING       └── Declined, LegRefused, LegClosed, too late: the next one
      └──────── retry ──────────────────┘

Every try has an epoch of its own: whatever a node that was tried and left still says is stale.
"""

from sbc.core.dialog import ClientSide, Dialog, NodeSide, Outage, Seat, Step
from sbc.core.ending import end, leave, turn_away
from sbc.core.relay import Gate
from sbc.core.resumption import (
    account_for,
    bearable,
    durable,
    resumption,
    settle_checkpoints,
    stand_on,
    told,
    unknowable,
)
from sbc.model.binding import BIRTH, Binding, Resume
from sbc.model.commands import Answer, Bind, Command, Invite, OpenLeg, Promote, Report, Serve, Trim
from sbc.model.errors import CloseCode, Refusal
from sbc.model.ids import NodeId
from sbc.model.leg import Cause, Role
from sbc.model.manifest import Durability, Replay, Standby

ATTEMPT = 3.0
"""How long an invitation or the opening of a leg may take, in seconds."""
RETRY = 0.1
"""How soon a dialog that nobody could take looks again."""
LONGEST_RETRY = 2.0
GRACE = 0.05
"""For so long after that a seat that was waited for is not given to a new session: timers are late now and then."""
STANDBY_REST = 1.0
"""How long after a handover another standby is looked for."""
FRUITLESS_BORNE = 3
"""Owners lost in a row before they said anything: from then on the search slows down."""


def start(dialog: Dialog, now: float, prefer: NodeId | None = None) -> list[Command]:
    """A client asks for a session: find its first owner. prefer: the node it had best be on, if that can take it."""
    dialog.outage = Outage(Cause.FAILOVER, now, now + dialog.manifest.migration.hold, prefer=prefer)
    return seek(dialog, now)


def lose_owner(dialog: Dialog, cause: Cause, now: float) -> list[Command]:
    """The owner is gone, or was never there since the edge was started: hold the client and find another one."""
    commands: list[Command] = []
    if settle_checkpoints(dialog) and dialog.checkpoint is not None:
        commands.append(Trim(dialog.checkpoint))
    dialog.pending = ()  # the messages that these speak of will not come
    base = durable(dialog)
    avoid: set[NodeId] = set()
    dialog.hold()
    lost = dialog.owner
    _, said_before = dialog.served
    if lost is not None:
        avoid.add(lost.node)
        commands += leave(dialog, lost, "lost")
        dialog.owner = None
        dialog.fruitless = dialog.fruitless + 1 if dialog.outbound.count == said_before else 0
    began = now if dialog.lost_at is None else dialog.lost_at
    dialog.lost_at = None
    dialog.outage = Outage(cause, began, now + dialog.manifest.migration.hold, avoid, base=base)
    if lost is not None and not dialog.manifest.migration.allowed:
        return [*commands, *failed(dialog, now), *end(dialog, CloseCode.BAD_GATEWAY, "node lost", "node_lost")]
    missing = resumption(dialog, base).lost
    if not bearable(dialog, missing):
        dialog.account.lost += missing
        return [*commands, *failed(dialog, now, missing), *end(dialog, CloseCode.BAD_GATEWAY, f"gap={missing}", "gap")]
    if dialog.standby is not None:
        if dialog.standby.step is Step.OPEN:
            return commands + _bind(dialog, dialog.standby)
        commands += leave(dialog, dialog.standby, "too late")  # its node may be asked to own the session instead
        dialog.standby = None
    if dialog.fruitless >= FRUITLESS_BORNE:
        return commands + _wait(dialog, now)
    return commands + seek(dialog, now)


def failed(dialog: Dialog, now: float, lost: int = 0) -> list[Command]:
    """No handover comes of an outage: measure that too."""
    outage = dialog.outage
    if outage is None or dialog.client is ClientSide.JOINING:
        return []
    return [Report(outage.cause, "failed", now - outage.began, 0, lost, 0)]


def seek(dialog: Dialog, now: float) -> list[Command]:
    """Choose an owner and claim the session for it."""
    outage = dialog.outage
    assert outage is not None
    binding = dialog.binding
    prefer = outage.prefer
    if binding is not None:
        prefer = binding.owner if outage.cause is Cause.RECOVERY else binding.replica
    chosen = dialog.roster.seat_owner(dialog.session, dialog.manifest, outage.avoid, prefer)
    if chosen is None:
        if dialog.client is ClientSide.JOINING:
            return turn_away(
                dialog, Refusal(503, "no_node", "no node can take the session now", retry_after=outage.retry_after)
            )
        return _wait(dialog, now)
    outage.retry_at = None
    if outage.cause is Cause.RECOVERY and outage.base is None and chosen.checkpoints:
        outage.base = BIRTH  # it reports checkpoints, and the store has none: nothing of it is durable
    seat = dialog.next_seat(chosen.node.id, Role.OWNER, epoch=0, trunk=chosen.trunk, checkpoints=chosen.checkpoints)
    return _bind(dialog, seat)


def _bind(dialog: Dialog, seat: Seat) -> list[Command]:
    if seat is dialog.standby:
        dialog.standby = None
    dialog.owner = seat
    seat.epoch = dialog.next_epoch()
    seat.role = Role.OWNER
    dialog.node = NodeSide.BINDING
    replica = dialog.roster.replica_for(dialog.session, dialog.manifest, seat.node)
    return [Bind(Binding(dialog.session, seat.node, replica, seat.epoch), dialog.recorded_epoch)]


def bound(dialog: Dialog, binding: Binding, now: float) -> list[Command]:
    """The session is claimed: invite its owner, open its leg, or promote it if it stands by already."""
    dialog.binding = binding
    seat = dialog.owner
    assert seat is not None
    dialog.node = NodeSide.SEATING
    if seat.step is Step.LOST:
        return try_next(dialog, now)
    if seat.step is Step.OPEN:
        resume = _resume(dialog)
        assert resume is not None, "a session that begins has no standby yet"
        promotion = [Promote(seat.node, seat.epoch, resume, dialog.checkpoint)] if seat.trunk else []
        return [*promotion, *serve(dialog, now)]
    seat.until = now + ATTEMPT
    if not seat.trunk:
        return open_owner(dialog)
    seat.step = Step.INVITED
    base = dialog.outage.base if dialog.outage else None
    return [Invite(seat.number, seat.node, seat.epoch, Role.OWNER, told(dialog, seat, base))]


def open_owner(dialog: Dialog) -> list[Command]:
    """The owner has accepted, or is not asked: open its leg."""
    seat = dialog.owner
    assert seat is not None
    seat.step = Step.OPENING
    return [OpenLeg(seat.number, seat.node, seat.epoch, Role.OWNER, _resume(dialog) if dialog.outage else None)]


def _resume(dialog: Dialog) -> Resume | None:
    if dialog.outage is None or dialog.client is ClientSide.JOINING:
        return None
    point = resumption(dialog, dialog.outage.base)
    return Resume(point.received, point.sent, point.delivered, dialog.outage.cause.value)


def try_next(dialog: Dialog, now: float, reason: str = "declined") -> list[Command]:
    """The node that was chosen does not take the session: look for another one."""
    seat, outage = dialog.owner, dialog.outage
    assert seat is not None and outage is not None
    outage.avoid.add(seat.node)
    commands = leave(dialog, seat, reason)
    dialog.owner = None
    return commands + seek(dialog, now)


def _wait(dialog: Dialog, now: float) -> list[Command]:
    outage = dialog.outage
    assert outage is not None
    dialog.node = NodeSide.WAITING
    over = max(0, dialog.fruitless - FRUITLESS_BORNE)
    rest = LONGEST_RETRY if outage.hold_until is None else min(RETRY * 2**over, LONGEST_RETRY)
    outage.retry_at = now + rest
    dialog.roster.want(dialog.manifest, outage.retry_at + GRACE)
    return []


def look_again(dialog: Dialog, now: float) -> list[Command]:
    """A node may be there now; those that declined before are asked again."""
    if dialog.outage is None or dialog.node is not NodeSide.WAITING:
        return []
    dialog.outage.avoid.clear()
    return seek(dialog, now)


def serve(dialog: Dialog, now: float) -> list[Command]:
    """The owner's leg is open: give it what it is owed, and let messages pass."""
    seat, outage = dialog.owner, dialog.outage
    assert seat is not None
    seat.step, seat.until = Step.OPEN, None
    joining = dialog.client is ClientSide.JOINING
    base = outage.base if outage else None
    point, unknown = resumption(dialog, base), unknowable(dialog, base)
    stand_on(dialog, seat, point)
    serving = pass_messages(dialog, seat, point.received, point.suppress)
    dialog.node, dialog.outage = NodeSide.SERVING, None
    if dialog.manifest.migration.standby is Standby.WARM:
        # It can wait until those are served that have no owner at all.
        dialog.standby_at = now if joining else now + STANDBY_REST
    if joining:
        dialog.client = ClientSide.PRESENT
        dialog.outbound.set_gate(Gate.OPEN)
        return [Answer(None, 0, []), *serving]
    assert outage is not None
    report = account_for(dialog, outage.cause, now - outage.began, len(serving[0].replay), point.lost, unknown)
    return [*serving, report]


def pass_messages(dialog: Dialog, seat: Seat, after: int, suppress: int | None) -> list[Serve]:
    """Open the gates between the client and the leg of this seat. suppress: None leaves what is suppressed already."""
    # Whoever waits for the store has it know of each message, if only that it was passed on.
    awaited = dialog.manifest.durability is Durability.SYNC and dialog.answering is None
    keep = seat.checkpoints or dialog.manifest.migration.replay is Replay.ALL or awaited
    replay = dialog.inbound.journal.since(after)
    dialog.inbound.keep(keep)
    if not keep:
        dialog.inbound.journal.restart(dialog.inbound.count + 1)
    dialog.inbound.set_gate(Gate.OPEN)
    if suppress is not None:
        dialog.outbound.suppress(suppress)
    dialog.served = (dialog.inbound.count, dialog.outbound.count)
    dialog.lost_at = None
    return [Serve(seat.number, replay)]
