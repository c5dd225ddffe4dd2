"""Who waits, in which order they are let in, and that nobody starves."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sbc.core.lists import AGED_TURN, LONGEST_AWAY, MEMORY, PATIENCE, Flow, Lists, away
from sbc.model.ids import AgentName, PoolName, SessionId
from sbc.model.manifest import Continuity, Manifest


def agent(name: str, continuity: Continuity, ceiling: float | None = None) -> Manifest:
    return Manifest(AgentName(name), PoolName("p"), continuity, latency_ceiling=ceiling)


VOICE = agent("voice", Continuity.SYNCHRONOUS)
CHAT = agent("chat", Continuity.INTERACTIVE)
BATCH = agent("batch", Continuity.AUTONOMOUS)
OTHER = agent("other", Continuity.AUTONOMOUS)


def lists(*waiting: tuple[str, Manifest, float]) -> Lists:
    made = Lists()
    for session, manifest, at in waiting:
        made.add(SessionId(session), manifest, at)
    return made


def let_in(waiting: Lists, now: float, places: int, *, only: tuple[Manifest, ...] = (VOICE, CHAT, BATCH, OTHER)) -> str:
    """So many places are free, for these agents: who gets them."""
    got = []
    for _ in range(places):
        found = waiting.choose(lambda manifest: manifest in only, now)
        if found is None:
            break
        waiting.take_out(found.session, found.manifest.agent)
        got.append(found.session)
    return " ".join(got)


def test_by_class_then_in_the_order_of_arrival() -> None:
    waiting = lists(("b1", BATCH, 0.0), ("o1", OTHER, 0.1), ("c1", CHAT, 0.2), ("v1", VOICE, 0.3), ("b2", BATCH, 0.4),
                    ("v2", VOICE, 0.4))  # fmt: skip
    assert waiting.waiting == [2, 1, 3]
    assert let_in(waiting, 0.4, 9) == "v1 v2 c1 b1 o1 b2"
    assert not waiting and waiting.waiting == [0, 0, 0]


def test_whom_there_is_no_room_for_holds_nobody_up() -> None:
    waiting = lists(("v1", VOICE, 0.0), ("b1", BATCH, 0.0), ("o1", OTHER, 0.0))
    assert let_in(waiting, 0.1, 9, only=(OTHER,)) == "o1"
    assert let_in(waiting, 0.1, 9, only=()) == ""


def test_every_fourth_place_is_for_one_that_has_aged() -> None:
    half = PATIENCE[Continuity.AUTONOMOUS] / 2
    waiting = lists(("b1", BATCH, 0.0), ("b2", BATCH, 0.0), *((f"v{n}", VOICE, half) for n in range(8)))
    assert let_in(waiting, half - 0.1, 3) == "v0 v1 v2"  # nobody has aged yet
    assert let_in(waiting, half, 7) == "v3 v4 v5 b1 v6 v7 b2"


@settings(max_examples=40)
@given(st.integers(1, 30), st.floats(1.0, 20.0))
def test_nobody_starves(rivals: int, ceiling: float) -> None:
    """One place at a time, and always more synchronous sessions than places."""
    low = agent("low", Continuity.AUTONOMOUS, ceiling)
    waiting, now, places = lists(("low", low, 0.0)), 0.0, 0
    aged_at = 0
    while waiting.has(low.agent):
        for rival in range(rivals):
            waiting.add(SessionId(f"v{places} {rival}"), VOICE, now)
        assert let_in(waiting, now, 1, only=(VOICE, low))
        places += 1
        aged_at = aged_at or (places if now >= ceiling / 2 else 0)
        now += 0.1
    assert places - aged_at < AGED_TURN + 1


def test_nobody_waits_longer_than_its_ceiling() -> None:
    quick = agent("quick", Continuity.AUTONOMOUS, 0.2)
    waiting = lists(("b", BATCH, 0.0), ("v", VOICE, 0.0), ("q", quick, 0.1))
    assert [found.session for found in waiting.late(0.25)] == []
    assert [found.session for found in waiting.late(0.31)] == ["q"]
    assert {found.session for found in waiting.late(0.5)} == {"q", "v"}
    assert {found.session for found in waiting.late(10.0)} == {"q", "v", "b"}


def test_who_leaves_is_not_let_in() -> None:
    waiting = lists(("v1", VOICE, 0.0), ("v2", VOICE, 0.0))
    assert waiting.take_out(SessionId("v1"), VOICE.agent) is not None
    assert waiting.take_out(SessionId("v1"), VOICE.agent) is None
    assert waiting.take_out(SessionId("b"), BATCH.agent) is None
    assert waiting.waiting == [1, 0, 0]
    assert let_in(waiting, 0.0, 9) == "v2"


def test_a_flow_is_an_average_of_the_last_seconds() -> None:
    flow = Flow()
    assert flow.recent(5.0) == 0.0
    for tenth in range(1000):
        flow.count()
        flow.recent(tenth / 10)
    assert 9.0 < flow.recent(100.0) / MEMORY < 11.0
    assert flow.recent(100.0 + 10 * MEMORY) < 0.01


def test_when_to_come_back_follows_the_drain_and_is_spread() -> None:
    assert away(ahead=100, let_in=50, chance=0.0) == 1.0
    assert away(ahead=100, let_in=50, chance=1.0) == 3.0
    assert away(ahead=100_000, let_in=50, chance=1.0) == LONGEST_AWAY
    assert away(ahead=1, let_in=0.0, chance=1.0) == 6.0  # nobody knows: not at once, and not in an hour
