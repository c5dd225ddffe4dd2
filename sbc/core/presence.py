"""A client that goes away, and one that comes back: what is kept for it, what it is owed, what is lost to it."""

from sbc.core.dialog import ClientSide, Dialog, NodeSide
from sbc.core.ending import end
from sbc.core.relay import Gate
from sbc.core.seating import lose_owner
from sbc.model.commands import Answer, Command, Park, ReplaceClient
from sbc.model.errors import CloseCode
from sbc.model.leg import Cause


def client_lost(dialog: Dialog, now: float) -> list[Command]:
    """The client is gone: it may return until the hold is over."""
    if dialog.client is ClientSide.JOINING:
        return end(dialog, CloseCode.GOING_AWAY, "", "client_lost")
    if dialog.client is not ClientSide.PRESENT:
        return []
    dialog.client = ClientSide.AWAY
    dialog.park_until = now + dialog.manifest.migration.hold
    dialog.outbound.set_gate(Gate.HOLD)
    return [Park()]


def reattached(dialog: Dialog, received: int, now: float) -> list[Command]:
    """The client is back, and has so many of the node's messages: it gets what it is owed, and is told of the rest."""
    commands: list[Command] = [ReplaceClient()] if dialog.client is ClientSide.PRESENT else []
    outbound = dialog.outbound
    if received > outbound.count:
        # Only after a restart of the edge: the client has seen more than the store was told in time.
        outbound.count = received
        outbound.journal.restart(received + 1)
    gap = max(0, min(outbound.journal.first - 1, outbound.count) - received)
    dialog.account.lost += gap
    dialog.client, dialog.park_until, dialog.recovered = ClientSide.PRESENT, None, False
    commands.append(Answer(received, gap, outbound.journal.since(received)))
    outbound.set_gate(Gate.OPEN)
    if dialog.node is NodeSide.WAITING and dialog.outage is None:
        commands += lose_owner(dialog, Cause.RECOVERY, now)
    return commands
