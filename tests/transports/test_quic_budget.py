"""What one HTTP/3 connection may ask for: the time is an argument."""

from sbc.transports.quic.budget import EARNED, IDLE_DATAGRAMS, IDLE_DATAGRAMS_PER_SECOND, Http3Budget
from sbc.wire.http2.budget import GLITCHES, PREMATURE_RESETS, PROVOKED_RESETS, RESETS_PER_SECOND, STREAMS, WORN_GLITCHES


def test_datagrams_that_lead_to_nothing() -> None:
    budget = Http3Budget(0.0)
    for _ in range(IDLE_DATAGRAMS):
        budget.idle(0.5, 0.0)
    assert not budget.fault
    budget.sent(10 * 1024)
    for _ in range(11):
        budget.idle(0.5, 0.0)
    assert not budget.fault, "acknowledgements are earned"
    budget.idle(0.5, 0.0)
    assert budget.fault == "h3_datagrams"


def test_time_earns_and_what_is_earned_is_bounded() -> None:
    budget = Http3Budget(0.0)
    for second in range(1, 200):
        for _ in range(IDLE_DATAGRAMS_PER_SECOND):
            budget.idle(float(second), 0.0)
    assert not budget.fault
    budget = Http3Budget(0.0)
    for _ in range(1000):
        budget.sent(1024 * 1024)
    for _ in range(EARNED + 2 * 1024):
        budget.idle(0.5, 0.0)
    assert budget.fault == "h3_datagrams"


def test_resets() -> None:
    budget = Http3Budget(0.0)
    for number in range(3 * RESETS_PER_SECOND):
        budget.reset(number / RESETS_PER_SECOND)
    assert not budget.fault
    for _ in range(2 * RESETS_PER_SECOND):
        budget.reset(10.0)
    assert budget.fault == "h3_rapid_reset"
    budget = Http3Budget(0.0)
    budget.streams = 4 * PREMATURE_RESETS
    for _ in range(2 * PREMATURE_RESETS):
        budget.premature()
    assert not budget.fault, "most of its streams are honest"
    budget.premature()
    assert budget.fault == "h3_rapid_reset"


def test_oddities() -> None:
    budget = Http3Budget(0.0)
    budget.glitch(WORN_GLITCHES)
    assert budget.worn and not budget.fault
    budget.reset(2.0)
    assert not budget.worn, "they are forgotten in time"
    for _ in range(GLITCHES):
        budget.glitch(1)
    assert budget.fault == "h3_glitches"
    budget = Http3Budget(0.0)
    for second in range(PROVOKED_RESETS + 1):
        budget.reset(float(second))
        budget.provoked()
    assert budget.fault == "h3_provoked_resets"
    budget = Http3Budget(0.0)
    budget.streams = STREAMS
    assert budget.worn


def test_datagrams_that_are_dear_to_read_count_for_more() -> None:
    budget = Http3Budget(0.0)
    for _ in range(150):
        budget.idle(0.5, 0.002)
    assert not budget.fault
    for _ in range(60):
        budget.idle(0.6, 0.002)
    assert budget.fault == "h3_datagrams"
