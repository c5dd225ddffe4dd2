"""The plan of a run is made of its seed alone."""

from dataclasses import replace
from itertools import product

import pytest

from tests.chaos.cast import Cast
from tests.chaos.faults import ONE_AT_A_TIME, Kind, plan

CAST = replace(Cast.of(edges=3, nodes=4, plain=2, redis=2, sentinels=3, clients=2), workers=2)


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
    of_process = [fault for fault in plan(7, 300.0, CAST) if fault.kind in ONE_AT_A_TIME]
    for number, fault in enumerate(of_process):
        assert all(other.at > fault.over for other in of_process[number + 1:] if set(other.who) & set(fault.who))


def test_the_cast_of_seeds_in_a_row_has_everything_and_all_of_it_together() -> None:
    casts = [Cast.drawn(seed) for seed in range(210)]
    assert {(cast.workers, cast.joined, cast.floats, cast.clustered) for cast in casts} == {
        (workers, *said) for workers in (1, 2) for said in product((True, False), repeat=3)}
    assert Cast.drawn(15) == Cast.drawn(15) and str(Cast.drawn(15)) == "2 edges of 2 workers joined on a Redis Cluster"


def test_a_store_loses_what_the_other_of_its_pair_has_not_heard() -> None:
    cast = Cast.drawn(5)
    lost = {fault.who for seed in range(60) for fault in plan(seed, 120.0, cast) if fault.kind is Kind.LOSE}
    assert cast.clustered and lost == set(cast.pairs) == {("r1", "r4"), ("r2", "r5"), ("r3", "r6")}


def test_workers_are_struck_where_there_are_some() -> None:
    kinds = {fault.kind for seed in range(60) for fault in plan(seed, 120.0, Cast.drawn(1))}
    assert kinds == set(Kind) - {Kind.KILL_WORKER, Kind.STOP_WORKER}
