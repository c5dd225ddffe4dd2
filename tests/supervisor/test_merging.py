"""Metrics of several workers as those of one edge."""

from prometheus_client import CollectorRegistry

from sbc.supervisor.merging import LEAST, MOST, SUMMED, Families, merged, own_families, written
from sbc.telemetry.collector import Gauges, make_registry, render
from sbc.telemetry.metrics import Metrics


def told(number: int) -> list[list[object]]:
    metrics = Metrics()
    metrics.admissions["admitted"] = 10 + number
    metrics.handover_gap.observe(0.02)
    metrics.loop_lag_max = 0.1 * number
    metrics.pressure = {"lag": 0.5 - number / 10}
    nodes = {"up": 2} if number else {"up": 1, "down": 1}
    gauges = Gauges({("held", "interactive", "a"): number}, nodes, 100, {"c": 50.0 + number}, {}, 1,
                    store_works=bool(number))  # fmt: skip
    return written(make_registry(metrics, lambda: gauges).collect())


def exposition() -> str:
    registry = CollectorRegistry(auto_describe=False)
    own = written(own_families({"ready": 2}, {0: 0, 1: 3}, {"applied": 1}, False, {"failed": 1}, {"refused": 2}))
    registry.register(Families(merged({"0": told(0), "1": told(1), "supervisor": own})))
    return render(registry, "")[0].decode()


def test_of_every_gauge_it_is_known_what_all_workers_make_of_it() -> None:
    families = make_registry(Metrics(), lambda: Gauges({}, {}, 0, {}, {}, 0)).collect()
    gauges = {family.name for family in families if family.type == "gauge" and not family.name.startswith("process_")}
    assert gauges == MOST | LEAST | SUMMED
    assert not (MOST & LEAST or MOST & SUMMED or LEAST & SUMMED)


def test_each_is_told_once_as_it_makes_sense() -> None:
    lines = exposition().splitlines()
    for line in (
        'sbc_admissions_total{outcome="admitted"} 21.0', 'sbc_handover_gap_seconds_bucket{le="0.02"} 2.0',
        "sbc_handover_gap_seconds_count 2.0", "sbc_handover_gap_seconds_sum 0.04", "sbc_journal_bytes 200.0",
        'sbc_dialogs{agent="a",class="interactive",state="held"} 1.0', 'sbc_nodes{state="up"} 2.0',
        'sbc_nodes{state="down"} 1.0', "sbc_loop_lag_max_seconds 0.1", 'sbc_pressure{source="lag"} 0.5',
        'sbc_certificate_expiry_seconds{certificate="c"} 50.0', "sbc_revocations 1.0", "sbc_store_up 0.0",
        'sbc_workers{state="ready"} 2.0', 'sbc_worker_restarts_total{worker="1"} 3.0', "sbc_config_reload_ok 0.0",
        'sbc_config_reloads_total{outcome="applied"} 1.0', 'sbc_upgrades_total{outcome="failed"} 1.0',
        'sbc_abuse_total{kind="trunk_refused"} 2.0',
    ):  # fmt: skip
        assert lines.count(line) == 1, line
    assert len([line for line in lines if line.startswith("process_resident_memory_bytes{")]) == 2
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
