"""Whom the edge sheds, how likely, and when it says so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbc.core.pressure import CALM_AFTER, Pressure, Signs
from sbc.model.capacity import Marks
from sbc.model.ids import AgentName, PoolName
from sbc.model.manifest import Continuity, Manifest

MARKS = Marks(low=0.6, high=0.95)
"""Each grade begins 0.05 above the one below it."""
GRADES = [(continuity, rising) for continuity in reversed(Continuity) for rising in (False, True)]
"""Those that are shed first stand first."""


def manifest(continuity: Continuity, *, rising: bool = True) -> Manifest:
    return Manifest(AgentName("a"), PoolName("p"), continuity, rising=rising)


def chances(level: float, strain: float = 0.0) -> list[float]:
    pressure = Pressure(MARKS)
    pressure.measured(Signs(memory=level, descriptors=0.0, journals=0.0))
    return [round(pressure.chance(manifest(continuity, rising=rising), strain), 3) for continuity, rising in GRADES]


@pytest.mark.parametrize(("level", "expected"), [
    (0.0, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
    (0.6, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
    (0.65, [0.5, 0.0, 0.0, 0.0, 0.0, 0.0]),
    (0.7, [1.0, 0.5, 0.0, 0.0, 0.0, 0.0]),
    (0.85, [1.0, 1.0, 1.0, 1.0, 0.5, 0.0]),
    (0.925, [1.0, 1.0, 1.0, 1.0, 1.0, 0.75]),
    (0.95, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
    (2.0, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
])  # fmt: skip
def test_the_lowest_class_goes_first_and_flat_values_before_rising_ones(level: float, expected: list[float]) -> None:
    assert chances(level) == expected
    assert chances(0.1, strain=level) == expected


@given(st.floats(0, 1.2), st.floats(0, 1.2))
def test_more_pressure_is_never_kinder(one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert all(before <= after for before, after in zip(chances(less), chances(more), strict=True))
    assert chances(more) == sorted(chances(more), reverse=True)


def test_the_worst_source_counts() -> None:
    pressure = Pressure(MARKS)
    pressure.measured(Signs(memory=0.2, descriptors=0.8, journals=0.3))
    assert (pressure.source, pressure.level, pressure.extreme) == ("descriptors", 0.8, False)
    pressure.measured(Signs(memory=0.96, descriptors=0.8, journals=0.3))
    assert (pressure.source, pressure.extreme) == ("memory", True)


def test_one_stall_is_no_pressure_and_many_are() -> None:
    pressure = Pressure(MARKS)
    pressure.lagged(1.0, 0.5)
    assert pressure.level <= 0.2
    for _ in range(200):
        pressure.lagged(0.0, 0.5)
    assert pressure.level < 0.01
    for _ in range(60):
        pressure.lagged(0.5, 0.5)
    assert pressure.level > 0.95


def test_a_shedding_begins_once_and_ends_when_nothing_was_shed_for_a_while() -> None:
    pressure = Pressure(MARKS)
    assert not pressure.over(0.0)
    assert [pressure.refused(at) for at in (1.0, 2.0, 3.0)] == [True, False, False]
    assert not pressure.over(3.0 + CALM_AFTER - 0.1)
    assert pressure.over(3.0 + CALM_AFTER) and pressure.shed == 3
    assert not pressure.over(3.0 + CALM_AFTER + 1)
    assert pressure.refused(20.0) and pressure.shed == 1
