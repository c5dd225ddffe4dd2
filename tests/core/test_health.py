"""Health: hysteresis of probes, silence on the trunk, refused connections; an order to drain outlives them all."""

import pytest

from sbc.core.health import REFUSALS_BORNE, SILENCE_BORNE, Health, Sign, beat_every
from sbc.model.manifest import Continuity
from sbc.model.node import NodeState, Probe


def test_probes_fall_and_rise() -> None:
    health = Health(Probe(fall=2, rise=3), 0.0)
    assert [health.probed(alive, now) for now, alive in enumerate([False, True, False, False, False])] == [
        Sign.SAME, Sign.SAME, Sign.SAME, Sign.FELL, Sign.SAME,
    ]  # fmt: skip
    assert health.state is NodeState.DOWN
    assert [health.probed(alive, 9.0) for alive in [True, True, False, True, True, True, True]] == [
        Sign.SAME, Sign.SAME, Sign.SAME, Sign.SAME, Sign.SAME, Sign.ROSE, Sign.SAME,
    ]  # fmt: skip
    assert health.state.value == "up"


def test_silence_counts_for_a_node_with_a_trunk_only() -> None:
    health = Health(Probe(), 10.0)
    assert (health.silence(99.0), health.silent(99.0)) == (0.0, Sign.SAME)
    health.heartbeat(9.8)
    assert not health.beats, "one heartbeat makes no pace"
    health.heartbeat(10.0)
    borne = SILENCE_BORNE[Continuity.SYNCHRONOUS]
    assert health.silent(10.0 + borne) is Sign.SAME
    assert health.silent(10.1 + borne) is Sign.FELL
    assert health.silent(11.0 + borne) is Sign.SAME
    assert health.heartbeat(12.0) is Sign.ROSE
    assert health.heartbeat(12.2) is Sign.SAME
    assert health.silence(12.5) == 0.3000000000000007


def test_the_edge_excuses_what_was_its_own_silence() -> None:
    health = Health(Probe(), 10.0, beat=10.0, pace=0.2)
    health.excuse(5.0)
    assert health.silent(15.5) is Sign.SAME


def test_refused_connections_in_a_row() -> None:
    health = Health(Probe(), 0.0)
    for _ in range(REFUSALS_BORNE - 1):
        assert health.refused() is Sign.SAME
    health.worked()
    signs = [health.refused() for _ in range(REFUSALS_BORNE)]
    assert signs[-1] is Sign.FELL and set(signs[:-1]) == {Sign.SAME}


def test_draining_outlives_down() -> None:
    health = Health(Probe(fall=1, rise=1), 0.0, draining=True)
    assert health.state is NodeState.DRAINING
    health.probed(False, 1.0)
    assert health.state.value == "down"
    health.probed(True, 2.0)
    assert health.state.value == "draining"


def test_a_voice_session_moves_within_a_second() -> None:
    assert SILENCE_BORNE[Continuity.SYNCHRONOUS] < 1.0 <= SILENCE_BORNE[Continuity.INTERACTIVE]


def test_a_node_that_beats_at_leisure_is_not_silent_for_that() -> None:
    health = Health(Probe(), 0.0)
    for beat in range(12):
        assert health.silent(beat - 0.01) is Sign.SAME, f"before beat {beat}"
        health.heartbeat(float(beat))
    assert health.silent(11.0 + 2.0) is Sign.SAME
    assert health.silent(11.0 + 3.0) is Sign.FELL


def test_one_late_heartbeat_does_not_blunt_the_watch() -> None:
    health = Health(Probe(), 0.0)
    for beat in (0.0, 0.2, 0.4, 1.0, 1.2):
        health.heartbeat(beat)
    assert health.silent(1.2 + 0.95) is Sign.FELL


@pytest.mark.parametrize(("trunks", "every"), [(1, 0.2), (500, 0.2), (1000, 0.4), (5000, 2.0), (50_000, 5.0)])
def test_of_many_nodes_each_is_asked_less_often_and_silence_is_measured_by_that(trunks: int, every: float) -> None:
    assert beat_every(trunks) == every
    health, now = Health(Probe(), 0.0), 0.0
    for _ in range(30):
        now += every
        health.heartbeat(now)
    assert health.borne(Continuity.SYNCHRONOUS) >= 2.5 * every * 0.99
