"""The judge finds what was planted in a history that is whole, and explains what a fault explains."""

from typing import Any

import pytest

from tests.chaos.judge import judge
from tests.chaos.told import digits

E1, E2, SHARED = "10.204.0.2", "10.204.0.3", "10.204.0.200"
Facts = list[dict[str, Any]]


def fact(t: float, what: str, **rest: Any) -> dict[str, Any]:
    return {"t": t, "what": what, **rest}


def begun(client: str = "c1-continue-0.1", path: str = "/continue", exact: bool = True,
          transport: str = "http1") -> dict[str, Any]:
    return fact(1.0, "begins", client=client, path=path, exact=exact, transport=transport)


def heard(t: float, m: int, n: int, i: int, total: int, epoch: int = 5, **other: Any) -> dict[str, Any]:
    return fact(t, "heard", client="c1-continue-0.1", edge=E1, m=m, n=n, i=i, sum=total, epoch=epoch, node="n1",
                key="s", **other)


def said(t: float, n: int, say: int) -> dict[str, Any]:
    return fact(t, "say", client="c1-continue-0.1", n=n, say=say)


def told(t: float, bit: int, bits: list[int], i: int = 0, epoch: int = 5) -> dict[str, Any]:
    return fact(t, "told", client="c1-ask-0", edge=E1, bit=bit, all=sum(4**one for one in bits), i=i, epoch=epoch,
                node="n1", key="s")


def asked(t: float, bit: int, method: str = "POST") -> dict[str, Any]:
    return fact(t, "asks", client="c1-ask-0", bit=bit, method=method, say=0, edge=E1)


def answered(t: float, bit: int) -> dict[str, Any]:
    return fact(t, "answered", client="c1-ask-0", bit=bit, edge=E1)


def fault(t: float, until: float, kind: str, *who: str) -> Facts:
    return [fact(t, "fault", kind=kind, who=who, seconds=until - t), fact(until, "over", kind=kind, who=who)]


STAGE = fact(0.0, "stage", hosts={"e1": E1, "e2": E2, "c1": "10.204.0.9"})
SETTLED = fact(900.0, "settled", client="c1-continue-0.1")
TALK: Facts = [STAGE, begun(), said(2, 1, 2), heard(3, 1, 1, 0, 1), heard(4, 2, 1, 1, 1), said(5, 2, 1),
               heard(6, 3, 2, 0, 3, epoch=8), SETTLED]
ASK: Facts = [STAGE, begun("c1-ask-0", "/ask"), asked(2, 1), told(3, 1, [1]), answered(3.1, 1), asked(4, 2),
              told(5, 2, [1, 2]), answered(5.1, 2), fact(900.0, "settled", client="c1-ask-0")]


def promises(facts: Facts) -> list[str]:
    return [promise for promise, _, _ in judge(facts)]


def test_a_whole_history_breaks_no_promise() -> None:
    assert not judge(TALK) and not judge(ASK)


@pytest.mark.parametrize(("name", "replaced"), [
    ("a message is missing", {4: None}),
    ("a message comes twice", {6: heard(6, 2, 1, 1, 1)}),
    ("a message comes before another", {3: heard(3, 2, 1, 1, 1), 4: heard(4, 1, 1, 0, 1)}),
    ("a client's message was lost on the way to the node", {6: heard(6, 3, 2, 0, 2)}),
    ("a client's message was taken twice", {6: heard(6, 3, 2, 0, 4)}),
    ("something that was not asked for", {5: None}),
    ("the last message never comes", {6: None}),
    ("it never settles", {7: None}),
])
def test_planted_in_a_talk(name: str, replaced: dict[int, Any]) -> None:
    changed = [replaced.get(number, one) for number, one in enumerate(TALK)]
    facts = [one for one in changed if one is not None]
    assert "P2" in promises(facts), name


def test_a_former_owner_is_heard() -> None:
    assert promises([*TALK[:6], heard(6, 3, 2, 0, 3, epoch=4), SETTLED]) == ["P3"]


