"""The exposition, read back with the parsers of prometheus-client."""

import pytest
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser

from sbc.telemetry.collector import Gauges, make_registry, render
from sbc.telemetry.metrics import Metrics

ODD = 'a"b\\c\nd'
"""An agent's name that would break an exposition without escaping."""

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

DESIGN_5_7 = {
    "sbc_dialogs": {"state", "class", "agent"}, "sbc_admissions_total": {"outcome"},
    "sbc_handovers_total": {"cause", "outcome"}, "sbc_handover_gap_seconds_bucket": {"le"},
    "sbc_messages_total": {"leg", "class"}, "sbc_bytes_total": {"leg", "class"},
    "sbc_replayed_messages_total": set(), "sbc_suppressed_messages_total": set(), "sbc_lost_messages_total": set(),
    "sbc_journal_bytes": set(), "sbc_nodes": {"state"}, "sbc_node_rtt_seconds_bucket": {"le"},
    "sbc_refused_total": {"code"}, "sbc_abuse_total": {"kind"}, "sbc_config_reload_ok": set(),
    "sbc_certificate_expiry_seconds": {"certificate"}, "sbc_session_seconds_total": {"state"},
    "sbc_loop_lag_seconds": set(),
}


class Counted:
    messages = 7
    octets = 700
    suppressed = 2
    stale = 1


def busy() -> tuple[Metrics, Gauges]:
    metrics = Metrics()
    metrics.admissions["admitted"] += 3
    metrics.handovers["failover", "moved"] += 2
    metrics.handover_gap.observe(0.004)
    metrics.handover_gap.observe(90.0)
    metrics.node_rtt.observe(0.0002)
    metrics.refused["no_route"] += 1
    metrics.abuse["bad_frame"] += 1
    metrics.suppressed = 1
    metrics.lost = 5
    metrics.session_seconds["confirmed"] += 1.5
    metrics.tallies["client", "interactive"] = Counted()
    gauges = Gauges({("confirmed", "interactive", ODD): 4}, {"up": 2, "down": 1}, 4096, {"var/tls.crt": 86400.0}, {}, 0)
    return metrics, gauges


def samples(metrics: Metrics, gauges: Gauges, accept: str = "") -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    text, _ = render(make_registry(metrics, lambda: gauges), accept)
    parse = openmetrics_parser if "openmetrics" in accept else parser
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in parse.text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_names_and_labels_are_those_of_the_contract(accept: str) -> None:
    found = samples(*busy(), accept)
    for name, labels in DESIGN_5_7.items():
        assert {key for key, _ in next(iter(found[name]))} == labels, name
    assert "process_resident_memory_bytes" in found


def test_values_come_through() -> None:
    found = samples(*busy())
    assert found["sbc_dialogs"][("agent", ODD), ("class", "interactive"), ("state", "confirmed")] == 4
    assert found["sbc_handovers_total"][("cause", "failover"), ("outcome", "moved")] == 2
    assert found["sbc_messages_total"][("class", "interactive"), ("leg", "client")] == 7
    assert found["sbc_bytes_total"][("class", "interactive"), ("leg", "client")] == 700
    assert found["sbc_suppressed_messages_total"][()] == 3  # the tally's and the edge's own
    assert found["sbc_stale_messages_total"][()] == 1
    assert found["sbc_session_seconds_total"][(("state", "confirmed"),)] == 1.5
    assert found["sbc_config_reload_ok"][()] == 1


def test_a_histogram_is_cumulative_and_ends_in_infinity() -> None:
    found = samples(*busy())
    gaps = {labels[0][1]: value for labels, value in found["sbc_handover_gap_seconds_bucket"].items()}
    assert (gaps["0.002"], gaps["0.005"], gaps["60.0"], gaps["+Inf"]) == (0, 1, 1, 2)
    assert found["sbc_handover_gap_seconds_count"][()] == 2
    assert found["sbc_handover_gap_seconds_sum"][()] == pytest.approx(90.004)


def test_each_scrape_reads_anew() -> None:
    metrics, gauges = busy()
    registry = make_registry(metrics, lambda: gauges)
    metrics.lost = 6
    assert b"sbc_lost_messages_total 6.0" in render(registry, "")[0]


def test_the_format_follows_the_accept_header() -> None:
    metrics, gauges = busy()
    registry = make_registry(metrics, lambda: gauges)
    text, content_type = render(registry, OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")
    assert render(registry, "text/html")[1].startswith("text/plain")


@pytest.mark.parametrize("accept", [
    "application/openmetrics-text; version=x", "application/openmetrics-text; version=", "text/plain;version=1..",
    ",;,=", "application/openmetrics-text;escaping=nonsense", "text/plain; version=1.0.0; escaping=\"x\"",
])
def test_a_strange_accept_header_still_gets_metrics(accept: str) -> None:
    metrics, gauges = busy()
    assert b"sbc_dialogs" in render(make_registry(metrics, lambda: gauges), accept)[0]
