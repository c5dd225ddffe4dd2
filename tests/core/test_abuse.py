"""Scores of sources: what bars whom, for how long, and what is forgotten."""

import json
from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbc.core.abuse import BROKEN, FLOOD, ODD, WEIGHTS, Blotter, Standing
from sbc.model.abuse import AbuseRules

NOW = 1000.0
THEM, OTHERS = "203.0.113.7", "203.0.113.8"
RULES = AbuseRules(refuse=100, block=200, period=600.0)


def test_two_floods_bar_a_source_and_nobody_else() -> None:
    blotter = Blotter(RULES)
    assert blotter.charge("h2_rapid_reset", THEM, NOW) is None
    assert not blotter.bars(THEM, NOW) and not blotter.any_barred
    found = blotter.charge("h2_ping_flood", THEM, NOW)
    assert found is not None and found[0] == THEM and found[1].standing is Standing.BARRED
    assert blotter.any_barred and blotter.bars(THEM, NOW) and not blotter.bars(OTHERS, NOW)


def test_a_source_is_barred_for_its_period_and_then_has_half_its_score() -> None:
    blotter = Blotter(RULES)
    for _ in range(2):
        blotter.charge("h2_rapid_reset", THEM, NOW)
    assert blotter.bars(THEM, NOW + 599.9)
    assert not blotter.bars(THEM, NOW + 600.0) and not blotter.any_barred
    [(name, entry)] = blotter.entries(NOW + 600.0, 99)
    assert name == THEM and entry.score == pytest.approx(FLOOD) and entry.standing is Standing.KNOWN
    assert blotter.charge("h2_rapid_reset", THEM, NOW + 600.0) is not None  # one is enough by now


def test_who_is_told_of_is_told_of_once_for_each_step_down() -> None:
    blotter, told = Blotter(RULES), []
    for _ in range(20):
        found = blotter.charge("h2_rapid_reset", THEM, NOW)
        told += [found[1].standing] if found is not None else []
    assert told == [Standing.BARRED, Standing.BLOCKED]


def test_without_block_nobody_is_blocked_and_without_refuse_nobody_barred() -> None:
    mild, off = Blotter(replace(RULES, block=None)), Blotter(replace(RULES, refuse=None))
    for blotter in (mild, off):
        for _ in range(20):
            blotter.charge("h2_rapid_reset", THEM, NOW)
    assert [entry.standing for _, entry in mild.entries(NOW, 99)] == [Standing.BARRED]
    assert not off.bars(THEM, NOW) and len(off) == 0


def test_what_happens_to_honest_clients_now_and_then_bars_nobody() -> None:
    blotter, now = Blotter(RULES), NOW
    for _ in range(1000):
        assert blotter.charge("tls_handshake", THEM, now) is None
        now += 60.0
    assert [entry.score < RULES.refuse for _, entry in blotter.entries(now, 99)] == [True]  # type: ignore[operator]


def test_an_ipv6_source_is_its_network_and_a_mapped_address_is_the_ipv4_one() -> None:
    blotter = Blotter(RULES)
    for host in range(1, 3):
        blotter.charge("h2_rapid_reset", f"2001:db8::{host}", NOW)
        blotter.charge("h2_rapid_reset", f"::ffff:{THEM}", NOW)
    assert blotter.bars("2001:db8::ffff", NOW) and not blotter.bars("2001:db8:0:1::1", NOW)
    assert blotter.bars(THEM, NOW)


@pytest.mark.parametrize("client", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3", "", "unknown", "_hidden"])
def test_nothing_is_held_against_who_is_exempt_or_no_address(client: str) -> None:
    blotter = Blotter(replace(RULES, exempt=(*RULES.exempt, ip_network("10.0.0.0/8"))))
    for _ in range(20):
        assert blotter.charge("h2_rapid_reset", client, NOW) is None
    assert not blotter.bars(client, NOW) and len(blotter) == 0


def test_rules_that_a_reload_changes_hold_at_once() -> None:
    blotter = Blotter(RULES)
    for _ in range(2):
        blotter.charge("h2_rapid_reset", THEM, NOW)
    blotter.rules = replace(RULES, exempt=(ip_network("203.0.113.0/24"),))
    assert not blotter.bars(THEM, NOW)
    blotter.rules = replace(RULES, refuse=None)
    assert not blotter.bars(THEM, NOW)


def test_a_pardon_leaves_nothing() -> None:
    blotter = Blotter(RULES)
    for _ in range(2):
        blotter.charge("h2_rapid_reset", THEM, NOW)
    assert blotter.pardon(THEM) and not blotter.bars(THEM, NOW) and len(blotter) == 0
    assert not blotter.pardon(THEM)


def test_the_table_is_bounded_and_a_flood_of_sources_lets_nobody_out() -> None:
    blotter = Blotter(RULES, most=10)
    for _ in range(2):
        blotter.charge("h2_rapid_reset", THEM, NOW)
    for number in range(100):
        blotter.charge("malformed", f"198.51.100.{number}", NOW)
    assert len(blotter) == 11 and blotter.bars(THEM, NOW)


def test_what_another_process_was_told_bars_whom_it_has_barred_for_as_long() -> None:
    blotter, other = Blotter(RULES), Blotter(RULES)
    for _ in range(2):
        blotter.charge("h2_rapid_reset", THEM, NOW)
    blotter.charge("malformed", "198.51.100.1", NOW + 10)
    later = 5_000.0  # by another clock
    other.learn(json.loads(json.dumps(blotter.told(NOW + 100))), later)
    left = RULES.period - 100
    assert other.bars(THEM, later + left - 1) and not other.bars(THEM, later + left + 1)
    known = dict(other.entries(later, 9))
    assert known["198.51.100.1"].standing is Standing.KNOWN and 9 < known["198.51.100.1"].score < BROKEN
    other.learn(blotter.told(NOW + 100), later + left + 2)
    assert not other.bars(THEM, later + left + 2), "what is known here is believed more"


def test_what_nobody_is_to_blame_for_counts_nothing() -> None:
    blotter = Blotter(RULES)
    for kind in ("expired", "idle", "checkpoint_lie", "node_protocol_error", "no_route", "unauthenticated", "no_node"):
        blotter.charge(kind, THEM, NOW)
    assert len(blotter) == 0


@given(st.lists(st.tuples(st.floats(0, 900), st.sampled_from(sorted(WEIGHTS)), st.integers(0, 4)), max_size=60))
def test_a_score_never_leads_to_less_than_it_should(steps: list[tuple[float, str, int]]) -> None:
    """Against the same sum, done the long way."""
    blotter, now = Blotter(RULES, most=1000), NOW
    charged: dict[str, list[tuple[float, str]]] = {}
    for pause, kind, host in steps:
        now += pause
        client = f"203.0.113.{host}"
        charged.setdefault(client, []).append((now, kind))
        blotter.charge(kind, client, now)
        score = 0.0
        for number, (at, what) in enumerate(charged[client]):
            last = charged[client][number - 1][0] if number else at
            score = min(score * 2 ** ((last - at) / 600) + WEIGHTS[what], 400)
        assert blotter.bars(client, now) or score < 100
    assert all(entry.score >= ODD * 2**-100 for _, entry in blotter.entries(now, 99))
