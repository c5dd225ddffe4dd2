"""What a dialog does with each event. `receive` is the only way in; the rooms beside it hold the longer stories:

    seating.py   finding an owner: at the start, after a loss      standby.py   keeping a warm replica
    move.py      a planned change of owner                         presence.py  a client that goes away and comes back
    ending.py    leaving seats, coming to an end
"""

from typing import assert_never

from sbc.core import move, presence, seating, standby
from sbc.core.dialog import ClientSide, Dialog, MoveStep, NodeSide, Seat, Step
from sbc.core.ending import end, turn_away
from sbc.core.resumption import credible, remember, settle_checkpoints
from sbc.model.binding import Binding
from sbc.model.commands import Command, Trim
from sbc.model.errors import CloseCode, Outcome, Refusal
from sbc.model.events import (
    Accepted,
    BindFailed,
    BindLost,
    Bound,
    Checkpointed,
    ClientBye,
    ClientLost,
    DeadlinePassed,
    Declined,
    EndOrdered,
    Event,
    LegClosed,
    LegOpened,
    LegRefused,
    MoveOrdered,
    NodeBye,
    NodeReady,
    NodeSilent,
    Reattached,
    TurnEnded,
)
from sbc.model.ids import NodeId
from sbc.model.leg import Cause, State

LEAVING = frozenset({
    CloseCode.GOING_AWAY, CloseCode.ABNORMAL, CloseCode.INTERNAL, CloseCode.RESTART, CloseCode.TRY_LATER,
    CloseCode.BAD_GATEWAY,
})  # fmt: skip
"""Close codes by which a node gives the session up; with any other it ends the session."""


def receive(dialog: Dialog, event: Event, now: float) -> list[Command]:
    """Tell the dialog a fact; the answer is what the shell has to do, in this order."""
    if dialog.node is NodeSide.OVER:
        return []
    before, entered = dialog.state, dialog.entered
    commands = _react(dialog, event, now)
    if dialog.state is not before:
        dialog.entered = now
        if before is State.HELD:
            dialog.account.held_seconds += now - entered
        elif before is State.PARKED:
            dialog.account.parked_seconds += now - entered
    return commands


def _react(dialog: Dialog, event: Event, now: float) -> list[Command]:
    match event:
        case Bound():
            return _bound(dialog, event.binding, now)
        case BindLost():
            return _bind_lost(dialog)
        case BindFailed():
            return _bind_failed(dialog, now)
        case Accepted():
            return _accepted(dialog, event.seat)
        case Declined():
            return _declined(dialog, event, now)
        case LegOpened():
            return _leg_opened(dialog, event.seat, now)
        case LegRefused():
            return _leg_refused(dialog, event, now)
        case LegClosed():
            return _leg_closed(dialog, event, now)
        case NodeSilent():
            return _node_silent(dialog, event.node, now)
        case NodeReady():
            return seating.look_again(dialog, now)
        case ClientLost():
            return presence.client_lost(dialog, now)
        case ClientBye():
            return end(dialog, event.code, event.reason, "client_bye")
        case Reattached():
            return presence.reattached(dialog, event.received, now)
        case Checkpointed():
            return _checkpointed(dialog, event, now)
        case NodeBye():
            mine = _owner_is(dialog, event.node, event.epoch)
            return end(dialog, CloseCode.NORMAL, event.result, "node_bye") if mine else []
        case MoveOrdered():
            return move.order(dialog, event.to, event.cause, event.deadline, now)
        case TurnEnded():
            return move.turn_ended(dialog, now)
        case EndOrdered():
            return end(dialog, event.code, event.reason, event.result)
        case DeadlinePassed():
            return _deadline_passed(dialog, now)
        case _:
            assert_never(event)


# The node's side.


def _seat(dialog: Dialog, number: int) -> Seat | None:
    """The seat of this number, if the dialog has not left it."""
    for seat in dialog.seats:
        if seat.number == number:
            return seat
    return None


def _owner_is(dialog: Dialog, node: NodeId, epoch: int) -> bool:
    owner = dialog.owner
    return owner is not None and (owner.node, owner.epoch) == (node, epoch)


def _bound(dialog: Dialog, binding: Binding, now: float) -> list[Command]:
    dialog.on_record = None
    if dialog.node is NodeSide.BINDING:
        return seating.bound(dialog, binding, now)
    if dialog.move is not None and dialog.move.step is MoveStep.BIND:
        return move.switch(dialog, binding, now)
    return []


def _bind_lost(dialog: Dialog) -> list[Command]:
    # The loser of a race drops its dialog: the client re-attaches where the session is now.
    if dialog.client is ClientSide.JOINING:
        return turn_away(dialog, Refusal(409, "bound_elsewhere", "being set up elsewhere", retry_after=1))
    return end(dialog, CloseCode.RESTART, "retry_after=0", "bound_elsewhere")


def _bind_failed(dialog: Dialog, now: float) -> list[Command]:
    if dialog.node is NodeSide.BINDING:
        if dialog.client is ClientSide.JOINING:
            return turn_away(dialog, Refusal(503, "store", "the session cannot be recorded now", retry_after=1))
        # Live sessions outlast a store that is out of order: this edge is the only one that knows of the session.
        assert dialog.owner is not None and dialog.binding is not None
        owner, dialog.on_record = dialog.owner, dialog.recorded_epoch
        return seating.bound(dialog, Binding(dialog.session, owner.node, dialog.binding.replica, owner.epoch), now)
    if dialog.move is not None and dialog.move.step is MoveStep.BIND:
        return move.call_off(dialog, now)
    return []


