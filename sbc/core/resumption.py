"""From where a new owner goes on, and what that means for client and node messages."""

from collections.abc import Mapping
from dataclasses import dataclass

from sbc.core.dialog import Dialog, Seat
from sbc.model.binding import Checkpoint
from sbc.model.commands import Report
from sbc.model.leg import Cause
from sbc.model.manifest import Output, Replay

PENDING_CHECKPOINTS = 8
"""How many checkpoints are kept that speak of node messages not yet here."""


@dataclass(frozen=True, slots=True)
class Resumption:
    """received, sent: what the new owner's state covers. lost: client messages owed to it that are gone."""

    received: int
    sent: int
    delivered: int
    suppress: int
    lost: int
    answers: Mapping[int, int] | None = None


def credible(dialog: Dialog, checkpoint: Checkpoint) -> bool:
    """A node cannot have received what it was not sent, nor forget what it said was durable."""
    made = durable(dialog)
    return checkpoint.received <= dialog.sent and (made is None or checkpoint.covers(made))


def remember(dialog: Dialog, checkpoint: Checkpoint) -> None:
    """Keep a checkpoint until the node messages it speaks of are here, within a bound."""
    # The oldest are the first whose messages arrive; of the rest the newest says the most.
    dialog.pending = (*dialog.pending[: PENDING_CHECKPOINTS - 1], checkpoint)


def settle_checkpoints(dialog: Dialog) -> bool:
    """Accept those pending checkpoints whose node messages have all arrived by now; whether one was accepted.

    A checkpoint comes over the trunk and may overtake the messages it speaks of. If those never come, it can not be
    built upon: what the client is owed would be missing.
    """
    ready = [checkpoint for checkpoint in dialog.pending if arrived(dialog, checkpoint)]
    if not ready:
        return False
    dialog.pending = tuple(checkpoint for checkpoint in dialog.pending if checkpoint not in ready)
    furthest = max(ready, key=lambda checkpoint: (checkpoint.received, checkpoint.sent))
    dialog.checkpoint = furthest
    dialog.inbound.journal.trim(furthest.received)
    return True


def arrived(dialog: Dialog, checkpoint: Checkpoint) -> bool:
    """Whether all that a checkpoint claims to have been said is here.

    Answers that are under way side by side come over connections of their own: how many messages came in all does not
    tell which. A client that left an answer is owed no more of it.
    """
    answers = checkpoint.answers
    if dialog.answering is None or answers is None:
        return checkpoint.sent <= dialog.outbound.count
    return all(
        number in answers and answers[number] <= given
        for number, given in dialog.answering.items() if number <= checkpoint.received
    )  # fmt: skip


def covered(dialog: Dialog) -> bool:
    """Whether the owner's checkpoint covers all that was exchanged."""
    made = durable(dialog)
    if made is None or made.received != dialog.passed:
        return False
    if dialog.answering is None or made.answers is None:
        return made.sent == dialog.outbound.count
    return all(made.answers.get(number) == given for number, given in dialog.answering.items())


def durable(dialog: Dialog) -> Checkpoint | None:
    """What the owner has made durable; None for one that does not report checkpoints."""
    if dialog.owner is None or dialog.checkpoint is not None:
        return dialog.checkpoint
    return dialog.ground if dialog.owner.checkpoints else None


def stand_on(dialog: Dialog, seat: Seat, point: Resumption) -> None:
    """A new owner begins: what the next one may be built upon, if this one is lost before it says more.

    One without checkpoints takes up what one with them has left, but leaves nothing behind itself.
    """
    if not seat.checkpoints:
        dialog.checkpoint = None
    dialog.ground = Checkpoint(point.received, point.sent, None, point.answers)


def resumption(dialog: Dialog, base: Checkpoint | None) -> Resumption:
    """From where the next owner goes on. base: the last owner's durable state, as `durable` said when it was lost."""
    delivered = dialog.outbound.count
    received, sent, answers = dialog.sent, delivered, None
    if base is not None:
        received, sent, answers = base.received, base.sent, base.answers
    elif dialog.manifest.migration.replay is Replay.ALL:
        received, sent = 0, 0
    regenerate = dialog.manifest.migration.output is Output.REGENERATE
    journal = dialog.inbound.journal
    # The journal holds `first` and all after it: what lies between is owed to the new owner and gone.
    owed = min(journal.first - 1, dialog.inbound.count)
    kept = sum(received < number <= owed for number in dialog.answering or ())  # exchanges keep their own requests
    suppress = delivered - sent if regenerate else 0
    return Resumption(received, sent, delivered, suppress, max(0, owed - received - kept), answers)


def told(dialog: Dialog, seat: Seat, base: Checkpoint | None) -> Checkpoint | None:
    """The checkpoint that an invited owner is shown: the same counts as its `Session-Resume` will have."""
    if dialog.checkpoint is not None or not seat.checkpoints:
        return dialog.checkpoint
    point = resumption(dialog, base)
    return Checkpoint(point.received, point.sent, None) if point.received or point.sent else None


def bearable(dialog: Dialog, lost: int) -> bool:
    """Whether the manifest lets a session go on that has lost so many messages."""
    tolerated = dialog.manifest.migration.tolerated_loss
    return tolerated is None or lost <= tolerated


def unknowable(dialog: Dialog, base: Checkpoint | None) -> int:
    """How many client messages the present owner was sent without anybody being able to know if it acted on them.

    A node without checkpoints takes them with it when it dies. Ask before the next owner begins. Exchanges are counted
    one by one when their clients are told.
    """
    return max(0, dialog.sent - dialog.served[0]) if base is None and dialog.answering is None else 0


def account_for(dialog: Dialog, cause: Cause, gap: float, replayed: int, lost: int, unknown: int) -> Report:
    """Measure a handover that succeeded, for the metrics and for the session's record."""
    account = dialog.account
    account.handovers += 1
    account.replayed += replayed
    account.lost += lost
    account.unknown += unknown
    return Report(cause, "moved", gap, replayed, lost, unknown)
