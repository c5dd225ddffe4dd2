"""Leaving seats, and the ends a dialog can come to. Nothing of it is left over: not a seat, not a leg, not a link."""

from sbc.core.dialog import ClientSide, Dialog, NodeSide, Seat, Step
from sbc.core.relay import Gate
from sbc.model.commands import Close, CloseClient, CloseLeg, Command, Refuse, Release
from sbc.model.errors import CloseCode, Refusal


def leave(
    dialog: Dialog, seat: Seat, reason: str, code: int = CloseCode.GOING_AWAY, said: str | None = None
) -> list[Command]:
    """Give a seat up, whatever step it is at: its capacity, its leg, the node's belief that it is its own.

    said: what its leg is closed with, if not with the reason.
    """
    dialog.roster.vacate(seat.node)
    commands: list[Command] = []
    if seat.step in (Step.OPENING, Step.OPEN, Step.LOST):
        commands.append(CloseLeg(seat.number, seat.node, code, reason if said is None else said))
    if seat.trunk and seat.step is not Step.CHOSEN:
        commands.append(Release(seat.node, seat.epoch, reason))
    return commands


def end(dialog: Dialog, code: int, reason: str, result: str) -> list[Command]:
    """End the session: tell the client and every node. result: a word for the record."""
    if dialog.node is NodeSide.OVER:
        return []
    if dialog.client is ClientSide.JOINING:
        return turn_away(dialog, Refusal(503, result, "the session could not be set up", retry_after=1))
    commands: list[Command] = []
    if dialog.client is ClientSide.PRESENT:
        commands.append(CloseClient(code, reason))
    return commands + _over(dialog, code, reason, result)


def turn_away(dialog: Dialog, refusal: Refusal) -> list[Command]:
    """There will be no session: the client gets an honest HTTP status."""
    return [Refuse(refusal), *_over(dialog, CloseCode.GOING_AWAY, refusal.code, refusal.code)]


def _over(dialog: Dialog, code: int, reason: str, result: str) -> list[Command]:
    commands: list[Command] = []
    for seat in dialog.seats:
        commands += leave(dialog, seat, reason or result, code, said=reason)
    dialog.owner = dialog.standby = dialog.move = dialog.outage = None
    dialog.park_until = dialog.standby_at = None
    dialog.client, dialog.node = ClientSide.GONE, NodeSide.OVER
    dialog.inbound.set_gate(Gate.SHUT)
    dialog.outbound.set_gate(Gate.SHUT)
    return [*commands, Close(code, reason, result)]
