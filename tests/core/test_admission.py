"""The decision: who is taken, who waits, who is told to come back, by a script of the day."""

from collections.abc import Mapping

import pytest

from sbc.core.admission import Admission
from sbc.core.pressure import Signs
from sbc.core.roster import Roster
from sbc.model.capacity import Capacity, Marks
from sbc.model.errors import Outcome, Refusal
from sbc.model.ids import AgentName, PoolName, SessionId, node_id
from sbc.model.manifest import Continuity, Manifest
from tests.core.world import POOL, roster_of

CLASSES = {POOL: frozenset(Continuity)}
AGENTS = {found.value[0]: Manifest(AgentName(found.value), POOL, found) for found in Continuity}
"""By the first letter of their class."""
FLAT = Manifest(AgentName("flat"), POOL, Continuity.AUTONOMOUS, rising=False)


class Day:
    """An edge with nodes of so many seats, and a die that falls as it is told."""

    def __init__(self, seats: int = 100, *, classes: Mapping[PoolName, frozenset[Continuity]] = CLASSES,
                 nodes: int = 1, most: int = 2**31, **capacity: object) -> None:  # fmt: skip
        self.roster: Roster = roster_of(nodes, capacity=seats)
        self.die = 0.5
        self.now = 0.0
        self.admission = Admission(self.roster, lambda: self.die)
        self.admission.change(Capacity(**capacity), most, classes, self.now)  # type: ignore[arg-type]
        self._count = 0

    def ask(self, manifest: Manifest) -> str:
        """A new session of this kind: `taken`, `waits`, or the code of its refusal."""
        self._count += 1
        try:
            if self.admission.judge(manifest, self.now):
                self.admission.take(manifest)
                self.sit(manifest)
                return "taken"
        except Refusal as refusal:
            assert (refusal.status, refusal.outcome) == (503, Outcome.NOT_SENT)
            assert refusal.retry_after is not None and refusal.retry_after >= 1
            return refusal.code
        self.admission.wait(SessionId(f"{manifest.agent} {self._count}"), manifest, self.now)
        return "waits"

    def sit(self, manifest: Manifest) -> None:
        assert self.roster.seat_owner(SessionId(str(self._count)), manifest, (), None) is not None \
            or not self.roster.capacity(POOL)

    def ends(self, manifest: Manifest) -> None:
        self.roster.vacate(node_id(POOL, "n0"))
        self.admission.give_back(manifest)

    def next(self) -> str:
        found = self.admission.next(self.now)
        if found is None:
            return ""
        manifest = next(found_ for found_ in AGENTS.values() if found[0].startswith(found_.agent))
        self.sit(manifest)
        return manifest.continuity.value[0]


@pytest.mark.parametrize("quick", [False, True])
def test_room_for_all(quick: bool) -> None:
    day = Day()
    for manifest in AGENTS.values():
        assert day.admission.quick(manifest) or not quick
        assert day.ask(manifest) == "taken"
    assert day.admission.taken == 3


def test_full_nodes_are_waited_for_in_the_order_of_classes() -> None:
    day = Day(seats=1)
    assert [day.ask(AGENTS[found]) for found in "aaisas"] == ["taken", *["waits"] * 5]
    assert day.next() == ""
    got = "a"
    while any(day.admission.waiting):
        day.ends(AGENTS[got[-1]])
        got += day.next()
    assert got == "assiaa"


def test_no_node_is_not_waited_for() -> None:
    day = Day(nodes=0)
    assert day.ask(AGENTS["i"]) == "taken"  # and looks for a node, and is told that there is none


def test_a_flood_of_autonomous_sessions_leaves_the_reserve() -> None:
    share = {Continuity.SYNCHRONOUS: 0.2}
    day = Day(seats=10, reserved=share)
    assert [day.ask(AGENTS["a"]) for _ in range(9)] == ["taken"] * 8 + ["waits"]
    assert [day.ask(AGENTS["s"]) for _ in range(3)] == ["taken", "taken", "waits"]
    day = Day(seats=10, reserved=share, classes={POOL: frozenset({Continuity.AUTONOMOUS})})
    assert [day.ask(AGENTS["a"]) for _ in range(10)] == ["taken"] * 10, "a reserve that nobody could use is not kept"


def test_the_edge_has_a_capacity_of_its_own() -> None:
    day = Day(most=4, reserved={Continuity.SYNCHRONOUS: 0.25})
    assert [day.ask(AGENTS["i"]) for _ in range(4)] == ["taken"] * 3 + ["waits"]
    assert not day.admission.quick(AGENTS["i"])
    assert day.ask(AGENTS["s"]) == "taken"
    day.ends(AGENTS["s"])
    assert day.next() == ""
    day.ends(AGENTS["i"])
    assert day.next() == "i"


