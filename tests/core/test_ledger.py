"""The ledger: a seat counts at once, and everything comes back to nothing."""

import pytest

from sbc.core.ledger import Ledger
from sbc.model.errors import Refusal
from sbc.model.ids import PoolName, PrincipalId, node_id
from sbc.model.node import Node

POOL = PoolName("p")
ANN = PrincipalId("ann")


def test_a_seat_counts_until_it_is_given_back() -> None:
    ledger, node = Ledger(), Node(node_id(POOL, "a"), POOL, "http://h", capacity=4)
    for taken in range(4):
        assert ledger.load(node, 0) == taken / 4
        ledger.sit(node.id)
    assert ledger.load(node, 0) == 1.0
    for _ in range(5):
        ledger.rise(node.id)
    assert (ledger.seats(node.id), ledger.load(node, 0)) == (0, 0.0)


def test_a_node_without_capacity_is_full() -> None:
    assert Ledger().load(Node(node_id(POOL, "a"), POOL, "http://h", capacity=0), 0) == 1.0


def test_a_principal_has_so_many_sessions() -> None:
    ledger = Ledger()
    ledger.enter(ANN, 2)
    ledger.enter(ANN, 2)
    with pytest.raises(Refusal) as refused:
        ledger.enter(ANN, 2)
    assert (refused.value.status, refused.value.retry_after) == (429, 5)
    ledger.leave(ANN)
    ledger.enter(ANN, 2)
    ledger.leave(ANN)
    ledger.leave(ANN)
    with pytest.raises(Refusal):
        ledger.enter(ANN, 0)


def test_a_tenant_has_so_many_sessions_of_all_its_clients() -> None:
    ledger, acme, other = Ledger(), ("default", "acme"), ("default", "other")
    ledger.enter(ANN, 9, acme, 2)
    ledger.enter(PrincipalId("bob"), 9, acme, 2)
    with pytest.raises(Refusal) as refused:
        ledger.enter(PrincipalId("cat"), 9, acme, 2)
    assert (refused.value.status, refused.value.code) == (429, "sessions_per_tenant")
    assert ledger.sessions(PrincipalId("cat")) == 0, "who is refused is not counted"
    ledger.enter(PrincipalId("cat"), 9, other, 2)
    ledger.leave(ANN, acme)
    ledger.enter(ANN, 9, acme, 2)
    ledger.join(acme)  # one that a store gave back
    ledger.leave(ANN, acme)
    with pytest.raises(Refusal):
        ledger.enter(ANN, 9, acme, 2)
    ledger.enter(ANN, 9, acme, None)
