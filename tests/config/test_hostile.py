"""Whatever stands in the file, the answer is a Config or a ConfigError."""

import copy
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sbc.config import Config, json_schema, parse, redacted, warnings
from sbc.config.check import cross
from sbc.config.faults import Path
from sbc.config.tree import read
from sbc.model.errors import ConfigError
from tests.config.test_build import FULL
from tests.config.test_load import SAMPLE

TEXTS = (SAMPLE.read_text(), FULL)
REWRITTEN = """
policies: {default: {headers: {set: {X-A: b}, remove: [X-C], tell: {X-D: e}}}}
abuse: {refuse: 100, block: 200}
kernel: {}
"""
WORDS = ["null", "true", "0", "-1", "5", "1e999", "''", "[]", "{}", "[[]]", "{a: {}}", "*x", "&x 1", "!!set {}", "|",
         ">", "9" * 30, '"\\0"', "off", "127.0.0.1:0", "5s", "64KiB", "http://[", "/", "websocket", "---", "...", "\t",
         "\x85", "\u2028", "\ufeff", "? ", ": ", "- ", "[key]", "%YAML 1.1", "~", "\ud800", "\0"]


def answered(text: str) -> Config | None:
    """What parse makes of a text; None if it has faults, which all have their place."""
    try:
        config = parse(text, "f")
    except ConfigError as error:
        assert error.faults
        assert all(fault.startswith("f:") and "\n" not in fault for fault in error.faults)
        return None
    warnings(config)
    redacted(config)
    return config


quick = settings(deadline=None, database=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])


@quick
@given(st.text(st.characters(exclude_categories=[]), max_size=400))
def test_any_text(text: str) -> None:
    answered(text)


@quick
@given(st.text("ab:-[]{},&*!?|>'\"#%@` \n\t0.", max_size=80))
def test_any_text_of_yaml(text: str) -> None:
    answered(text)


@quick
@given(st.sampled_from(TEXTS), st.randoms(use_true_random=False), st.lists(st.sampled_from(WORDS), max_size=4))
def test_a_good_configuration_spoilt(text: str, choose: random.Random, words: list[str]) -> None:
    for word in words:
        start = choose.randrange(len(text))
        text = text[:start] + word + text[start + choose.randrange(20):]
    answered(text)


@quick
@given(st.sampled_from(TEXTS), st.randoms(use_true_random=False), st.sampled_from(WORDS))
def test_any_value_replaced(text: str, choose: random.Random, word: str) -> None:
    """Each `key: value` in turn gets another value, so that every key meets every kind of it."""
    lines = text.splitlines()
    number = choose.choice([n for n, line in enumerate(lines) if ":" in line])
    colons = [n for n, letter in enumerate(lines[number]) if letter == ":"]
    at = choose.choice(colons)
    end = min((place for end in ",}]" if (place := lines[number].find(end, at)) >= 0), default=len(lines[number]))
    lines[number] = f"{lines[number][:at]}: {word}{lines[number][end:]}"
    answered("\n".join(lines))


def _anything(depth: int) -> st.SearchStrategy[str]:
    """Flow YAML with keys of the schema at random places."""
    sections = (json_schema(), *json_schema()["$defs"].values())
    keys = sorted({key for section in sections for key in section["properties"]})
    scalars = st.sampled_from([word for word in WORDS if word.isalnum() or word in ("''", "[]", "{}")])
    return st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda parts: "[" + ", ".join(parts) + "]"),
            st.dictionaries(st.sampled_from(keys), inner, max_size=4).map(
                lambda parts: "{" + ", ".join(f"{key}: {value}" for key, value in parts.items()) + "}")),
        max_leaves=depth)


@quick
@given(st.dictionaries(st.sampled_from(sorted(json_schema()["properties"])), _anything(12), min_size=1))
def test_known_keys_with_anything_in_them(sections: dict[str, str]) -> None:
    answered("".join(f"{key}: {value}\n" for key, value in sections.items()))


KINDS: tuple[Any, ...] = (None, True, 5, 0.5, "x", "", [], [5], [[]], {}, {"x": 5}, {5: {}})


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    yield path
    for key, entry in value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ()):
        yield from _paths(entry, (*path, key))


@pytest.mark.parametrize("text", [*TEXTS, REWRITTEN])
def test_what_is_looked_at_across_sections_may_be_anything(text: str) -> None:
    """Each value in turn becomes each kind of value, and not one of a kind that hypothesis happens to choose."""
    whole = read(text)
    for path in _paths(whole.value):
        for kind in KINDS:
            value = place = copy.deepcopy(whole.value)
            for step in path[:-1]:
                place = place[step]
            if path:
                place[path[-1]] = kind
            spoilt = replace(whole, value=value if path else kind)
            assert all(len(str(fault)) < 1000 for fault in cross(spoilt)), path


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_good_stays_good(text: str) -> None:
    assert answered(text) is not None


def test_a_text_cut_anywhere() -> None:
    text = SAMPLE.read_text()
    for end in range(0, len(text), 7):
        answered(text[:end])