def test_nobody_overtakes() -> None:
    day = Day(seats=1)
    assert [day.ask(AGENTS["i"]) for _ in range(2)] == ["taken", "waits"]
    day.ends(AGENTS["i"])
    assert day.ask(AGENTS["i"]) == "waits"


def test_a_full_list_is_an_answer_at_once() -> None:
    day = Day(seats=1, waiting=2)
    assert [day.ask(AGENTS["a"]) for _ in range(4)] == ["taken", "waits", "waits", "no_room"]
    assert day.ask(AGENTS["s"]) == "waits", "each class has places of its own"


def test_who_waits_too_long_is_told_when_to_come_back() -> None:
    day = Day(seats=1)
    day.ask(AGENTS["i"])
    day.ask(AGENTS["i"])
    day.now = 1.9
    assert day.admission.late(day.now) == []
    day.now = 2.0
    ((session, refusal),) = day.admission.late(day.now)
    assert (refusal.status, refusal.code) == (503, "no_room")
    assert day.admission.forget(session, AGENTS["i"].agent) and not day.admission.forget(session, AGENTS["i"].agent)
    assert day.admission.late(day.now) == []


def test_those_refused_are_spread_over_the_time_that_they_will_take() -> None:
    day = Day(seats=1, waiting=0)
    day.ask(AGENTS["a"])
    spread = []
    for number in range(200):
        day.die = (number % 10) / 10
        with pytest.raises(Refusal) as refused:
            day.admission.judge(AGENTS["a"], day.now)
        assert refused.value.retry_after is not None
        spread.append(refused.value.retry_after)
    last = spread[-10:]
    assert min(last) == 1.0 and max(last) > 40 and len(set(last)) == 10


def test_pressure_sheds_by_the_die() -> None:
    day = Day(shed=Marks(0.6, 0.95))
    day.admission.pressure.measured(Signs(memory=0.65, descriptors=0.0, journals=0.0))
    day.admission.measure(day.now)
    day.die = 0.49
    assert (day.ask(FLAT), day.ask(AGENTS["a"]), day.ask(AGENTS["s"])) == ("shed", "taken", "taken")
    assert not day.admission.quick(AGENTS["s"])
    day.die = 0.51
    assert day.ask(FLAT) == "taken"
    day.admission.pressure.measured(Signs(memory=1.0, descriptors=0.0, journals=0.0))
    assert day.ask(AGENTS["s"]) == "shed"


def test_nodes_that_are_hard_pressed_shed_too_and_full_ones_do_not() -> None:
    day = Day()
    (standing,) = day.roster
    standing.reported_load = 0.99
    day.admission.measure(day.now)
    assert day.ask(FLAT) == "taken"
    standing.strain = 0.85
    day.admission.measure(day.now)
    day.die = 0.1
    assert (day.ask(FLAT), day.ask(AGENTS["s"])) == ("shed", "taken")


def test_journals_that_hold_all_they_may_are_waited_for() -> None:
    day = Day(shed=Marks(0.9, 1.0))
    day.admission.pressure.measured(Signs(memory=0.0, descriptors=0.0, journals=1.0))
    day.admission.pressure.marks = Marks(1.5, 2.0)
    day.admission.measure(day.now)
    assert day.ask(AGENTS["s"]) == "waits"
    day.admission.pressure.measured(Signs(memory=0.0, descriptors=0.0, journals=0.5))
    assert day.next() == "s"


def test_those_who_come_back_go_first() -> None:
    day = Day()
    day.admission.returning = 3
    assert day.ask(AGENTS["s"]) == "waits" and day.next() == "" and not day.admission.quick(AGENTS["s"])
    day.admission.returning = 0
    assert day.next() == "s"


def test_a_session_that_has_lost_its_owner_goes_before_new_ones() -> None:
    day = Day(seats=1)
    held = AGENTS["a"]
    assert day.ask(held) == "taken"
    day.roster.want(held, until=1.0)
    day.ends(held)
    assert day.ask(held) == "waits" and day.next() == ""
    assert day.ask(AGENTS["s"]) == "taken", "only its own agent's seats are known to suit it"
    day.ends(AGENTS["s"])
    day.now = 1.0
    assert day.next() == "a"


def test_who_waits_for_other_reasons_than_seats_holds_nobody_up() -> None:
    day = Day(seats=2)
    day.roster.want(AGENTS["a"], until=1.0)
    assert day.ask(AGENTS["a"]) == "taken"


def test_a_capacity_that_is_changed_holds_at_once() -> None:
    day = Day(most=1)
    assert [day.ask(AGENTS["i"]) for _ in range(2)] == ["taken", "waits"]
    day.admission.change(Capacity(), 2, CLASSES, day.now)
    assert day.next() == "i"
