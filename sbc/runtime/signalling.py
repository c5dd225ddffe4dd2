"""What sessions say to nodes over their trunks, to the store, and to operators: orders turned into messages."""

from typing import Any, Protocol, assert_never

from sbc.core.dialog import Dialog
from sbc.model.binding import Binding, Checkpoint
from sbc.model.commands import CheckpointNow, Invite, Promote, Release, Report
from sbc.model.errors import CloseCode
from sbc.model.events import Declined, Event, LegClosed
from sbc.model.interfaces import Stored
from sbc.runtime.house import House


class Speaker(Protocol):
    """The session, as far as it speaks."""

    house: House
    dialog: Dialog
    record: Stored

    def tell(self, event: Event) -> None: ...


def carry_out(session: Speaker, order: Invite | Release | Promote | CheckpointNow) -> None:
    """Send a trunk message (docs/DESIGN.md section 5.4).

    An invitation that cannot be sent is declined at once; a standby that cannot be told of its promotion is lost.
    """
    message = _message(session.dialog, order) | {"session": session.dialog.session, "epoch": order.epoch}
    sent = session.house.signals.send(order.node, message)
    if not sent and isinstance(order, Invite):
        session.tell(Declined(order.seat, "no trunk"))
    elif not sent and isinstance(order, Promote) and session.dialog.owner is not None:
        session.tell(LegClosed(session.dialog.owner.number, CloseCode.ABNORMAL, "no trunk"))


def _message(dialog: Dialog, order: Invite | Release | Promote | CheckpointNow) -> dict[str, Any]:
    match order:
        case Invite():
            return {
                "type": "invite", "role": order.role.value, "agent": dialog.manifest.agent,
                "manifest": dialog.manifest.declared, "checkpoint": checkpoint_message(order.checkpoint),
            }  # fmt: skip
        case Release():
            return {"type": "release", "reason": order.reason}
        case Promote():
            resume = order.resume
            return {
                "type": "promote", "received": resume.received, "sent": resume.sent, "delivered": resume.delivered,
                "checkpoint": checkpoint_message(order.checkpoint),
            }  # fmt: skip
        case CheckpointNow():
            return {"type": "checkpoint_now", "deadline": order.deadline}
        case _:
            assert_never(order)


def checkpoint_message(checkpoint: Checkpoint | None) -> dict[str, Any] | None:
    """A checkpoint as it stands in messages of the trunk."""
    if checkpoint is None:
        return None
    return {"received": checkpoint.received, "sent": checkpoint.sent, "state": checkpoint.state}


def stored(session: Speaker, binding: Binding) -> Stored:
    """The session as the store is to know it."""
    known = session.record  # made anew by hand: `replace` takes ten times as long
    session.record = Stored(binding, known.agent, known.route, known.principal, known.created, known.checkpoint,
                            known.keys)  # fmt: skip
    return session.record


def report(session: Speaker, order: Report) -> None:
    """Measure a handover (docs/DESIGN.md P7)."""
    metrics = session.house.metrics
    metrics.handovers[order.cause.value, order.outcome] += 1
    metrics.handover_gap.observe(order.gap)
    metrics.replayed += order.replayed
    metrics.lost += order.lost
    metrics.unknown += order.unknown
    binding = session.dialog.binding
    session.house.announce("session_moved" if order.outcome == "moved" else "session_not_moved", {
        "session": session.dialog.session, "cause": order.cause.value, "gap": round(order.gap, 6),
        "replayed": order.replayed, "lost": order.lost, "unknown": order.unknown,
        "owner": binding.owner if binding else None, "epoch": binding.epoch if binding else None,
    })  # fmt: skip