def test_a_gap_is_announced_and_explained_or_not() -> None:
    gap = fact(5.5, "in", client="c1-continue-0.1", edge=E2, gap=1, has=1, received=1, returning=True)
    facts = [*TALK[:4], TALK[5], gap, *TALK[6:]]
    assert promises(facts) == ["P4"]
    assert not judge(facts + fault(4, 5, "kill", "e1") + fault(4, 5, "kill", "r1"))
    assert promises([*facts[:5], *facts[6:]]) == ["P2"], "a silent one"


@pytest.mark.parametrize(("promise", "second"), [
    ("P2", told(5, 2, [1, 2, 2])), ("P2", told(5, 2, [2])), ("P2", told(5, 2, [1, 2, 7])),
    ("P3", told(5, 2, [1, 2], 0, 4)), ("P2", told(5, 2, [1, 2], 1)),
])
def test_planted_in_requests(promise: str, second: dict[str, Any]) -> None:
    assert promise in promises([second if one == ASK[6] else one for one in ASK])


def test_behind_a_gap_an_answer_goes_on_where_that_ends_or_begins_anew() -> None:
    first = [STAGE, begun("c1-ask-0", "/ask"), asked(2, 1, "GET"), *(told(3, 1, [], i) for i in range(4)),
             fact(4, "in", client="c1-ask-0", bit=1, edge=E1), fact(5, "in", client="c1-ask-0", bit=1, edge=E2)]
    gap, end = fact(5.1, "gap", client="c1-ask-0", edge=E2, lost=3), fact(900.0, "settled", client="c1-ask-0")
    for turn, broken in ((0, []), (7, []), (6, ["P2"]), (4, [])):
        assert promises([*first, gap, told(6, 1, [], turn), end]) == broken, turn
    assert promises([*first, told(6, 1, [], 7), end]) == ["P2"]
    assert promises([*first, gap, told(6, 1, [], 7), told(6, 1, [], 0), end]) == ["P2"]


def test_what_was_refused_as_not_sent_is_not_processed() -> None:
    denied = fact(5.05, "denied", client="c1-ask-0", bit=2, status=503, why="not-sent", edge=E1)
    facts = [*ASK[:6], denied, asked(6, 3), told(7, 3, [1, 2, 3]), ASK[-1]]
    assert promises(facts) == ["P2"]


def test_an_answered_request_may_be_lost_with_its_edge_and_store() -> None:
    facts = [told(5, 2, [2]) if one == ASK[6] else one for one in ASK]
    assert not judge(facts + fault(3.5, 4.0, "kill", "e1") + fault(3.5, 4.0, "kill", "r1"))
    assert promises(facts + fault(3.5, 4.0, "kill", "e1")) == ["P2"]
    assert promises(facts + fault(3.5, 4.0, "kill", "r1")) == ["P2"]
    assert promises(facts + fault(3.5, 4.0, "kill", "r1") + fault(3.5, 4.0, "kill", "n1")) == ["P2"]
    assert promises(facts + fault(3.5, 4.0, "kill", "n1")) == ["P2"]


def test_a_client_of_a_living_edge_is_let_go_by_a_node_s_death() -> None:
    out = fact(10.0, "out", client="c1-continue-0.1", edge=E1, whose="theirs", code=1014, reason="")
    assert promises([*TALK, out, *fault(9, 11, "kill", "n1")]) == ["P1"]
    assert not judge([*TALK, out, *fault(9, 11, "kill", "e1")])
    assert not judge([*TALK, out, *fault(9, 11, "cut", "c1", "e1")])
    assert not judge([*TALK, out, fact(9.5, "log", edge="e1", event="edge_fenced")])


@pytest.mark.parametrize(("transport", "kind", "who", "code", "excused"), [
    ("http1", "roam", "c1", 1006, True), ("http3", "roam", "c1", 1006, False), ("http1", "roam", "c2", 1006, False),
    ("http1", "upgrade", "e1", 1012, True), ("http1", "upgrade", "e2", 1012, False),
    ("http3", "upgrade", "e1", 1006, False), ("http2", "upgrade", "e1", 1006, True),
    ("http1", "full disk", "e1", 1006, False), ("http1", "kill a worker", "e1", 1006, True),
    ("http1", "drain", "e1", 1012, False),
])
def test_what_explains_that_a_client_lost_its_connection(transport: str, kind: str, who: str, code: int,
                                                         excused: bool) -> None:
    out = fact(10.0, "out", client="c1-continue-0.1", edge=E1, whose="theirs", code=code, reason="")
    facts = [STAGE, begun(transport=transport), *TALK[2:], out, *fault(9.0, 9.5, kind, who)]
    assert promises(facts) == ([] if excused else ["P1"])


