"""At which worker a session is at home."""

from hypothesis import given
from hypothesis import strategies as some

from sbc.core.homes import Homes
from sbc.model.ids import SessionId

COUNTS = some.integers(1, 64)


@given(COUNTS, some.data(), some.integers(0, 2**128 - 1))
def test_what_a_worker_mints_is_at_home_there(count: int, draw: some.DataObject, bits: int) -> None:
    homes = Homes(draw.draw(some.integers(0, count - 1)), count)
    session = homes.mint(bits)
    assert len(session) == 32 and int(session, 16) >= 0
    assert homes.here(session) and homes.of(session) == homes.number


@given(COUNTS, some.integers(0, 2**128 - 1))
def test_every_session_is_at_home_at_one_worker(count: int, bits: int) -> None:
    session = SessionId(f"{bits:032x}")
    assert [Homes(number, count).here(session) for number in range(count)].count(True) == 1
    assert len({Homes(number, count).of(session) for number in range(count)}) == 1


def test_the_only_worker_takes_the_bits_as_they_are() -> None:
    assert Homes(0, 1).mint(0x1F) == f"{0x1F:032x}"
    assert Homes(1, 3).mint(2**128 - 1) != Homes(2, 3).mint(2**128 - 1), "and nothing overflows"
