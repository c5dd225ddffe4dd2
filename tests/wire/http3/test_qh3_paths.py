"""What qh3's core is told of where datagrams come from (sbc/wire/http3/qh3_paths.py)."""

import pytest

from sbc.wire.http3.engine import Address
from sbc.wire.http3.qh3_paths import QUIET, Paths

PLACES = [
    (("192.0.2.7", 4000), ("198.51.100.9", 999)),
    (("192.0.2.7", 4000), ("192.0.2.7", 4001)),
    (("2001:db8::7", 4000, 0, 0), ("2001:db8:1::9", 999, 0, 0)),
    (("::ffff:192.0.2.7", 4000, 0, 0), ("::ffff:198.51.100.9", 999, 0, 0)),
]


@pytest.mark.parametrize(("home", "away"), PLACES)
def test_a_former_address_has_another_name_each_time(home: Address, away: Address) -> None:
    paths, now, names = Paths(home), 0.0, {home}
    for where in (away, home, away, home):
        now += 2 * QUIET
        name = paths.named(where, now)
        assert name not in names and paths.real(name) == where
        assert paths.named(where, now + QUIET / 2) == name, "the answer to the challenge comes from there, too"
        assert paths.moved(name) and paths.where == where and not paths.moved(name)
        assert paths.named(where, now + QUIET) == name
        names.add(name)
        now += QUIET


@pytest.mark.parametrize(("home", "away"), PLACES)
def test_what_was_late_on_its_way_is_no_return(home: Address, away: Address) -> None:
    paths = Paths(home)
    assert paths.moved(paths.named(away, 1.0))
    assert paths.named(away, 1.1) == away
    assert paths.named(home, 1.1 + QUIET) == home
    assert paths.named(home, 1.2 + QUIET) != home
    assert paths.named(away, 1.3 + QUIET) == away and paths.where == away, "it is still where it was"


def test_an_address_that_is_not_proven_keeps_its_name() -> None:
    (home, away), _, *_ = PLACES
    paths = Paths(home)
    assert [paths.named(away, now) for now in (1.0, 2.0, 3.0)] == [away] * 3 and paths.where == home