def test_a_client_that_hears_nothing_of_a_machine_without_time_is_nobody_s_fault() -> None:
    out = fact(10.0, "out", client="c1-continue-0.1", edge=E1, whose="silent", code=1006, reason="")
    assert promises([*TALK, out, fact(4.0, "late", seconds=2.0)]) == ["P1"]
    assert not judge([*TALK, out, fact(7.0, "late", seconds=2.0)])
    assert promises([*TALK, {**out, "whose": "theirs"}, fact(7.0, "late", seconds=2.0)]) == ["P1"]


def test_whoever_has_the_shared_address_explains_what_its_clients_see() -> None:
    stage = fact(0.0, "stage", hosts={"e1": E1, "e2": E2, "c1": "10.204.0.9", "shared": SHARED})
    out = fact(10.0, "out", client="c1-continue-0.1", edge=SHARED, whose="theirs", code=1006, reason="")
    facts = [stage, *TALK[1:], out]
    assert promises(facts) == ["P1"]
    assert promises([*facts, *fault(9.0, 9.5, "kill", "n1")]) == ["P1"]
    for told in (("kill", "e2"), ("cut", "c1", "e2"), ("cut", "e2", "r1")):
        assert not judge([*facts, *fault(9.0, 9.5, *told)]), told


def test_who_is_revoked_gets_nothing_any_more() -> None:
    told = [fact(5.0, what, client="c1-outcast", edge="e1") for what in ("revoking", "revoked")]
    facts = [STAGE, *told, fact(5.5, "in", client="c1-outcast.1", edge=E1, gap=0)]
    assert not judge(facts), "the others have yet to hear of it"
    late = fact(30.0, "in", client="c1-outcast.2", edge=E2, gap=0)
    assert promises([*facts, late]) == ["P5"]
    assert promises([*facts, {**late, "what": "heard"}]) == ["P5"]
    assert not judge([*facts, {**late, "client": "c1-continue-1.1"}])
    assert not judge([*facts, late, *fault(20.0, 26.0, "cut", "e2", "r1")]), "it could not hear of it"
    closed = fact(6.0, "out", client="c1-outcast.1", edge=E1, whose="theirs", code=1008, reason="")
    ends = fact(6.0, "ends", client="c1-outcast.1", why="closed 1008")
    whose = [STAGE, begun("c1-outcast.1", exact=False), closed, ends]
    assert not judge([*whose, *told]) and promises(whose) == ["P1", "P1"]


def test_session_records_are_whole() -> None:
    records = fact(9.0, "records", edge="e1", records=5, faulty=0, missing=0, faults=[])
    assert not judge([STAGE, records])
    assert promises([STAGE, {**records, "faulty": 1}]) == promises([STAGE, {**records, "missing": 2}]) == ["P7"]


def test_a_session_that_ends_before_its_time() -> None:
    gone = fact(10.0, "ends", client="c1-continue-0.1", why="refused 404")
    assert promises([*TALK[:-1], gone]) == ["P1"]
    assert promises([*TALK[:-1], gone, *fault(5, 6, "kill", "e1")]) == ["P1"]
    assert not judge([*TALK[:-1], gone, *fault(5, 6, "kill", "e1"), *fault(5, 6, "kill", "r1")])


def test_a_session_between_two_edges_is_the_store_s_to_lose() -> None:
    moves = [fact(2.5, "in", client="c1-continue-0.1", edge=E1, gap=0),
             fact(7.0, "out", client="c1-continue-0.1", edge=E1, whose="mine", code=1006, reason="")]
    gone = fact(10.0, "ends", client="c1-continue-0.1", why="refused 404")
    assert promises([*TALK[:-1], *moves, gone]) == ["P1"]
    assert not judge([*TALK[:-1], *moves, gone, *fault(6.9, 8.0, "lose", "r1", "r2")])
    assert promises([*TALK[:-1], moves[0], gone, *fault(6.9, 8.0, "lose", "r1", "r2")]) == ["P1"]


