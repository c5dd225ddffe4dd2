"""Rates: what may come at once, what has to wait and for how long, and who is counted as one."""

import pytest

from sbc.core.rates import Bucket, Buckets, source

NOW = 1000.0


def test_a_burst_may_come_at_once_and_then_only_the_rate() -> None:
    bucket, now, came = Bucket(), NOW, 0
    while now < NOW + 10:
        if not bucket.wait(1, 5, 2, now):
            bucket.spend(1, 5, now)
            came += 1
        else:
            now += 0.01
    assert came == 2 * 5 + 10 * 5


def test_the_wait_that_is_told_is_enough_and_not_more() -> None:
    bucket = Bucket()
    for _ in range(14):
        bucket.spend(1, 5, NOW)
    wait = bucket.wait(1, 5, 2, NOW)
    assert wait == pytest.approx(1.0)
    assert bucket.wait(1, 5, 2, NOW + wait - 0.01) > 0
    assert bucket.wait(1, 5, 2, NOW + wait) == 0


def test_one_may_always_come_however_short_the_burst() -> None:
    bucket = Bucket()
    assert bucket.wait(1, 1, 0.1, NOW) == 0
    bucket.spend(1, 1, NOW)
    assert bucket.wait(1, 1, 0.1, NOW) == pytest.approx(1.0)


def test_a_bucket_that_rested_holds_no_more_than_its_burst() -> None:
    bucket = Bucket()
    bucket.spend(1, 5, NOW)
    for _ in range(10):
        bucket.spend(1, 5, NOW + 1000)
    assert bucket.wait(0, 5, 2, NOW + 1000) == 0
    assert bucket.wait(1, 5, 2, NOW + 1000) == pytest.approx(0.2)


def test_of_too_many_buckets_the_one_that_rested_longest_is_forgotten() -> None:
    buckets = Buckets(3)
    for name in ("a", "b", "c", "a", "d"):
        buckets.spend(("p", name), 1, NOW)
    assert len(buckets) == 3
    assert [buckets.wait(("p", name), 1, 1, NOW) > 0 for name in "abcd"] == [True, False, True, True]


@pytest.mark.parametrize(("client", "counted"), [
    ("192.0.2.1", "192.0.2.1"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"), ("::ffff:192.0.2.1", "192.0.2.1"),
    ("2001:db8:1:2::1%eth0", "2001:db8:1:2::"), ("unknown", "unknown"), ("", ""),
])  # fmt: skip
def test_a_source_is_an_address_or_a_prefix(client: str, counted: str) -> None:
    assert source(client) == counted
