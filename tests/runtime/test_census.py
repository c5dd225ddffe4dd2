"""What workers count together, told from one to the other as JSON, as the channel does."""

import json

import pytest

from sbc.core.ledger import Ledger
from sbc.core.turnstile import Turnstile, Whose
from sbc.model.abuse import AbuseRules
from sbc.model.errors import Refusal
from sbc.model.ids import AgentName, NodeId, PoolName, PrincipalId
from sbc.model.node import Node
from sbc.model.policy import Limits, PerSecond
from sbc.runtime.census import Census
from sbc.runtime.constable import Constable
from sbc.telemetry.metrics import Metrics

ANN = PrincipalId("jwt:i#ann")
NODE = Node(NodeId("p/a"), PoolName("p"), "http://h", capacity=3)


class Worker:
    def __init__(self) -> None:
        self.ledger, self.turnstile = Ledger(), Turnstile()
        self.events: list[str] = []
        self.constable = Constable(AbuseRules(refuse=100), {}, Metrics(), lambda event, _: self.events.append(event),
                                   lambda: 50.0, None)  # fmt: skip
        self.census = Census(self.ledger, self.turnstile, self.constable, lambda: 50.0)


def tell(one: Worker, other: Worker, number: int = 0) -> bool:
    told = one.census.tell()
    other.census.hear(number, json.loads(json.dumps(told)))
    return bool(told)


def test_limits_hold_for_the_sum() -> None:
    one, other = Worker(), Worker()
    tenancy = ("default", "acme")
    one.ledger.enter(ANN, 2, tenancy, 2)
    assert tell(one, other) and not tell(one, other)
    other.ledger.enter(ANN, 2, tenancy, 2)
    assert other.ledger.sessions(ANN) == 2
    for principal in (ANN, PrincipalId("jwt:i#bob")):
        with pytest.raises(Refusal):
            other.ledger.check(principal, 2, tenancy, 2)
    one.ledger.leave(ANN, tenancy)
    assert tell(one, other)
    other.ledger.check(ANN, 2, tenancy, 2)


def test_a_worker_that_is_gone_counts_no_more_and_a_new_one_hears_everything() -> None:
    one, other, new = Worker(), Worker(), Worker()
    one.ledger.enter(ANN, 9)
    tell(one, other)
    tell(other, one, 1)
    one.census.again()
    tell(one, new)
    assert new.ledger.sessions(ANN) == other.ledger.sessions(ANN) == 1
    other.census.forget(0)
    assert other.ledger.sessions(ANN) == 0


def test_seats_on_a_node_are_everybodys() -> None:
    one, other = Worker(), Worker()
    one.ledger.sit(NODE.id)
    one.ledger.sit(NODE.id)
    tell(one, other)
    other.ledger.sit(NODE.id)
    assert other.ledger.load(NODE, 0) == 1.0
    assert other.ledger.load(NODE, 5) == 2.0, "or as many as the node says, if that is more"
    one.ledger.rise(NODE.id)
    tell(one, other)
    assert other.ledger.load(NODE, 0) == pytest.approx(2 / 3)


def test_rates_are_used_up_by_all() -> None:
    one, other = Worker(), Worker()
    limits = Limits(sessions_per_second=PerSecond(principal=1), burst=3.0)
    whose = Whose("default", AgentName("a"), ANN, "192.0.2.1")
    for _ in range(3):
        one.turnstile.enter(limits, whose, 50.0)
    tell(one, other)
    with pytest.raises(Refusal, match="sessions_per_second_principal"):
        other.turnstile.enter(limits, whose, 50.0)
    assert not tell(other, one), "what was heard is not told again"


def test_who_misbehaves_at_two_doors_is_barred_at_both_and_told_of_once() -> None:
    one, other = Worker(), Worker()
    for worker in (one, other):
        worker.constable.blame("h2_rapid_reset", "192.0.2.1", "plain")
        tell(one, other, 0)
        tell(other, one, 1)
    assert one.constable.wary and other.constable.wary
    assert [row["score"] for row in one.constable.rows(9)] == [row["score"] for row in other.constable.rows(9)]
    assert len(one.events) + len(other.events) == 1
