"""What one session says, held against its own rates and those that it shares."""

import pytest

from sbc.core.meter import Meter, meter_of
from sbc.core.turnstile import Turnstile, Whose
from sbc.model.errors import Refusal
from sbc.model.ids import AgentName, PrincipalId
from sbc.model.policy import Limits, PerSecond

NOW = 1000.0


def whose(principal: str = "ann", client: str = "192.0.2.1", tenant: str = "", agent: str = "tutor") -> Whose:
    return Whose("default", AgentName(agent), PrincipalId(principal), client, tenant)


def test_a_policy_without_rates_measures_nothing() -> None:
    assert meter_of(Limits(), Turnstile()) is None
    assert meter_of(Limits(bytes_per_second=20_000), Turnstile()) is not None


def test_a_meter_names_the_rate_that_is_used_up_most() -> None:
    meter = Meter(Limits(messages_per_second=10, bytes_per_second=1000, burst=1.0), Turnstile())
    meter.spend(10, 1000, NOW)
    assert meter.wait(0, NOW) == ("", 0.0)
    meter.spend(5, 2000, NOW)
    assert meter.wait(0, NOW) == ("bytes_per_second", pytest.approx(2.0))
    assert meter.wait(0, NOW + 1.9)[0] == "bytes_per_second"
    meter.spend(100, 0, NOW)
    assert meter.wait(0, NOW) == ("messages_per_second", pytest.approx(10.5))


def test_a_request_that_comes_too_soon_is_refused_and_does_not_count() -> None:
    meter = Meter(Limits(messages_per_second=2, burst=1.0), Turnstile())
    for _ in range(2):
        meter.take(100, NOW)
    for _ in range(5):
        with pytest.raises(Refusal) as refused:
            meter.take(100, NOW)
        assert (refused.value.status, refused.value.code, refused.value.retry_after) == (429, "messages_per_second", 1)
    meter.take(100, NOW + 0.5)


@pytest.mark.parametrize(("scope", "same", "another"), [
    ("principal", whose(client="192.0.2.2", agent="guide"), whose("bob")),
    ("source", whose("bob"), whose(client="192.0.2.2")),
    ("agent", whose("bob", "192.0.2.2"), whose(agent="guide")),
    ("tenant", whose("bob", "192.0.2.2", "acme"), whose(tenant="other")),
])  # fmt: skip
@pytest.mark.parametrize("what", ["messages", "bytes"])
def test_sessions_share_a_rate(what: str, scope: str, same: Whose, another: Whose) -> None:
    limits = Limits(burst=1.0, **{f"{what}_per_second_of": PerSecond(**{scope: 10})})  # type: ignore[arg-type]
    turnstile = Turnstile()
    one, other, stranger = (Meter(limits, turnstile) for _ in range(3))
    one.count_for(whose(tenant="acme"))
    other.count_for(same)
    stranger.count_for(another)
    one.spend(20, 20, NOW)
    assert other.wait(0, NOW) == (f"{what}_per_second_{scope}", pytest.approx(1.0))
    assert other.owed(0, NOW) == ("", 0.0), "it owes nothing itself"
    assert stranger.wait(0, NOW) == ("", 0.0)
    with pytest.raises(Refusal, match="503" if scope == "agent" else "429"):
        other.take(1, NOW)
    stranger.take(1, NOW)


def test_who_belongs_to_no_tenant_shares_no_rate_of_one() -> None:
    meter = Meter(Limits(messages_per_second_of=PerSecond(tenant=1), burst=1.0), Turnstile())
    meter.count_for(whose())
    for _ in range(50):
        meter.take(1, NOW)
