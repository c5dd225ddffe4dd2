"""Placement: constraints, then stable choices, then load; the replica apart from the owner."""

from collections import Counter

from sbc.core.placement import CHOICES, choose_owner, choose_replica, suits, without
from sbc.model.ids import NodeId, PoolName, SessionId, node_id
from sbc.model.manifest import Placement
from sbc.model.node import Node

POOL = PoolName("p")
NODES = [Node(node_id(POOL, f"n{n}"), POOL, "http://h", zone=f"z{n % 3}") for n in range(9)]
SESSION = SessionId("s")


def empty(_node: Node) -> float:
    return 0.0


def test_constraints() -> None:
    node = Node(node_id(POOL, "a"), POOL, "http://h", zone="eu-1", labels={"gpu": "h100"})
    assert suits(node, Placement())
    assert suits(node, Placement(regions=("us", "eu"), labels={"gpu": "h100"}))
    assert not suits(node, Placement(regions=("us",)))
    assert not suits(node, Placement(labels={"gpu": "a100"}))
    assert not suits(node, Placement(labels={"disk": "ssd"}))


def test_the_same_session_goes_to_the_same_few_and_there_to_the_least_loaded() -> None:
    load: Counter[NodeId] = Counter()
    chosen = set()
    for _ in range(60):
        node = choose_owner(SESSION, NODES, lambda node: load[node.id] / 100)
        assert node is not None
        load[node.id] += 1
        chosen.add(node.id)
    assert len(chosen) == CHOICES
    assert set(load.values()) == {20}


def test_sessions_spread_over_all_nodes() -> None:
    first = Counter(
        node.id for n in range(900) if (node := choose_owner(SessionId(f"s{n}"), NODES, empty)) is not None
    )
    assert len(first) == len(NODES)
    assert max(first.values()) < 3 * min(first.values())


def test_a_choice_outlives_the_coming_of_other_nodes_mostly() -> None:
    sessions = [SessionId(f"s{n}") for n in range(300)]
    before = [choose_owner(session, NODES[:8], empty) for session in sessions]
    after = [choose_owner(session, NODES, empty) for session in sessions]
    assert sum(one != other for one, other in zip(before, after, strict=True)) < 300 / 4


def test_the_preferred_node_unless_it_is_full() -> None:
    assert choose_owner(SESSION, NODES, empty, NODES[5].id) is NODES[5]
    other = choose_owner(SESSION, NODES, lambda node: 1.0 if node is NODES[5] else 0.9, NODES[5].id)
    assert other is not None and other is not NODES[5]
    assert choose_owner(SESSION, NODES, lambda node: 1.0) is None
    assert choose_owner(SESSION, [], empty) is None


def test_the_replica_stands_in_another_zone_where_there_is_one() -> None:
    for owner in NODES:
        apart = choose_replica(SESSION, owner, NODES, empty, "zone")
        assert apart is not None and apart.zone != owner.zone
        same = choose_replica(SESSION, owner, [node for node in NODES if node.zone == owner.zone], empty, "zone")
        assert same is not None and same.zone == owner.zone and same is not owner
        assert choose_replica(SESSION, owner, [owner], empty, None) is None


def test_without() -> None:
    assert without(NODES, {NODES[0].id}) == NODES[1:]
