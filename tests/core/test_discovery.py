"""What is believed of found nodes: the last answer that named any, for a while."""

from hypothesis import given
from hypothesis import strategies as st

from sbc.core.discovery import MOST_FOUND, Findings, Found, News
from sbc.model.ids import PoolName, node_id
from sbc.model.node import Node

POOL = PoolName("p")


def found(*names: str, leaving: str = "") -> list[Found]:
    return [Found(Node(node_id(POOL, name), POOL, f"http://{name}"), name == leaving) for name in names]


def names(findings: Findings) -> list[str]:
    return [one.node.name for one in findings.nodes.values()]


def test_a_script() -> None:
    findings = Findings(keep=10.0)
    assert findings.fail(0.0) is News.DISTRUSTED and findings.take([], 1.0) is News.DISTRUSTED
    for now, answer, news, there in (
        (2.0, found("b", "a"), News.CHANGED, ["a", "b"]), (3.0, found("a", "b"), News.SAME, ["a", "b"]),
        (4.0, found("a", "b", leaving="a"), News.CHANGED, ["a", "b"]), (5.0, found("b"), News.CHANGED, ["b"]),
        (6.0, [], News.DISTRUSTED, ["b"]), (14.9, None, News.DISTRUSTED, ["b"]), (15.0, None, News.EXPIRED, []),
        (16.0, [], News.DISTRUSTED, []), (17.0, found("b"), News.CHANGED, ["b"]),
    ):
        assert (findings.fail(now) if answer is None else findings.take(answer, now)) is news, now
        assert names(findings) == there


def test_how_many_there_may_be_is_bounded_and_they_are_the_same_each_time() -> None:
    findings = Findings(keep=1.0)
    many = found(*(f"n{number:05}" for number in range(MOST_FOUND + 5)))
    findings.take(many, 0.0)
    assert len(findings.nodes) == MOST_FOUND
    assert findings.take(reversed(many), 1.0) is News.SAME


@given(st.lists(st.tuples(st.floats(0.0, 20.0), st.sets(st.sampled_from("abc")) | st.none()), max_size=20))
def test_nodes_go_only_by_an_answer_that_names_others_or_by_time(events: list[tuple[float, set[str] | None]]) -> None:
    findings, now, good = Findings(keep=10.0), 0.0, -1e9
    for wait, answer in events:
        now += wait
        before = set(names(findings))
        if answer:
            findings.take(found(*answer), now)
            good = now
            assert set(names(findings)) == answer
        else:
            findings.take([], now) if answer is not None else findings.fail(now)
            assert set(names(findings)) == (before if now - good < findings.keep else set())
