"""Metrics of all workers as those of one edge: counters and histograms are summed, and gauges where a sum makes sense.
Of a gauge that says how the worst of them stands, the worst is taken. What a process costs bears the worker's number.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]

MOST: Final = frozenset({
    "sbc_discovery_age_seconds", "sbc_edges", "sbc_jwks_age_seconds", "sbc_loop_lag_max_seconds",
    "sbc_loop_lag_seconds", "sbc_nodes", "sbc_pressure", "sbc_revocations",
})  # fmt: skip
"""Gauges of which the highest is told: every worker has all nodes, all keys and all revocations."""
LEAST: Final = frozenset({
    "sbc_certificate_expiry_seconds", "sbc_config_reload_ok", "sbc_interconnect_up", "sbc_store_lease_seconds",
    "sbc_store_up",
})  # fmt: skip
"""Those of which the lowest is."""
SUMMED: Final = frozenset({
    "sbc_address_held", "sbc_dialogs", "sbc_journal_bytes", "sbc_quic_connections", "sbc_quic_half_open", "sbc_waiting",
})  # fmt: skip
"""Those that are counts of what each has."""
OWN: Final = "process_"
"""What begins like this is told for each worker."""


def written(families: Iterable[Metric]) -> list[list[Any]]:
    """Metric families as JSON values."""
    return [[family.name, family.documentation, family.type,
             [[sample.name, sample.labels, sample.value] for sample in family.samples]] for family in families]


def merged(workers: Mapping[str, Sequence[Sequence[Any]]]) -> Iterator[Metric]:
    """The families of all workers as one edge's. workers: what each has `written`, by its number."""
    families: dict[str, tuple[str, str, Samples]] = {}
    for worker, told in workers.items():
        for name, text, kind, samples in told:
            _, _, sums = families.setdefault(name, (text, kind, {}))
            for sample, labels, value in samples:
                own = {"worker": worker} if name.startswith(OWN) else {}
                key = (sample, tuple(sorted((labels | own).items())))
                before = sums.get(key)
                sums[key] = value if before is None else _both(name, before, value)
    for name, (text, kind, sums) in families.items():
        family = Metric(name, text, kind)
        for (sample, labels), value in sums.items():
            family.add_sample(sample, dict(labels), value)
        yield family


def _both(name: str, one: float, other: float) -> float:
    if name in MOST:
        return max(one, other)
    if name in LEAST:
        return min(one, other)
    return one + other


def own_families(
    states: Mapping[str, int], restarts: Mapping[int, int], reloads: Mapping[str, int], reload_ok: bool,
    upgrades: Mapping[str, int], trunk: Mapping[str, int],
) -> Iterator[Metric]:  # fmt: skip
    """What the supervisor itself counts: workers by state, restarts by worker, reloads by outcome, whether the last one
    was applied, upgrades by outcome, and by kind what came over trunks that is none."""
    workers = GaugeMetricFamily("sbc_workers", "Workers now.", labels=("state",))
    for state, count in states.items():
        workers.add_metric((state,), count)
    yield workers
    yield _counter("sbc_worker_restarts", "Workers that ended and were started again.", "worker",
                   {str(worker): count for worker, count in restarts.items()})  # fmt: skip
    yield _counter("sbc_config_reloads", "Reloads tried.", "outcome", reloads)
    yield _counter("sbc_upgrades", "Changes of the process by `sbc upgrade`.", "outcome", upgrades)
    yield _counter("sbc_abuse", "Breaches of protocol or limits.", "kind",
                   {f"trunk_{kind}": count for kind, count in trunk.items()})  # fmt: skip
    yield GaugeMetricFamily("sbc_config_reload_ok", "1 if the last reload was applied.", value=float(reload_ok))


def _counter(name: str, text: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=(label,))
    for value, count in counts.items():
        family.add_metric((value,), count)
    return family


class Families(Collector):
    """Metric families as they are, to be rendered."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> list[Metric]:
        return self._families
