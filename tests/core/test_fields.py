"""What is done with the fields of every head: the C twins, which remember what they met, and what they stand for."""

import importlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbc.core import fields, forwarding
from sbc.model import http

COMPILED = Path(forwarding.__file__).suffix == ".so"
MODULES: list[Any] = [fields, importlib.import_module("sbc.core._fields")] if COMPILED else [fields]
NAMES = st.sampled_from([b"a", b"te", b"host", b"x_y", b"x-forwarded-for", b"session-id", b"A", b"",
                         b"bad name", b"n" * 60])  # fmt: skip
VALUES = st.sampled_from([b"", b"b", b"a\tb", b"a\nb", b"a\rb", b"a\0b", b"\x01", b"\x7f", b"\xff", b"v" * 600])
MANY = st.lists(st.tuples(NAMES, VALUES), max_size=6)
SHUT = frozenset({b"te", b"host"})


def all_of(module: Any, some: http.Fields) -> tuple[Any, ...]:
    form = module.form_of(some)
    return (form, module.lines_of(some), module.without(some, SHUT, (b"x-", b"session-")),
            module.without(some, set(SHUT), ()), module.parted(some, SHUT))  # fmt: skip


@pytest.mark.skipif(not COMPILED, reason="there are no compiled twins")
@given(MANY, MANY)
def test_the_twins_agree_whatever_they_met_before(some: http.Fields, others: http.Fields) -> None:
    plain, twin = MODULES
    for met in (some, others, some + others, some):
        assert all_of(twin, met) == all_of(plain, met)
        for name in (b"te", b"a", b"none"):
            assert twin.first(met, name) == http.first(met, name)


@pytest.mark.parametrize("module", MODULES)
def test_a_sieve_of_other_names_catches_others(module: Any) -> None:
    some = [(b"a", b"1"), (b"b", b"2"), (b"c-d", b"3")]
    for _ in range(2):
        assert module.without(some, frozenset({b"a"}), ()) == some[1:]
        assert module.without(some, frozenset({b"b"}), (b"c-",)) == some[:1]
        assert module.without(some, frozenset({b"a"}), (b"c-",)) == [some[1]]
        assert module.parted(some, frozenset({b"b"})) == ([some[0], some[2]], [some[1]])


@pytest.mark.parametrize("module", MODULES)
def test_more_fields_than_are_remembered(module: Any) -> None:
    for number in range(3000):
        field = (b"x-%d" % (number % 700), b"\n" if number % 5 == 0 else b"%d" % number)
        assert (module.lines_of([field]) is None) is (number % 5 == 0)
        assert module.without([field], SHUT, ()) == [field]
