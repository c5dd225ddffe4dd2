"""Words of several edges on the same things: the later one counts."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from sbc.core.hearsay import Hearsay, compare
from sbc.model.identity import Revocation, Revoked

NAMES = ("a", "b")


def said(name: str, since: float, until: float = 9e9) -> Revocation:
    return Revocation(Revoked.NODE, name, since, until)


def keyed(*words: Revocation) -> dict[tuple[Revoked, str], Revocation]:
    return {(word.kind, word.name): word for word in words}


def test_each_difference() -> None:
    old, new, back = said("a", 1.0), said("a", 2.0), said("a", 2.0, 0.0)
    assert compare({}, []) == compare(keyed(new), [new]) == Hearsay((), (), ())
    assert compare({}, [old]) == compare(keyed(said("a", 0.5)), [old]) == Hearsay((old,), (), ())
    assert compare(keyed(old), [back]) == Hearsay((), (old,), ())
    assert compare({}, [back]) == Hearsay((), (), ())
    assert compare(keyed(new), []) == compare(keyed(new), [old]) == Hearsay((), (), (new,))
    assert compare(keyed(said("a", 3.0)), [back]).restate, "it was said again after it was taken back"


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.booleans()), max_size=6))
def test_edges_agree_in_the_end_in_whatever_order_they_ask(orders: list[tuple[str, bool]]) -> None:
    """Each order is given at one of three edges; then each asks the store twice, in any order."""
    for order in permutations(range(3)):
        store: dict[tuple[Revoked, str], Revocation] = {}
        edges: list[dict[tuple[Revoked, str], Revocation]] = [{}, {}, {}]
        for number, (name, revoked) in enumerate(orders):
            word = said(name, number + 1.0, 9e9 if revoked else 0.0)
            store[word.kind, word.name] = word
            edge = edges[number % 3]
            edge.pop((word.kind, word.name), None)
            if revoked:
                edge[word.kind, word.name] = word
        for number in order * 2:
            news = compare(edges[number], store.values())
            for word in news.forgive:
                del edges[number][word.kind, word.name]
            edges[number].update(keyed(*news.revoke))
            store.update(keyed(*news.restate))
        last = dict(orders)
        assert all({name for _, name in edge} == {name for name in last if last[name]} for edge in edges)
