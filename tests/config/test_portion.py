"""A worker's part of a configuration."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbc.config import parse
from sbc.config.portion import portion, share

TEXT = """
edge: {workers: 3, store: "sqlite:var/sbc.db", records: var/records.jsonl}
trunk: {listen: "127.0.0.1:0"}
listeners: [{name: l, listen: "127.0.0.1:0"}]
pools: {p: {nodes: [{name: a, url: "http://h:1", capacity: 7}]}}
agents: {a: {pool: p}}
routes: [{match: {path: /}, agent: a, protocol: opaque}]
admission: {sessions: 100, journals: 2MiB, waiting: 2}
drain: {pace: 30}
kernel: {socket: /run/k, shaping: [{device: eth0, rate: 10MB}]}
"""


@given(st.integers(0, 10**8), st.integers(1, 64))
def test_shares_make_the_whole(whole: int, count: int) -> None:
    shares = [share(whole, number, count) for number in range(count)]
    assert sum(shares) == whole and max(shares) - min(shares) <= 1 and shares == sorted(shares, reverse=True)


def test_what_is_one_workers_and_what_is_divided() -> None:
    whole = parse(TEXT, "f")
    parts = [portion(whole, number, 3) for number in range(3)]
    assert [part.edge.name for part in parts] == ["edge-1/0", "edge-1/1", "edge-1/2"]
    assert [part.edge.store for part in parts] == [f"sqlite:var/sbc-{number}.db" for number in range(3)]
    assert parts[2].edge.records == "var/records-2.jsonl"
    assert [part.capacity.sessions for part in parts] == [34, 33, 33]
    assert [part.capacity.waiting for part in parts] == [1, 1, 0]
    assert sum(part.capacity.journals or 0 for part in parts) == 2 * 1024 * 1024
    assert parts[0].capacity.drain_pace == pytest.approx(10) and parts[0].capacity.processes == 3
    assert parts[0].kernel == whole.kernel and parts[1].kernel is not None and not parts[1].kernel.shaping
    assert parts[1].pools == whole.pools and parts[1].trunk == whole.trunk


def test_stores_that_are_shared_stay_as_they_are() -> None:
    whole = parse(TEXT, "f")
    shared = replace(whole, edge=replace(whole.edge, store="redis://h", records=None))
    assert portion(shared, 1, 3).edge.store == "redis://h" and portion(shared, 1, 3).edge.records is None
