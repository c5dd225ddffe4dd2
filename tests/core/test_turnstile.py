"""Who may begin how many sessions, and ask how often without one."""

import pytest

from sbc.core.turnstile import Turnstile, Whose
from sbc.model.errors import Refusal
from sbc.model.ids import AgentName, PrincipalId
from sbc.model.policy import Limits, PerSecond

NOW = 1000.0
AGENT = AgentName("tutor")


def ann(policy: str = "default", tenant: str = "") -> Whose:
    return Whose(policy, AGENT, PrincipalId("ann"), "192.0.2.1", tenant)


def enter(turnstile: Turnstile, limits: Limits, who: str, client: str, now: float = NOW,
          tenant: str = "") -> str:  # fmt: skip
    try:
        turnstile.enter(limits, Whose("default", AGENT, PrincipalId(who), client, tenant), now)
    except Refusal as refused:
        assert refused.retry_after is not None and refused.retry_after >= 1
        return f"{refused.status} {refused.code}"
    return ""


def test_new_sessions_are_counted_by_principal_source_and_agent() -> None:
    limits = Limits(sessions_per_second=PerSecond(principal=1, source=2, agent=3), burst=1.0)
    turnstile = Turnstile()
    assert enter(turnstile, limits, "ann", "192.0.2.1") == ""
    assert enter(turnstile, limits, "ann", "192.0.2.9") == "429 sessions_per_second_principal"
    assert enter(turnstile, limits, "bob", "192.0.2.1") == ""
    assert enter(turnstile, limits, "cat", "192.0.2.1") == "429 sessions_per_second_source"
    assert enter(turnstile, limits, "cat", "192.0.2.9") == ""  # who was refused was not counted
    assert enter(turnstile, limits, "dan", "192.0.2.8") == "503 sessions_per_second_agent"
    assert enter(turnstile, limits, "dan", "192.0.2.8", NOW + 1) == ""


def test_new_sessions_are_counted_by_tenant() -> None:
    limits, turnstile = Limits(sessions_per_second=PerSecond(tenant=2), burst=1.0), Turnstile()
    assert [enter(turnstile, limits, who, "192.0.2.1", tenant="acme") for who in ("ann", "bob", "cat")] \
        == ["", "", "429 sessions_per_second_tenant"]
    assert enter(turnstile, limits, "dan", "192.0.2.1", tenant="other") == ""
    assert [enter(turnstile, limits, "eve", "192.0.2.1") for _ in range(9)] == [""] * 9, "of no tenant: not limited"


def test_policies_count_apart_and_none_counts_nothing() -> None:
    limits = Limits(sessions_per_second=PerSecond(principal=1), burst=1.0)
    turnstile = Turnstile()
    for policy in ("a", "b"):
        turnstile.enter(limits, ann(policy), NOW)
    for _ in range(100):
        turnstile.enter(Limits(), ann("c"), NOW)


def test_requests_of_no_session_are_counted_by_principal() -> None:
    limits, turnstile = Limits(messages_per_second=2, burst=1.0), Turnstile()
    for who in ("ann", "bob"):
        asks = Whose("default", AGENT, PrincipalId(who), "192.0.2.1")
        for _ in range(2):
            turnstile.stray(limits, asks, 0, NOW)
        with pytest.raises(Refusal, match="429 messages_per_second"):
            turnstile.stray(limits, asks, 0, NOW)
    turnstile.stray(Limits(), ann(), 0, NOW)


def test_requests_of_no_session_are_counted_with_those_of_sessions() -> None:
    limits = Limits(messages_per_second_of=PerSecond(tenant=2), bytes_per_second_of=PerSecond(principal=100), burst=1.0)
    turnstile = Turnstile()
    turnstile.stray(limits, ann(), 300, NOW)
    with pytest.raises(Refusal, match="429 bytes_per_second_principal") as refused:
        turnstile.stray(limits, ann(), 0, NOW)
    assert refused.value.retry_after == 2
    turnstile.stray(limits, ann(tenant="acme"), 0, NOW + 9)
    turnstile.stray(limits, ann(tenant="acme"), 0, NOW + 9)
    with pytest.raises(Refusal, match="429 messages_per_second_tenant"):
        turnstile.stray(limits, ann(tenant="acme"), 0, NOW + 9)
