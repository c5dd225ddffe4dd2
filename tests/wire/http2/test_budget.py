"""Frames on a budget: what honest clients do is free, each flood is noticed at its limit; both twins."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sbc.wire.http2 import budget as built
from tests.support.h2_client import frame

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)


def _plain() -> ModuleType:
    path = Path(built.__file__)
    spec = importlib.util.spec_from_file_location("plain_budget", path.with_name("budget.py"))
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TWINS = [_plain().Budget] + ([built.Budget] if Path(built.__file__).suffix == ".so" else [])


@pytest.fixture(params=TWINS)
def budget(request: pytest.FixtureRequest) -> Any:
    return request.param(0, 32 * 1024, 100.0)


def odd(n: int) -> int:
    return 2 * n + 1


LIMITS = {
    "h2_rapid_reset": (100, lambda n: frame(RST, 0, odd(n), bytes(4))),
    "h2_ping_flood": (20, lambda n: frame(PING, 0, 0, bytes(8))),
    "h2_settings_flood": (10, lambda n: frame(SETTINGS, 0, 0)),
    "h2_empty_frames": (10, lambda n: frame(DATA, 0, 1)),
    "h2_priority_flood": (100, lambda n: frame(PRIORITY, 0, 1, bytes(5))),
    "h2_window_update_flood": (5, lambda n: frame(WINDOW, 0, 0, bytes(4))),
    "h2_unknown_frames": (100, lambda n: frame(0xEE, 0, 0, b"x")),
}


@pytest.mark.parametrize("kind", LIMITS)
def test_a_flood_is_noticed_at_its_limit(budget: Any, kind: str) -> None:
    limit, make = LIMITS[kind]
    for n in range(limit):
        budget.charge(make(n), 100.0)
        assert budget.fault == "", f"{n} of {limit}"
    budget.charge(make(limit), 100.5)
    assert budget.fault == kind


def test_a_client_that_is_sent_data_may_ping_more(budget: Any) -> None:
    ping = frame(PING, 0, 0, bytes(8))
    budget.charge(b"", 101.0)
    budget.data_frames += 30
    for _ in range(50):
        budget.charge(ping, 101.5)
    assert budget.fault == ""
    for _ in range(21):
        budget.charge(ping, 102.5)
    assert budget.fault == "h2_ping_flood"  # what was sent a second ago pays for no more


def test_requests_are_worked_off_few_at_a_time(budget: Any) -> None:
    head = frame(HEADERS, 0x5, 1, b"x")
    portion = budget.charge(b"".join(frame(HEADERS, 0x5, odd(n), b"x") for n in range(100)), 100.0)
    assert portion == 32 * len(head) - 1  # the last one's payload is left


@pytest.mark.parametrize("kind", ["h2_ping_flood", "h2_settings_flood", "h2_empty_frames", "h2_unknown_frames"])
def test_what_is_counted_by_the_second_is_forgotten(budget: Any, kind: str) -> None:
    limit, make = LIMITS[kind]
    for second in range(5):
        for n in range(limit):
            budget.charge(make(n), 100.0 + second)
    assert budget.fault == ""


def test_resets_have_a_limit_for_life(budget: Any) -> None:
    for second in range(60):
        for n in range(90):
            budget.charge(frame(RST, 0, odd(n), bytes(4)), 100.0 + second)
    assert budget.fault == "h2_rapid_reset"


def test_premature_resets_may_not_be_most_of_the_streams(budget: Any) -> None:
    for n in range(200):
        budget.charge(frame(HEADERS, 5, odd(n), b"\x82"), 100.0)
    for _ in range(100):
        budget.premature()
    assert budget.fault == ""
    budget.premature()
    assert budget.fault == "h2_rapid_reset"


def test_a_few_premature_resets_are_always_allowed(budget: Any) -> None:
    for _ in range(50):
        budget.premature()
    assert budget.fault == ""
    budget.premature()
    assert budget.fault == "h2_rapid_reset"


def test_windows_may_be_opened_as_data_is_sent(budget: Any) -> None:
    budget.data_frames += 10
    budget.charge(frame(HEADERS, 5, 1, b"\x82"), 100.0)
    for _ in range(5 + 2 + 200):
        budget.charge(frame(WINDOW, 0, 0, bytes(4)), 100.0)
    assert budget.fault == ""
    budget.charge(frame(WINDOW, 0, 0, bytes(4)), 100.0)
    assert budget.fault == "h2_window_update_flood"


def test_ends_of_streams_are_not_empty(budget: Any) -> None:
    for n in range(50):
        budget.charge(frame(DATA, 1, odd(n)), 100.0)
        budget.charge(frame(DATA, 8, odd(n), b"\x02x\0\0"), 100.0)
    assert budget.fault == ""
    for n in range(11):
        budget.charge(frame(DATA, 8, odd(n), b"\x03\0\0\0"), 100.0)
    assert budget.fault == "h2_empty_frames"


def test_a_block_of_fields_has_its_bounds(budget: Any) -> None:
    for stream in (1, 3):
        budget.charge(frame(HEADERS, 0, stream, bytes(100)), 100.0)
        for _ in range(7):
            budget.charge(frame(CONTINUATION, 0, stream, bytes(100)), 101.0)
        assert budget.begun_since == 100.0
        budget.charge(frame(CONTINUATION, 4, stream, bytes(100)), 102.0)
        assert budget.begun_since == 0 and budget.fault == ""
    budget.charge(frame(HEADERS, 0, 5, bytes(16384)), 103.0)
    budget.charge(frame(CONTINUATION, 0, 5, bytes(16384)), 103.0)
    assert budget.fault == ""
    budget.charge(frame(CONTINUATION, 4, 5, b"x"), 103.0)
    assert budget.fault == "h2_continuation_flood"


def test_a_client_has_to_begin(budget: Any) -> None:
    assert budget.begun_since == 100.0
    budget.charge(frame(SETTINGS, 0, 0), 100.0)
    assert budget.begun_since == 0


def test_glitches_fade(budget: Any) -> None:
    budget.glitch(80)
    assert budget.worn and budget.fault == ""
    budget.charge(b"", 101.0)
    assert budget.glitches == 40 and not budget.worn
    budget.glitch(61)
    assert budget.fault == "h2_glitches"


def test_provoked_resets(budget: Any) -> None:
    for second in range(100):
        budget.charge(b"", 101.0 + second)
        budget.provoked()
    assert budget.fault == ""
    budget.provoked()
    assert budget.fault == "h2_provoked_resets"


def test_many_streams_wear_a_connection_out(budget: Any) -> None:
    for n in range(10_000):
        assert not budget.worn
        budget.charge(frame(HEADERS, 5, odd(n), b"\x82"), 100.0)
    assert budget.worn and budget.fault == ""


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("piece", [1, 2, 7, 9, 10, 100])
def test_pieces_count_as_the_whole(twin: Any, piece: int) -> None:
    budget = twin(24, 32 * 1024, 100.0)
    stream = bytes(24) + b"".join(
        frame(HEADERS, 4, odd(n), bytes(n)) + frame(DATA, 0, odd(n), bytes(200 + n)) for n in range(1, 90))
    for at in range(0, len(stream), piece):
        part = stream[at:at + piece]
        assert budget.charge(part, 100.0) == len(part)
    assert budget.streams == 89 and budget.fault == ""


def test_work_is_done_in_portions(budget: Any) -> None:
    one = frame(DATA, 0, 1, b"x")
    stream = one * 1000
    taken = budget.charge(stream, 100.0)
    assert taken == 256 * len(one) - 1, "up to the head of the last frame"
    assert budget.charge(stream[taken:], 100.0) == 256 * len(one)


def test_a_portion_of_long_frames_ends_within_one(budget: Any) -> None:
    stream = frame(DATA, 0, 1, bytes(16384)) * 10
    taken = budget.charge(stream, 100.0)
    assert taken == 64 * 1024
    while taken < len(stream):
        taken += budget.charge(stream[taken:], 100.0)
    budget.charge(frame(HEADERS, 5, 1, b"\x82"), 100.0)
    assert budget.streams == 1 and budget.fault == ""


@pytest.mark.parametrize("cut", range(11))
def test_padding_alone_is_nothing_however_it_is_cut(budget: Any, cut: int) -> None:
    alone = frame(DATA, 8, 1, b"\x03\0\0\0")
    for _ in range(11):
        budget.charge(alone[:cut], 100.0)
        budget.charge(alone[cut:], 100.0)
    assert budget.fault == "h2_empty_frames"


@pytest.mark.parametrize("cut", range(11))
def test_what_stands_before_padding_is_something(budget: Any, cut: int) -> None:
    some = frame(DATA, 8, 1, b"\x03x\0\0\0")
    for _ in range(11):
        budget.charge(some[:cut], 100.0)
        budget.charge(some[cut:], 100.0)
    budget.charge(frame(PING, 0, 0, bytes(8)) * 21, 100.0)
    assert budget.fault == "h2_ping_flood"