def test_a_session_ends_with_a_gap_that_is_told_if_its_store_forgot() -> None:
    gone = fact(10.0, "ends", client="c1-continue-0.1", why="closed 1014 gap=12")
    assert promises([*TALK[:-1], gone]) == ["P1"]
    assert not judge([*TALK[:-1], gone, *fault(5, 6, "kill", "e1"), *fault(5, 6, "kill", "r1")])


def node(t: float, what: str, by: str, epoch: int, **rest: Any) -> dict[str, Any]:
    return fact(t, what, by=by, session="s", epoch=epoch, **rest)


def leg(t: float, by: str, epoch: int, edge: str) -> dict[str, Any]:
    return node(t, "leg", by, epoch, edge=edge, role="owner")


def owns(t: float, by: str, epoch: int, received: int = 0) -> dict[str, Any]:
    return node(t, "owns", by, epoch, received=received)


NODES: Facts = [STAGE, leg(1, "n1", 5, E1), owns(1.1, "n1", 5), node(2, "took", "n1", 5, n=1), leg(3, "n2", 6, E2),
                owns(3.1, "n2", 6, 1), node(4, "took", "n2", 6, n=2)]


def test_two_edges_or_nodes_have_a_session_at_one_epoch() -> None:
    assert not judge(NODES)
    assert promises([*NODES, leg(5, "n2", 6, E1)]) == ["P3"]
    assert promises([*NODES, leg(5, "n1", 6, E2), owns(5.1, "n1", 6, 2)]) == ["P3"]


def has(t: float, edge: str, epoch: int, asked: float) -> dict[str, Any]:
    return fact(t, "has", host=edge, asked=asked, sessions={"s": epoch})


def test_an_edge_goes_on_with_a_session_that_another_has_claimed() -> None:
    facts = [STAGE, has(1.0, "e1", 5, 0.9), has(2.0, "e2", 6, 1.9), has(2.1, "e1", 5, 1.95)]
    assert not judge(facts), "it may have let go in the midst of being asked"
    assert promises([*facts, has(3.1, "e1", 5, 3.0)]) == ["P3"]
    assert not judge([*facts, has(3.1, "e1", 7, 3.0)])
    lost = fault(2.5, 2.6, "kill", "e2") + fault(2.5, 2.6, "kill", "r1")
    assert promises([*facts, *lost, has(3.1, "e1", 5, 3.0)]) == ["P3"], "it never let go"
    gone = fact(2.8, "has", host="e1", asked=2.7, sessions={})
    assert promises([*facts, gone, has(3.1, "e1", 5, 3.0)]) == ["P3"], "nobody forgot"
    assert not judge([*facts, *lost, gone, has(3.1, "e1", 5, 3.0)]), "the store gave it what it still knew"


def test_an_edge_has_a_session_twice() -> None:
    twice = fact(2.0, "twice", host="e1", session="s", epochs=[5, 6])
    assert promises([STAGE, has(1.0, "e1", 5, 0.9), twice]) == ["P3"]


def test_a_node_takes_a_message_twice_or_misses_one() -> None:
    assert promises([*NODES, node(5, "took", "n2", 6, n=2)]) == ["P2"]
    assert promises([*NODES, node(5, "took", "n2", 6, n=4)]) == ["P2"]
    assert promises([*NODES, *(node(5 + at, "took", "n2", 6, bit=9, number=3) for at in (0, 1))]) == ["P2"]


def test_a_plain_node_is_given_a_message_once() -> None:
    given = [STAGE, fact(5, "heard", by="p1", session="s", n=1), fact(8, "heard", by="p2", session="s", n=1)]
    assert promises(given) == ["P2"]
    assert promises(given + fault(6, 7, "kill", "p1")) == ["P2"]
    assert not judge(given + fault(4, 7, "cut", "e1", "r1"))
    assert not judge(given + fault(6, 7, "kill", "e1"))


def test_memory_and_what_was_thrown() -> None:
    assert promises([STAGE, fact(1, "memory", resident={"e1": 2**30, "n1": 2**30})]) == ["P5"]
    assert promises([STAGE, fact(1, "log", edge="e1", event="task_failed", trace="...")]) == ["P7"]


def test_digits_of_a_sum() -> None:
    assert digits(4**3 + 2 * 4**5) == {3: 1, 5: 2}
