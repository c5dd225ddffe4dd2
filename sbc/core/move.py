"""A planned change of owner, make before break.

    TURN ──quiet, or deadline──> CHECKPOINT ──it came, or too late──> SEAT ──leg open──> BIND ──> switch
                                 client held                          owner's leg frozen

Until the compare-and-set nothing is given up: if the new owner does not come, the old one goes on where it stood and
gets what was held. An owner with checkpoints is not read while the new one comes in, because the new one is told
exactly what the client has; what the old one still says after its last checkpoint the new one says again.
"""

from sbc.core.dialog import Dialog, Move, MoveStep, NodeSide, Step
from sbc.core.ending import leave
from sbc.core.resumption import account_for, bearable, covered, durable, resumption, stand_on, told
from sbc.core.seating import ATTEMPT, STANDBY_REST, lose_owner, pass_messages
from sbc.model.binding import Binding, Resume
from sbc.model.commands import Bind, CheckpointNow, Command, FreezeNode, Invite, OpenLeg, Promote, Report, Serve
from sbc.model.ids import NodeId
from sbc.model.leg import Cause, Role
from sbc.model.manifest import When

LOOK = 0.05
"""How often a session that is to move is looked at, in seconds."""
QUIET = 0.15
"""For how long no message must have passed for a turn to be taken as ended, where the protocol does not say."""
CHECKPOINT_WAIT = 1.0
"""How long the owner has for its last checkpoint while the client is held."""


def order(dialog: Dialog, to: NodeId | None, cause: Cause, deadline: float, now: float) -> list[Command]:
    """Begin to move, if the session is served and may move."""
    if dialog.node is not NodeSide.SERVING or dialog.move is not None or not dialog.manifest.migration.allowed:
        return []
    dialog.move = Move(to, cause, now + deadline, MoveStep.TURN, now, quiet_since=now)
    return look(dialog, now)


def look(dialog: Dialog, now: float) -> list[Command]:
    """Time has passed for a session that moves."""
    move = dialog.move
    assert move is not None
    if move.step is MoveStep.TURN:
        counts = (dialog.inbound.count, dialog.outbound.count)
        if counts != move.seen:
            move.seen, move.quiet_since = counts, now
        if dialog.under_way:
            move.quiet_since = now
        if dialog.manifest.migration.when is When.NOW:
            # What only this owner can answer is given until the deadline, and then cut: `now` is the operator's word.
            if not dialog.bound or now >= move.deadline:
                return _prepare(dialog, now)
        elif now >= move.deadline and dialog.bound:
            return _refrain(dialog)
        between = dialog.answering is not None and not dialog.under_way  # of exchanges it is known
        if between or now >= move.deadline or now - move.quiet_since >= QUIET:
            return _prepare(dialog, now)
        move.look_at = min(now + LOOK, move.deadline)
        return []
    if now < move.look_at:
        return []
    if move.step is MoveStep.CHECKPOINT:
        return _seat(dialog, now)
    if move.step is MoveStep.SEAT:
        return target_failed(dialog, now)
    move.look_at = now + ATTEMPT
    return []


def _refrain(dialog: Dialog) -> list[Command]:
    """The turn has not ended, and to go now would cost the client an answer that nobody else can give."""
    move, owner = dialog.move, dialog.owner
    assert move is not None and owner is not None
    dialog.move = None
    return [Serve(owner.number, []), Report(move.cause, "aborted", 0.0, 0, 0, 0)]


def turn_ended(dialog: Dialog, now: float) -> list[Command]:
    """The protocol says that nothing is in flight."""
    if dialog.move is not None and dialog.move.step is MoveStep.TURN:
        return _prepare(dialog, now)
    return []


def _prepare(dialog: Dialog, now: float) -> list[Command]:
    move, owner = dialog.move, dialog.owner
    assert move is not None and owner is not None
    dialog.hold()
    move.held_since = now
    if not owner.checkpoints or covered(dialog):
        return _seat(dialog, now)
    move.step = MoveStep.CHECKPOINT
    move.look_at = now + CHECKPOINT_WAIT
    return [CheckpointNow(owner.node, owner.epoch, CHECKPOINT_WAIT)]


def past_recall(dialog: Dialog) -> bool:
    """Whether a new owner was told already from where it goes on: what the old one makes durable now is too late."""
    return dialog.move is not None and dialog.move.step in (MoveStep.SEAT, MoveStep.BIND)


def checkpointed(dialog: Dialog, now: float) -> list[Command]:
    """A checkpoint was accepted: it may be the one that was waited for."""
    if dialog.move is not None and dialog.move.step is MoveStep.CHECKPOINT and covered(dialog):
        return _seat(dialog, now)
    return []


