"""Durations and sizes."""

import pytest

from sbc.config.faults import Wrong
from sbc.config.units import Duration, Size, octets, seconds


@pytest.mark.parametrize(("written", "value"), [
    ("250ms", 0.25), ("300ms", 0.3), ("1s", 1.0), ("1.5s", 1.5), ("15m", 900.0), ("8h", 28800.0), ("2d", 172800.0),
    ("0s", 0.0), (0, 0.0),
])
def test_durations_are_seconds(written: object, value: float) -> None:
    assert seconds(written) == value


@pytest.mark.parametrize(("written", "value"), [
    ("1B", 1), ("64KiB", 65536), ("64KB", 64000), ("1MiB", 1048576), ("10MB", 10_000_000), ("2GiB", 2 * 2**30),
    ("1GB", 10**9), (0, 0),
])
def test_sizes_are_bytes(written: object, value: int) -> None:
    assert octets(written) == value


@pytest.mark.parametrize(("written", "what", "right"), [
    (30, "no unit", "write 30s, or a duration such as 250ms, 30s, 15m or 8h"),
    ("30", "not a duration", "a duration such as 250ms, 30s, 15m or 8h"),
    ("5 s", "not a duration", "write 5s"), ("5S", "not a duration", "write 5s"),
    ("5 MS", "not a duration", "write 5ms"),
    ("1h30m", "not a duration", "a duration such as 250ms, 30s, 15m or 8h"),
    ("-1s", "not a duration", "a duration such as 250ms, 30s, 15m or 8h"),
    (-1, "not a duration", "a duration such as 250ms, 30s, 15m or 8h"),
    (1.5, "not a duration", "a duration such as 250ms, 30s, 15m or 8h"),
    (True, "not a duration", "a duration such as 250ms, 30s, 15m or 8h"),
    (None, "not a duration", "a duration such as 250ms, 30s, 15m or 8h"),
    ("9" * 5000 + "s", "not a duration", "a duration such as 250ms, 30s, 15m or 8h"),
    ("٣s", "not a duration", "a duration such as 250ms, 30s, 15m or 8h"),
])
def test_what_is_no_duration(written: object, what: str, right: str) -> None:
    with pytest.raises(Wrong) as caught:
        seconds(written)
    assert (caught.value.what, caught.value.right) == (what, right)


@pytest.mark.parametrize(("written", "what", "right"), [
    (65536, "no unit", "write 65536B, or a size such as 64KiB, 1MiB or 10MB"),
    ("64k", "not a size", "write 64KB or 64KiB"), ("64kib", "not a size", "write 64KiB"),
    ("10M", "not a size", "write 10MB or 10MiB"), ("1.5MiB", "not a size", "a size such as 64KiB, 1MiB or 10MB"),
    ([], "not a size", "a size such as 64KiB, 1MiB or 10MB"),
])
def test_what_is_no_size(written: object, what: str, right: str) -> None:
    with pytest.raises(Wrong) as caught:
        octets(written)
    assert (caught.value.what, caught.value.right) == (what, right)


def test_bounds_are_told_in_the_words_of_the_file() -> None:
    limits = Duration("50ms", "1h")
    assert (limits.accept("50ms"), limits.accept("1h")) == (0.05, 3600.0)
    with pytest.raises(Wrong, match="too small; at least 50ms"):
        limits.accept(0)
    with pytest.raises(Wrong, match="too large; at most 1MiB"):
        Size("1B", "1MiB").accept("2MiB")
