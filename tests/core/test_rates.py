"""Rates: what may come at once, what has to wait and for how long, and who is counted as one."""

import pytest

from sbc.core.rates import Bucket, Buckets, Meter, Turnstile, meter_of, source
from sbc.model.errors import Refusal
from sbc.model.ids import AgentName, PrincipalId
from sbc.model.policy import Limits, NewSessions

NOW = 1000.0
AGENT = AgentName("tutor")


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


def test_a_policy_without_rates_measures_nothing() -> None:
    assert meter_of(Limits()) is None
    assert meter_of(Limits(bytes_per_second=20_000)) is not None


def test_a_meter_names_the_rate_that_is_used_up_most() -> None:
    meter = Meter(Limits(messages_per_second=10, bytes_per_second=1000, burst=1.0))
    meter.spend(10, 1000, NOW)
    assert meter.wait(0, NOW) == ("", 0.0)
    meter.spend(5, 2000, NOW)
    assert meter.wait(0, NOW) == ("bytes_per_second", pytest.approx(2.0))
    assert meter.wait(0, NOW + 1.9)[0] == "bytes_per_second"
    meter.spend(100, 0, NOW)
    assert meter.wait(0, NOW) == ("messages_per_second", pytest.approx(10.5))


def test_a_request_that_comes_too_soon_is_refused_and_does_not_count() -> None:
    meter = Meter(Limits(messages_per_second=2, burst=1.0))
    for _ in range(2):
        meter.take(100, NOW)
    for _ in range(5):
        with pytest.raises(Refusal) as refused:
            meter.take(100, NOW)
        assert (refused.value.status, refused.value.code, refused.value.retry_after) == (429, "messages_per_second", 1)
    meter.take(100, NOW + 0.5)


def enter(turnstile: Turnstile, limits: Limits, who: str, client: str, now: float = NOW,
          tenant: str = "") -> str:  # fmt: skip
    try:
        turnstile.enter("default", limits, AGENT, PrincipalId(who), client, tenant, now)
    except Refusal as refused:
        assert refused.retry_after is not None and refused.retry_after >= 1
        return f"{refused.status} {refused.code}"
    return ""


def test_new_sessions_are_counted_by_principal_source_and_agent() -> None:
    limits = Limits(sessions_per_second=NewSessions(principal=1, source=2, agent=3), burst=1.0)
    turnstile = Turnstile()
    assert enter(turnstile, limits, "ann", "192.0.2.1") == ""
    assert enter(turnstile, limits, "ann", "192.0.2.9") == "429 sessions_per_second_principal"
    assert enter(turnstile, limits, "bob", "192.0.2.1") == ""
    assert enter(turnstile, limits, "cat", "192.0.2.1") == "429 sessions_per_second_source"
    assert enter(turnstile, limits, "cat", "192.0.2.9") == ""  # who was refused was not counted
    assert enter(turnstile, limits, "dan", "192.0.2.8") == "503 sessions_per_second_agent"
    assert enter(turnstile, limits, "dan", "192.0.2.8", NOW + 1) == ""


def test_new_sessions_are_counted_by_tenant() -> None:
    limits, turnstile = Limits(sessions_per_second=NewSessions(tenant=2), burst=1.0), Turnstile()
    assert [enter(turnstile, limits, who, "192.0.2.1", tenant="acme") for who in ("ann", "bob", "cat")] \
        == ["", "", "429 sessions_per_second_tenant"]
    assert enter(turnstile, limits, "dan", "192.0.2.1", tenant="other") == ""
    assert [enter(turnstile, limits, "eve", "192.0.2.1") for _ in range(9)] == [""] * 9, "of no tenant: not limited"


def test_policies_count_apart_and_none_counts_nothing() -> None:
    limits = Limits(sessions_per_second=NewSessions(principal=1), burst=1.0)
    turnstile = Turnstile()
    for policy in ("a", "b"):
        turnstile.enter(policy, limits, AGENT, PrincipalId("ann"), "192.0.2.1", "", NOW)
    for _ in range(100):
        turnstile.enter("c", Limits(), AGENT, PrincipalId("ann"), "192.0.2.1", "", NOW)


def test_requests_of_no_session_are_counted_by_principal() -> None:
    limits, turnstile = Limits(messages_per_second=2, burst=1.0), Turnstile()
    for who in ("ann", "bob"):
        for _ in range(2):
            turnstile.stray("default", limits, PrincipalId(who), NOW)
        with pytest.raises(Refusal, match="429 messages_per_second"):
            turnstile.stray("default", limits, PrincipalId(who), NOW)
    turnstile.stray("default", Limits(), PrincipalId("ann"), NOW)


@pytest.mark.parametrize(("client", "counted"), [
    ("192.0.2.1", "192.0.2.1"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"), ("::ffff:192.0.2.1", "192.0.2.1"),
    ("2001:db8:1:2::1%eth0", "2001:db8:1:2::"), ("unknown", "unknown"), ("", ""),
])  # fmt: skip
def test_a_source_is_an_address_or_a_prefix(client: str, counted: str) -> None:
    assert source(client) == counted