def _seat(dialog: Dialog, now: float) -> list[Command]:
    move, owner = dialog.move, dialog.owner
    assert move is not None and owner is not None
    if not bearable(dialog, resumption(dialog, durable(dialog)).lost):
        return call_off(dialog, now)
    move.step, move.look_at = MoveStep.SEAT, now + ATTEMPT
    move.base = durable(dialog)
    freeze: list[Command] = [FreezeNode()] if owner.checkpoints else []
    standby = dialog.standby
    if standby is not None and standby.step is Step.OPEN and move.to in (None, standby.node):
        dialog.standby, move.target = None, standby
        standby.epoch = dialog.next_epoch()
        return freeze + target_opened(dialog)
    avoid = move.avoid | {owner.node} | ({standby.node} if standby else set())
    chosen = dialog.roster.seat_owner(dialog.session, dialog.manifest, avoid, move.to)
    if chosen is None or move.to not in (None, chosen.node.id):
        if chosen is not None:
            dialog.roster.vacate(chosen.node.id)
        return freeze + call_off(dialog, now)
    seat = dialog.next_seat(
        chosen.node.id, Role.OWNER, epoch=dialog.next_epoch(), trunk=chosen.trunk, checkpoints=chosen.checkpoints
    )
    move.target = seat
    if not seat.trunk:
        return freeze + open_target(dialog)
    seat.step = Step.INVITED
    return [*freeze, Invite(seat.number, seat.node, seat.epoch, Role.OWNER, told(dialog, seat, move.base))]


def open_target(dialog: Dialog) -> list[Command]:
    """The new owner accepts: open its leg, beside the old one."""
    move = dialog.move
    assert move is not None and move.target is not None
    move.target.step = Step.OPENING
    return [OpenLeg(move.target.number, move.target.node, move.target.epoch, Role.OWNER, _resume(dialog, move))]


def _resume(dialog: Dialog, move: Move) -> Resume:
    point = resumption(dialog, move.base)
    return Resume(point.received, point.sent, point.delivered, move.cause.value)


def target_opened(dialog: Dialog) -> list[Command]:
    """The new owner's leg is open: claim the session for it."""
    move = dialog.move
    assert move is not None and move.target is not None
    move.step = MoveStep.BIND
    move.target.step = Step.OPEN
    replica = dialog.roster.replica_for(dialog.session, dialog.manifest, move.target.node)
    return [Bind(Binding(dialog.session, move.target.node, replica, move.target.epoch), dialog.recorded_epoch)]


def target_failed(dialog: Dialog, now: float) -> list[Command]:
    """The new owner declined, did not come, or broke: try another one, or leave things as they were."""
    move = dialog.move
    assert move is not None
    commands: list[Command] = []
    if move.target is not None:
        move.avoid.add(move.target.node)
        commands = leave(dialog, move.target, "moved elsewhere")
        move.target = None
    if move.to is not None or len(move.avoid) > 2:
        return commands + call_off(dialog, now)
    return commands + _seat(dialog, now)


def switch(dialog: Dialog, binding: Binding, now: float) -> list[Command]:
    """The compare-and-set succeeded: the new owner serves, the old one is released."""
    move, old = dialog.move, dialog.owner
    assert move is not None and move.target is not None and old is not None
    seat = move.target
    point = resumption(dialog, move.base)  # the turn has ended: what the owner was sent it has acted on
    commands = leave(dialog, old, "moved")
    dialog.pending = ()
    if seat.step is Step.LOST:  # it broke in the same moment
        dialog.binding, dialog.owner, dialog.move = binding, seat, None
        return commands + lose_owner(dialog, Cause.FAILOVER, now)
    if seat.role is Role.STANDBY:
        seat.role = Role.OWNER
        if seat.trunk:
            commands.append(Promote(seat.node, seat.epoch, _resume(dialog, move), dialog.checkpoint))
    dialog.binding, dialog.owner, dialog.move = binding, seat, None
    stand_on(dialog, seat, point)
    serving = pass_messages(dialog, seat, point.received, point.suppress)
    dialog.standby_at = now + STANDBY_REST
    held = now - (move.held_since if move.held_since is not None else now)
    report = account_for(dialog, move.cause, held, len(serving[0].replay), point.lost, 0)
    return [*commands, *serving, report]


def call_off(dialog: Dialog, now: float) -> list[Command]:
    """Nobody took the session: the owner goes on, and gets what was held."""
    move, owner = dialog.move, dialog.owner
    assert move is not None and owner is not None
    commands = leave(dialog, move.target, "called off") if move.target else []
    dialog.move = None
    held = now - (move.held_since if move.held_since is not None else now)
    report = Report(move.cause, "aborted", held, 0, 0, 0)
    if owner.step is Step.LOST:
        return [*commands, report, *lose_owner(dialog, Cause.FAILOVER, now)]
    served = dialog.served
    serving = pass_messages(dialog, owner, dialog.passed, None)
    dialog.served = served  # its time has not begun anew
    return [*commands, *serving, report]


def owner_lost(dialog: Dialog, now: float) -> list[Command]:
    """The old owner is gone in the middle of the move."""
    move, owner = dialog.move, dialog.owner
    assert move is not None and owner is not None
    if move.step is MoveStep.BIND:
        owner.step = Step.LOST  # the answer to the compare-and-set decides what comes next
        return []
    commands = leave(dialog, move.target, "called off") if move.target else []
    dialog.move = None
    return commands + lose_owner(dialog, Cause.FAILOVER, now)