def _accepted(dialog: Dialog, number: int) -> list[Command]:
    seat = _seat(dialog, number)
    if seat is None or seat.step is not Step.INVITED:
        return []
    if seat is dialog.owner:
        return seating.open_owner(dialog)
    if seat is dialog.standby:
        return standby.open_standby(dialog, seat)
    return move.open_target(dialog)


def _declined(dialog: Dialog, event: Declined, now: float) -> list[Command]:
    if dialog.outage is not None and event.retry_after is not None:
        dialog.outage.retry_after = max(dialog.outage.retry_after, event.retry_after)
    seat = _seat(dialog, event.seat)
    if seat is None or seat.step is not Step.INVITED:
        return []  # a node that accepted has no second word
    return _not_taken(dialog, event.seat, now, event.reason)


def _not_taken(dialog: Dialog, number: int, now: float, reason: str) -> list[Command]:
    seat = _seat(dialog, number)
    if seat is None:
        return []
    if seat is dialog.owner:
        return seating.try_next(dialog, now, reason)
    if seat is dialog.standby:
        return standby.lose_standby(dialog, now)
    if dialog.move is not None and dialog.move.step is MoveStep.BIND:
        seat.step = Step.LOST  # the answer to the compare-and-set decides what comes next
        return []
    return move.target_failed(dialog, now)


def _leg_opened(dialog: Dialog, number: int, now: float) -> list[Command]:
    seat = _seat(dialog, number)
    if seat is None or seat.step is not Step.OPENING:
        return []
    if seat is dialog.owner:
        return seating.serve(dialog, now)
    return standby.standby_opened(seat) if seat is dialog.standby else move.target_opened(dialog)


def _leg_refused(dialog: Dialog, event: LegRefused, now: float) -> list[Command]:
    seat = _seat(dialog, event.seat)
    # A node's own 4xx to a new session is its answer to the client; anything else is the node's trouble.
    if seat is not None and dialog.client is ClientSide.JOINING and 400 <= event.status < 500 and event.status != 429:
        # 404 would tell the client that its session is gone for good (docs/DESIGN.md section 5.5).
        status = 502 if event.status == 404 else event.status
        detail = event.reason or "refused by the agent"
        return turn_away(dialog, Refusal(status, "node_refused", detail, outcome=Outcome.UNKNOWN))
    return _not_taken(dialog, event.seat, now, "refused")


def _leg_closed(dialog: Dialog, event: LegClosed, now: float) -> list[Command]:
    seat = _seat(dialog, event.seat)
    if seat is None:
        return []
    if seat is not dialog.owner:
        return _not_taken(dialog, event.seat, now, "lost")
    if dialog.node is NodeSide.SERVING and event.code not in LEAVING:
        return end(dialog, event.code, event.reason, "node_closed")
    return _owner_lost(dialog, seat, now)


def _owner_lost(dialog: Dialog, seat: Seat, now: float) -> list[Command]:
    if dialog.node is NodeSide.BINDING:
        seat.step = Step.LOST
        return []
    if dialog.node is NodeSide.SEATING:
        return seating.try_next(dialog, now, "lost")
    if dialog.move is not None:
        return move.owner_lost(dialog, now)
    return seating.lose_owner(dialog, Cause.FAILOVER, now)


def _node_silent(dialog: Dialog, node: NodeId, now: float) -> list[Command]:
    commands: list[Command] = []
    for seat in dialog.seats:
        if seat.node != node or dialog.node is NodeSide.OVER:
            continue
        if seat is dialog.owner:
            commands += _owner_lost(dialog, seat, now)
        else:
            commands += _not_taken(dialog, seat.number, now, "silent")
    return commands


def _checkpointed(dialog: Dialog, event: Checkpointed, now: float) -> list[Command]:
    serves = dialog.node is NodeSide.SERVING  # before that it was sent nothing, and can only say what it was told
    if not serves or not _owner_is(dialog, event.node, event.epoch) or not credible(dialog, event.checkpoint):
        return []
    remember(dialog, event.checkpoint)
    if move.past_recall(dialog) or not settle_checkpoints(dialog):
        return []
    assert dialog.checkpoint is not None
    return [Trim(dialog.checkpoint), *move.checkpointed(dialog, now)]


def _deadline_passed(dialog: Dialog, now: float) -> list[Command]:
    if dialog.park_until is not None and now >= dialog.park_until:
        return end(dialog, CloseCode.GOING_AWAY, "client gone", "client_gone")
    outage = dialog.outage
    if outage is not None and outage.hold_until is not None and now >= outage.hold_until:
        if not dialog.patient or dialog.client is ClientSide.JOINING:
            return [*seating.failed(dialog, now), *end(dialog, CloseCode.BAD_GATEWAY, "retry_after=5", "no_replica")]
        outage.hold_until = None
    commands: list[Command] = []
    if outage is not None and outage.retry_at is not None and now >= outage.retry_at:
        commands += seating.look_again(dialog, now)
    for seat in dialog.seats:
        if seat.until is not None and now >= seat.until:
            commands += _not_taken(dialog, seat.number, now, "too late")
    if dialog.standby_at is not None and now >= dialog.standby_at:
        commands += standby.seat_standby(dialog, now)
    if dialog.move is not None:
        commands += move.look(dialog, now)
    return commands
