"""Reserves: what a class keeps for itself, what the others may have, and that nothing is lost on the way."""

from hypothesis import given
from hypothesis import strategies as st

from sbc.core.shares import CLASSES, Shares

CLASS = st.integers(0, CLASSES - 1)


def taken(shares: Shares, rank: int, most: int = 1000) -> int:
    """Let in as many of a class as there is room for."""
    count = 0
    while shares.fits(rank) and count < most:
        shares.take(rank)
        count += 1
    return count


def test_a_flood_of_the_lowest_class_leaves_the_others_what_is_theirs() -> None:
    shares = Shares()
    shares.measure(100, (0.2, 0.1, 0.0))
    assert taken(shares, 2) == 70
    assert taken(shares, 0) == 20
    assert taken(shares, 1) == 10
    assert shares.taken == 100
    shares.give_back(2)
    assert [shares.fits(rank) for rank in range(CLASSES)] == [True, True, True]  # what is not reserved is for all


def test_one_class_alone_has_all_but_the_reserves_of_the_others() -> None:
    shares = Shares()
    shares.measure(10, (0.3, 0.3, 0.0))
    assert taken(shares, 0) == 7
    assert taken(shares, 1) == 3


def test_a_reserve_holds_when_the_room_has_shrunk() -> None:
    shares = Shares()
    shares.measure(100, (0.1, 0.0, 0.0))
    assert taken(shares, 2) == 90
    shares.measure(20, (0.1, 0.0, 0.0))
    assert not shares.fits(2) and not shares.fits(1)
    assert taken(shares, 0) == 2


def test_no_room_at_all() -> None:
    shares = Shares()
    shares.measure(0, (0.5, 0.5, 0.0))
    assert not any(shares.fits(rank) for rank in range(CLASSES))


@given(st.integers(0, 60), st.tuples(*[st.sampled_from((0.0, 0.1, 0.25, 1 / 3))] * 3), st.lists(CLASS, max_size=150))
def test_never_more_than_there_is_and_a_reserve_is_always_there(
    most: int, reserved: tuple[float, ...], asked: list[int]
) -> None:
    shares, has = Shares(), [0] * CLASSES
    shares.measure(most, reserved)
    kept = [int(most * share + 1e-9) for share in reserved]
    for rank in asked:
        if shares.fits(rank):
            shares.take(rank)
            has[rank] += 1
        else:
            assert has[rank] >= kept[rank]
    assert sum(has) == shares.taken <= most
