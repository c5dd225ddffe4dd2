"""When qh3's core may be asked for events (sbc/wire/http3/qh3_losses.py)."""

from dataclasses import dataclass

from sbc.wire.http3.qh3_losses import HOLD, Losses


@dataclass
class Core:
    """As far as it is looked at."""

    congestion_window: int = 12_000
    bytes_in_flight: int = 0
    loss_total: int = 0
    pto_total: int = 0


def test_without_losses_it_may_always_be_asked() -> None:
    losses, core = Losses(), Core(bytes_in_flight=12_000)
    assert not losses.look(core, 1.0) and not losses.deaf


def test_after_a_loss_not_before_all_was_sent() -> None:
    losses, core = Losses(), Core()
    assert not losses.look(core, 1.0)
    core.loss_total, core.bytes_in_flight = 3, 11_000
    assert not losses.look(core, 1.1) and losses.deaf
    assert not losses.look(core, 1.2) and losses.deaf
    core.bytes_in_flight = 5_000
    assert losses.look(core, 1.3) and not losses.deaf
    core.bytes_in_flight = 12_000
    assert not losses.look(core, 1.4) and not losses.deaf, "these losses are made good"


def test_nobody_waits_for_ever() -> None:
    losses, core = Losses(), Core(bytes_in_flight=12_000, pto_total=1)
    assert not losses.look(core, 1.0) and losses.deaf
    assert not losses.look(core, 1.0 + HOLD) and losses.deaf
    assert losses.look(core, 1.1 + HOLD) and losses.deaf, "once, and then it is waited again"
    assert not losses.look(core, 1.2 + HOLD)
