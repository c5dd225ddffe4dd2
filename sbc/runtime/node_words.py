"""What a node says about a session over its trunk, held against what is true."""

from collections.abc import Mapping
from typing import Any

from sbc.core.dialog import Seat, Step
from sbc.model.binding import Checkpoint
from sbc.model.events import Accepted, Checkpointed, Declined, NodeBye
from sbc.model.ids import NodeId
from sbc.runtime.session import Session


def hear(session: Session, node: NodeId, message: Mapping[str, Any]) -> None:
    """Tell the dialog, if the node has a seat in this epoch; else it is dropped and counted."""
    seat = _seat(session, node, message["epoch"])
    if seat is None:
        session.house.metrics.abuse["stale_signal"] += 1
        return
    match message["type"]:
        case "accept":
            session.tell(Accepted(seat.number))
        case "decline":
            if seat.step is Step.INVITED:
                session.tell(Declined(seat.number, message.get("reason", ""), message.get("retry_after")))
        case "checkpoint":
            _checkpoint(session, node, message)
        case "bye":
            session.tell(NodeBye(node, seat.epoch, message.get("result", "")))
        case "journal":
            messages = session.said(message["after"])
            session.house.signals.send(
                node, {"type": "journal", "session": session.dialog.session, "messages": messages}
            )


def _seat(session: Session, node: NodeId, epoch: int) -> Seat | None:
    for seat in session.dialog.seats:
        if (seat.node, seat.epoch) == (node, epoch):
            return seat
    return None


def _checkpoint(session: Session, node: NodeId, message: Mapping[str, Any]) -> None:
    dialog = session.dialog
    owner = dialog.owner
    if owner is None or owner.node != node or owner.epoch != message["epoch"]:
        session.house.metrics.abuse["stale_signal"] += 1
        return
    if message["received"] > dialog.sent:
        session.house.metrics.abuse["checkpoint_lie"] += 1
    answers = {int(number): count for number, count in message["answers"].items()} if "answers" in message else None
    checkpoint = Checkpoint(message["received"], message["sent"], message.get("state"), answers)
    session.tell(Checkpointed(node, message["epoch"], checkpoint))
