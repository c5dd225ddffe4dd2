"""The edge's own counters."""

import pytest

from sbc.telemetry.metrics import GAP_BOUNDS, Histogram, Metrics


@pytest.mark.parametrize(("value", "bucket"), [(0.0, 0), (0.001, 0), (0.0011, 1), (60.0, 15), (60.1, 16)])
def test_a_value_on_a_bound_belongs_to_the_bucket_below_it(value: float, bucket: int) -> None:
    histogram = Histogram(GAP_BOUNDS)
    histogram.observe(value)
    assert histogram.counts.index(1) == bucket
    assert histogram.sum == value


def test_the_worst_lag_is_remembered() -> None:
    metrics = Metrics()
    for lag in (0.1, 0.5, 0.2):
        metrics.lagged(lag)
    assert (metrics.loop_lag_last, metrics.loop_lag_max) == (0.2, 0.5)


def test_a_rejected_reload_shows_until_one_is_applied() -> None:
    metrics = Metrics()
    metrics.reloaded(applied=False)
    assert not metrics.config_reload_ok
    metrics.reloaded(applied=True)
    assert metrics.config_reload_ok
    assert metrics.reloads == {"rejected": 1, "applied": 1}
