"""The dialog's own arithmetic: its state is read off both sides, its deadline is the earliest of all."""

import pytest

from sbc.core.dialog import ClientSide, NodeSide, Outage
from sbc.core.relay import Gate
from sbc.model.leg import Cause, Role, State
from tests.core.playbook import asked, binding, confirmed, exchange, new_dialog


@pytest.mark.parametrize("node", list(NodeSide))
@pytest.mark.parametrize("client", list(ClientSide))
def test_the_state_is_read_off_both_sides(client: ClientSide, node: NodeSide) -> None:
    dialog = new_dialog()
    dialog.client, dialog.node = client, node
    if node is NodeSide.OVER:
        assert dialog.state is State.ENDED
    elif client is ClientSide.JOINING:
        assert dialog.state is State.EARLY
    elif client is ClientSide.AWAY:
        assert dialog.state is State.PARKED
    else:
        assert dialog.state is (State.CONFIRMED if node is NodeSide.SERVING else State.HELD)


def test_the_deadline_is_the_earliest() -> None:
    dialog = new_dialog()
    assert dialog.deadline is None
    dialog.park_until = 9.0
    dialog.outage = Outage(Cause.FAILOVER, 0.0, 8.0)
    assert dialog.deadline == 8.0
    dialog.outage.retry_at = 7.0
    dialog.standby_at = 6.0
    assert dialog.deadline == 6.0
    dialog.owner = dialog.next_seat(binding(confirmed()).owner, Role.OWNER, epoch=1, trunk=True, checkpoints=True)
    dialog.owner.until = 5.0
    assert dialog.deadline == 5.0


def test_what_is_held_was_not_sent() -> None:
    dialog = confirmed()
    exchange(dialog, 2, 0)
    assert dialog.sent == 2
    dialog.hold()
    dialog.inbound.admit(asked("held"))
    dialog.hold()
    assert (dialog.sent, dialog.inbound.count, dialog.inbound.gate) == (2, 3, Gate.HOLD)


def test_epochs_and_seats_only_grow() -> None:
    dialog = new_dialog()
    assert [dialog.next_epoch() for _ in range(3)] == [1, 2, 3]
    node = binding(confirmed()).owner
    seats = [dialog.next_seat(node, Role.OWNER, epoch=1, trunk=True, checkpoints=True).number for _ in range(3)]
    assert seats == [1, 2, 3]


def test_the_epoch_on_record() -> None:
    dialog = new_dialog()
    assert dialog.recorded_epoch is None
    dialog = confirmed()
    assert dialog.recorded_epoch == 1
    dialog.on_record = 7
    assert dialog.recorded_epoch == 7
