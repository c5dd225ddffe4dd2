"""A warm standby: found, lost, found again; never where the session is or is about to be."""

from sbc.core.dialog import Step
from sbc.core.seating import ATTEMPT
from sbc.core.standby import AGAIN
from sbc.model.commands import CloseLeg, Invite, OpenLeg, Release
from sbc.model.events import Accepted, DeadlinePassed, Declined, LegClosed, LegOpened, MoveOrdered, NodeSilent
from sbc.model.leg import Cause, Role
from sbc.model.manifest import Migration, Standby, When
from tests.core.playbook import checkpointed, confirmed, exchange, others, owner, play, target
from tests.core.world import roster_of

WARM = Migration(standby=Standby.WARM)


def test_a_cold_session_has_none() -> None:
    dialog = confirmed()
    play(dialog, (0.1, DeadlinePassed(), []))
    assert dialog.standby is None
    assert dialog.deadline is None


def test_a_plain_standby_is_not_invited() -> None:
    roster = roster_of(2)
    for standing in roster:
        standing.trunk = False
    dialog = confirmed(WARM, roster=roster)
    (node,) = others(dialog)
    play(dialog, (0.1, DeadlinePassed(), [OpenLeg(2, node, 1, Role.STANDBY, None)]))


def test_a_standby_is_invited_with_the_newest_checkpoint_and_stands_in_another_zone() -> None:
    dialog = confirmed(WARM, nodes=5)
    exchange(dialog, 1, 1)
    play(dialog, (0.1, checkpointed(dialog, 1, 1, "x"), None), (0.1, DeadlinePassed(), None))
    seat = dialog.standby
    assert seat is not None and dialog.checkpoint is not None
    zones = {standing.node.id: standing.node.zone for standing in dialog.roster}
    assert zones[seat.node] != zones[owner(dialog).node]
    assert dialog.roster.ledger.seats(seat.node) == 1


def test_a_standby_that_declines_is_late_silent_or_gone_is_followed_by_another() -> None:
    for now, event in (
        (0.5, Declined(2, "busy")), (0.1 + ATTEMPT, DeadlinePassed()), (0.5, LegClosed(2, 1006, "")), (0.5, NodeSilent),
    ):  # fmt: skip
        dialog = confirmed(WARM, nodes=2)
        (node,) = others(dialog)
        play(dialog, (0.1, DeadlinePassed(), [Invite(2, node, 1, Role.STANDBY, None)]))
        play(dialog, (now, event if not isinstance(event, type) else event(node), [Release(node, 1, "lost")]))
        assert dialog.standby is None
        assert dialog.roster.ledger.seats(node) == 0
        play(dialog, (now + AGAIN, DeadlinePassed(), [Invite(3, node, 1, Role.STANDBY, None)]))


def test_nobody_can_stand_by() -> None:
    dialog = confirmed(WARM, nodes=1)
    play(dialog, (0.1, DeadlinePassed(), []))
    assert dialog.deadline == 0.1 + AGAIN


def test_the_standby_and_the_owner_fall_silent_together() -> None:
    dialog = confirmed(WARM, nodes=2)
    (node,) = others(dialog)
    play(dialog, (0.1, DeadlinePassed(), None), (0.1, Accepted(2), None), (0.1, LegOpened(2), []))
    play(dialog, (1.0, NodeSilent(node), [CloseLeg(2, node, 1001, "lost"), Release(node, 1, "lost")]))
    play(dialog, (1.0, NodeSilent(owner(dialog).node), None))
    assert dialog.standby is None


def test_no_standby_where_a_move_leads() -> None:
    dialog = confirmed(Migration(standby=Standby.WARM, when=When.NOW), nodes=2)
    play(dialog, (0.0, MoveOrdered(None, Cause.MIGRATION, 1.0), None))
    assert target(dialog).step is Step.INVITED
    play(dialog, (0.1, DeadlinePassed(), []))
    assert dialog.standby is None
