"""The plan of a run is made of its seed alone."""

import pytest

from tests.chaos.faults import Cast, Kind, plan

CAST = Cast.of(edges=3, nodes=4, plain=2, redis=2, sentinels=3, clients=2)


@pytest.mark.parametrize("seed", range(20))
def test_the_same_seed_gives_the_same_faults(seed: int) -> None:
    faults = plan(seed, 120.0, CAST)
    assert faults == plan(seed, 120.0, CAST)
    assert faults != plan(seed + 1, 120.0, CAST)
    assert [fault.at for fault in faults] == sorted(fault.at for fault in faults)
    assert all(0 < fault.at < 120.0 and set(fault.who) <= set(CAST.hosts) for fault in faults)


def test_every_kind_of_fault_befalls_every_kind_of_process() -> None:
    faults = [fault for seed in range(60) for fault in plan(seed, 120.0, CAST)]
    assert {fault.kind for fault in faults} == set(Kind)
    assert {fault.who[0] for fault in faults if fault.kind is Kind.KILL} == set(CAST.hosts) - set(CAST.clients)
    cut = {frozenset(fault.who) for fault in faults if fault.kind is Kind.CUT}
    assert cut == {frozenset(way) for way in CAST.ways}


def test_a_process_has_one_fault_at_a_time() -> None:
    of_process = [fault for fault in plan(7, 300.0, CAST) if fault.kind in (Kind.KILL, Kind.STOP, Kind.TERM, Kind.LOSE)]
    for number, fault in enumerate(of_process):
        assert all(other.at > fault.over for other in of_process[number + 1:] if set(other.who) & set(fault.who))
