"""Metrics of all workers as those of one edge: counters and histograms are summed, and gauges where a sum makes sense.
Of a gauge that says how the worst of them stands, the worst is taken. What a process costs bears the worker's number.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from prometheus_client.metrics_core import Metric

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]

MOST: Final = frozenset({
    "sbc_nodes", "sbc_loop_lag_seconds", "sbc_loop_lag_max_seconds", "sbc_pressure", "sbc_jwks_age_seconds",
    "sbc_revocations",
})  # fmt: skip
"""Gauges of which the highest is told: every worker has all nodes, all keys and all revocations."""
LEAST: Final = frozenset({"sbc_store_up", "sbc_store_lease_seconds", "sbc_certificate_expiry_seconds",
                          "sbc_config_reload_ok"})
"""Those of which the lowest is."""
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
