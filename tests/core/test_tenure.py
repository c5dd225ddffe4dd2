"""Leases: an edge lets go before anybody else may claim, however clocks drift and answers are delayed."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from sbc.core.tenure import DRIFT, Grounds, Tenure, Watch, borne, outlast

RATES = st.floats(1 - DRIFT, 1 + DRIFT)
LEASE = 45.0


@dataclass
class Server:
    """A store's lease of one edge. Times are the true ones; its clock runs at `rate`."""

    rate: float
    until: float = 0.0

    def renew(self, now: float) -> None:
        self.until = now + LEASE / self.rate


@given(RATES, RATES, st.lists(st.tuples(st.floats(0, 30), st.floats(0, 60), st.floats(0, 60), st.booleans()),
                              max_size=12))
def test_an_edge_lets_go_before_the_store_lets_others_claim(
    ours: float, theirs: float, renewals: list[tuple[float, float, float, bool]],
) -> None:
    """Renewals take any time to arrive, their answers any time to come back, or never do."""
    tenure, server, now = Tenure(LEASE), Server(theirs), 1000.0
    for pause, there, back, answered in renewals:
        now += pause
        asked = now
        now += there
        server.renew(now)
        now += back
        if answered:
            tenure.granted(asked * ours)
        assert tenure.until / ours <= server.until, "still an owner when others may claim"


@given(RATES, RATES, st.floats(0, 100), st.floats(0, 100))
def test_who_waits_for_all_leases_of_a_lost_store_claims_after_their_owners_let_go(
    owner: float, claimer: float, lost: float, seen: float,
) -> None:
    """The last renewal was granted before the store was lost, and the new one was seen after that."""
    tenure = Tenure(LEASE)
    tenure.granted(500.0 * owner)
    grounds, first_look = Grounds(LEASE), 500.0 + lost + seen
    grounds.seen("other", 0.0, first_look * claimer)
    may_claim = (first_look * claimer + outlast(LEASE)) / claimer
    assert not grounds.firm(may_claim * claimer - 0.001)
    assert tenure.until / owner <= may_claim


def test_an_old_answer_takes_nothing_back() -> None:
    tenure = Tenure(LEASE)
    assert not tenure.holds(0.0)
    tenure.granted(10.0)
    tenure.granted(4.0)
    assert tenure.until == 10.0 + borne(LEASE)
    assert tenure.holds(10.0 + borne(LEASE) - 0.001) and not tenure.holds(10.0 + borne(LEASE))


def test_only_another_store_begins_anew() -> None:
    grounds = Grounds(LEASE)
    assert not grounds.firm(1e9)
    assert grounds.seen("a", 1000.0, 5.0) and grounds.firm(5.0)
    assert not grounds.seen("a", 1.0, 6.0) and grounds.firm(6.0)
    assert grounds.seen("c", 1.0, 6.5) and not grounds.firm(6.5)
    assert not grounds.seen("c", 1000.0, 6.6) and grounds.firm(6.6), "somebody had seen it before"
    assert grounds.seen("b", 0.0, 7.0) and not grounds.firm(7.0 + LEASE)
    assert grounds.firm(7.0 + outlast(LEASE))


def test_an_edge_is_dead_without_connection_and_beat_at_two_looks() -> None:
    watch = Watch(0.7)
    assert not watch.dead("e", False, 3, 0.0)
    assert not watch.dead("e", False, 3, 0.6)
    assert watch.dead("e", False, 3, 0.7)


def test_one_that_beats_or_is_back_is_not_dead() -> None:
    watch = Watch(0.7)
    assert not watch.dead("e", False, 3, 0.0)
    assert not watch.dead("e", False, 4, 0.8), "a beat meanwhile"
    assert not watch.dead("e", True, 4, 1.6), "connected again"
    assert not watch.dead("e", False, 4, 1.7) and not watch.dead("e", False, 4, 2.3)
    watch.forget("e")
    assert not watch.dead("e", False, 4, 3.0)
