"""The roster: choosing reserves, only nodes that are up and suit are chosen, and a name finds its nodes."""

from dataclasses import replace

from sbc.core.roster import Room, Roster
from sbc.model.ids import AgentName, PoolName, SessionId, node_id
from sbc.model.manifest import Manifest, Placement
from tests.core.world import POOL, roster_of

MANIFEST = Manifest(AgentName("agent"), POOL)
SESSION = SessionId("s")


def test_a_seat_is_reserved_by_choosing_until_all_are_full() -> None:
    roster = roster_of(3, capacity=2)
    chosen = [roster.seat_owner(SessionId(f"s{n}"), MANIFEST, (), None) for n in range(7)]
    assert [one is None for one in chosen] == [False] * 6 + [True]
    assert all(roster.ledger.seats(standing.node.id) == 2 for standing in roster)
    for one in chosen[:-1]:
        assert one is not None
        roster.vacate(one.node.id)
    assert all(roster.ledger.seats(standing.node.id) == 0 for standing in roster)


def test_down_draining_avoided_and_unsuited_nodes_are_not_chosen() -> None:
    roster = roster_of(4)
    down, draining, avoided, left = roster
    down.health.alive = False
    draining.health.draining = True
    for _ in range(5):
        assert roster.seat_owner(SESSION, MANIFEST, {avoided.node.id}, down.node.id) is left
    assert roster.seat_owner(SESSION, replace(MANIFEST, placement=Placement(regions=("mars",))), (), None) is None
    assert roster.seat_owner(SESSION, replace(MANIFEST, pool=PoolName("other")), (), None) is None


def test_a_slow_node_gets_a_session_only_if_no_other_can_take_it() -> None:
    roster = roster_of(3, capacity=2)
    slow, *others = roster
    slow.punctuality.slow = True
    assert roster.better_for(SESSION, MANIFEST, others[0].node.id) == others[1].node.id
    assert roster.better_for(SESSION, MANIFEST, slow.node.id) in {other.node.id for other in others}
    chosen = [roster.seat_owner(SessionId(f"s{n}"), MANIFEST, (), slow.node.id) for n in range(6)]
    assert slow not in chosen[:4] and chosen[4:] == [slow, slow]
    assert roster.better_for(SESSION, MANIFEST, slow.node.id) is None  # nobody has room
    for other in others:
        other.punctuality.slow = True
        roster.vacate(other.node.id)
    assert roster.better_for(SESSION, MANIFEST, slow.node.id) is None  # nobody is better
    assert roster.seat_owner(SESSION, MANIFEST, (), None) in others


def test_what_a_node_says_of_itself_only_makes_it_fuller_never_full() -> None:
    roster = roster_of(2)
    one, other = roster
    one.reported_load = 5.0
    assert roster.seat_owner(SESSION, MANIFEST, (), None) is other
    assert roster.seat_owner(SESSION, MANIFEST, {other.node.id}, None) is one
    one.reported_load = -1.0
    assert roster.seat_owner(SESSION, MANIFEST, {other.node.id}, None) is one


def test_the_replica_is_another_node_in_another_zone_and_is_only_reserved_as_standby() -> None:
    roster = roster_of(5)
    for standing in roster:
        replica = roster.replica_for(SESSION, MANIFEST, standing.node.id)
        found = roster.get(replica) if replica else None
        assert found is not None and found.node.zone != standing.node.zone
        assert roster.ledger.seats(found.node.id) == 0
    owner = next(iter(roster)).node.id
    standby = roster.seat_standby(SESSION, MANIFEST, owner, {owner})
    assert standby is not None and roster.ledger.seats(standby.node.id) == 1
    assert roster.replica_for(SESSION, MANIFEST, node_id(POOL, "gone")) is None
    assert roster.seat_standby(SESSION, MANIFEST, node_id(POOL, "gone"), ()) is None


def test_a_node_that_is_removed_keeps_its_seats_until_they_are_given_back() -> None:
    roster = roster_of(1)
    seat = roster.seat_owner(SESSION, MANIFEST, (), None)
    assert seat is not None
    roster.remove(seat.node.id)
    roster.remove(seat.node.id)
    assert list(roster) == [] and roster.ledger.seats(seat.node.id) == 1
    roster.put(seat)
    roster.vacate(seat.node.id)
    assert roster.ledger.seats(seat.node.id) == 0


def test_find() -> None:
    roster = roster_of(2)
    one, _ = roster
    assert roster.find("n0") == roster.find("pool/n0") == roster.find("n0", POOL) == [one]
    assert roster.find("n0", PoolName("other")) == roster.find("n9") == Roster().find("n0") == []


def test_whether_there_is_room() -> None:
    roster = roster_of(2, capacity=1)
    assert (roster.capacity(POOL), roster.room(MANIFEST, 0.0)) == (2, Room.FREE)
    roster.seat_owner(SESSION, MANIFEST, (), None)
    assert roster.room(MANIFEST, 0.0) is Room.FREE
    roster.seat_owner(SESSION, MANIFEST, (), None)
    assert roster.room(MANIFEST, 0.0) is Room.FULL
    for standing in roster:
        standing.health.alive = False
    assert (roster.capacity(POOL), roster.room(MANIFEST, 0.0)) == (0, Room.NOBODY)


def test_a_live_session_that_waits_for_a_seat_goes_before_new_ones() -> None:
    roster = roster_of(1, capacity=1)
    roster.want(MANIFEST, until=5.0)
    assert roster.room(MANIFEST, 1.0) is Room.FREE, "there was a seat: that is not what it waits for"
    seat = roster.seat_owner(SESSION, MANIFEST, (), None)
    assert seat is not None
    roster.want(MANIFEST, until=5.0)
    roster.vacate(seat.node.id)
    assert roster.room(MANIFEST, 4.9) is Room.FULL and roster.pressed(4.9)
    assert roster.room(replace(MANIFEST, agent=AgentName("other")), 4.9) is Room.FREE
    assert roster.room(MANIFEST, 5.0) is Room.FREE and not roster.pressed(5.0)


def test_the_strain_of_a_pool_is_that_of_its_most_relaxed_node() -> None:
    roster = roster_of(2)
    one, other = roster
    one.strain = 0.9
    assert roster.pressed(0.0) and roster.strain(MANIFEST) == 0.0
    other.strain = 0.8
    assert roster.strain(MANIFEST) == 0.8
    one.health.alive = other.health.alive = False
    assert roster.strain(MANIFEST) == 0.0
