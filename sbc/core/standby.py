"""A warm standby: the leg to the replica stands open before it is needed, and is promoted when it is."""

from sbc.core.dialog import Dialog, NodeSide, Seat, Step
from sbc.core.ending import leave
from sbc.core.seating import ATTEMPT
from sbc.model.commands import Command, Invite, OpenLeg
from sbc.model.leg import Role
from sbc.model.manifest import Standby

AGAIN = 1.0
"""How soon another standby is looked for when one is lost, or nobody could stand by."""


def seat_standby(dialog: Dialog, now: float) -> list[Command]:
    """Invite a replica to stand by, if the manifest wants one and there is none yet."""
    dialog.standby_at = None
    if dialog.manifest.migration.standby is not Standby.WARM or dialog.standby is not None:
        return []
    if dialog.node is not NodeSide.SERVING or dialog.owner is None or dialog.binding is None:
        return []
    owner = dialog.owner
    taken = {seat.node for seat in dialog.seats}  # a move may be bringing another node in
    chosen = dialog.roster.seat_standby(dialog.session, dialog.manifest, owner.node, taken)
    if chosen is None:
        dialog.standby_at = now + AGAIN
        return []
    seat = dialog.next_seat(
        chosen.node.id, Role.STANDBY, epoch=dialog.binding.epoch, trunk=chosen.trunk, checkpoints=chosen.checkpoints
    )
    dialog.standby = seat
    seat.until = now + ATTEMPT
    if not seat.trunk:
        return open_standby(dialog, seat)
    seat.step = Step.INVITED
    return [Invite(seat.number, seat.node, seat.epoch, Role.STANDBY, dialog.checkpoint)]


def open_standby(dialog: Dialog, seat: Seat) -> list[Command]:
    """The replica has accepted, or is not asked: open its leg."""
    seat.step = Step.OPENING
    return [OpenLeg(seat.number, seat.node, seat.epoch, Role.STANDBY, None)]


def standby_opened(seat: Seat) -> list[Command]:
    """Its leg is open: it stands by."""
    seat.step, seat.until = Step.OPEN, None
    return []


def lose_standby(dialog: Dialog, now: float) -> list[Command]:
    """The standby is gone, or did not come: look for another one later."""
    seat = dialog.standby
    if seat is None:
        return []
    dialog.standby = None
    dialog.standby_at = now + AGAIN
    return leave(dialog, seat, "lost")
