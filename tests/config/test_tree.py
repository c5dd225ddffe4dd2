"""Text -> values and places; what is hostile in YAML stays harmless."""

import pytest

from sbc.config.faults import Position
from sbc.config.tree import DEPTH_LIMIT, TEXT_LIMIT, VALUE_LIMIT, Tree, Unreadable, read, scalar


def refused(text: str) -> list[str]:
    with pytest.raises(Unreadable) as caught:
        read(text)
    return [fault.line("f") for fault in caught.value.faults]


@pytest.mark.parametrize(("written", "value"), [
    ("null", None), ("~", None), ("", None), ("true", True), ("False", False), ("7", 7), ("-7", -7), ("007", 7),
    ("1.5", 1.5), ("1e3", 1000.0), ("on", "on"), ("off", "off"), ("no", "no"), ("yes", "yes"), ("y", "y"),
    ("12:30", "12:30"), ("0x1F", "0x1F"), ("1_000", "1_000"), ("2026-01-01", "2026-01-01"), (".inf", ".inf"),
    (".nan", ".nan"), ("<<", "<<"), ("=", "="), ("9" * 5000, "9" * 5000),
])
def test_plain_scalars_are_read_by_the_core_schema(written: str, value: object) -> None:
    got = scalar(written)
    assert got == value
    assert type(got) is type(value)


def test_quoted_scalars_are_text() -> None:
    assert read("""[ '1', "true", 'null' ]""").value == ["1", "true", "null"]


def test_keys_are_text_as_written() -> None:
    assert read("{1: a, true: b, null: c}").value == {"1": "a", "true": "b", "null": "c"}


def test_places_of_keys_and_values_count_characters_from_1() -> None:
    tree = read("a:\n  - b: 1\n  - 'é': {c: x}\n")
    assert tree.position(("a",)) == Position(2, 3)
    assert tree.key_position(("a",)) == Position(1, 1)
    assert tree.position(("a", 0, "b")) == Position(2, 8)
    assert tree.key_position(("a", 1, "é")) == Position(3, 5)
    assert tree.position(("a", 1, "é", "c")) == Position(3, 14)


def test_what_is_not_written_is_placed_where_it_would_stand() -> None:
    tree = read("a:\n  b: 1\n")
    assert tree.position(("a", "missing", "deeper")) == Position(2, 3)
    assert tree.position(("missing",)) == Position(1, 1)


def test_duplicate_keys_are_faults_each_and_the_first_stands() -> None:
    tree = read("a: 1\nb: {c: 1, c: 2}\na: 3\na: 4\n")
    assert tree.value == {"a": 1, "b": {"c": 1}}
    assert [fault.line("f") for fault in tree.faults] == [
        "f:2:11: b.c: duplicate key; each key once; it stands on line 2 already",
        "f:3:1: a: duplicate key; each key once; it stands on line 1 already",
        "f:4:1: a: duplicate key; each key once; it stands on line 1 already",
    ]


def test_aliases_stand_for_what_was_written_before() -> None:
    assert read("a: &x {k: [1]}\nb: *x\nc: [*x, *x]").value == {
        "a": {"k": [1]}, "b": {"k": [1]}, "c": [{"k": [1]}, {"k": [1]}]}


@pytest.mark.parametrize(("text", "line"), [
    ("", "f:1:1: nothing is written here; at least listeners, pools, agents and routes"),
    ("# a comment\n", "f:1:1: nothing is written here; at least listeners, pools, agents and routes"),
    ("a: [1", "f:2:1: not YAML: did not find expected ',' or ']' while parsing a flow sequence; "
              "mend the quotes, brackets or indentation"),
    ("a:\n\tb: 1", "f:2:1: not YAML: found character that cannot start any token while scanning for the next token; "
                   "indent with spaces, not tabs, and quote a value that begins with @, ` or %"),
    ("a: {b: memory:}", "f:1:14: not YAML: found unexpected ':' while scanning a plain scalar; "
                        'quote a text with ":" in it, such as "memory:"'),
    ("a: b: c", "f:1:5: not YAML: mapping values are not allowed in this context; "
                'quote a text that holds ": " or ends with ":", such as "memory:", or mend the indentation'),
    ("listen: [::1]:80", "f:1:10: not YAML: did not find expected node content while parsing a flow node; "
                         'quote a value that begins with [, {, *, & or !, such as "[::1]:8080"'),
    ("é: 1\nb: 'é\x07'", "f:2:6: not YAML: control characters are not allowed; plain text in UTF-8"),
    ("a: \ud800", "f:1:4: not a character; plain text in UTF-8"),
    ("a: 1\n---\nb: 1", "f:2:1: a second document; one document a file"),
    ("[a]: 1", "f:1:1: a key that is no plain text; one word as the key"),
    ("a: *x", 'f:1:4: a: an alias that stands for no value written before it (got "*x"); '
              "an anchor such as &name before the alias *name"),
    ("a: &x [*x]", 'f:1:8: a.0: an alias that stands for no value written before it (got "*x"); '
                   "an anchor such as &name before the alias *name"),
])
def test_what_cannot_be_read_is_told_with_its_place(text: str, line: str) -> None:
    assert refused(text) == [line]


def test_duplicate_keys_before_a_syntax_fault_are_told_too() -> None:
    assert [line.split(": ")[0] for line in refused("a: 1\na: 2\nb: ]")] == ["f:2:1", "f:3:4"]


def test_tags_are_faults_and_make_nothing() -> None:
    tree = read("a: !!python/object/apply:os.getcwd []\nb: !!int '7'")
    assert tree.value == {"a": [], "b": "7"}
    assert [fault.line("f") for fault in tree.faults] == [
        'f:1:4: a: a tag (got "tag:yaml.org,2002:python/object/apply:os.getcwd"); leave it out',
        'f:2:4: b: a tag (got "tag:yaml.org,2002:int"); leave it out',
    ]


def test_depth_size_and_expansion_are_bounded() -> None:
    assert isinstance(read("[" * DEPTH_LIMIT + "]" * DEPTH_LIMIT), Tree)
    assert "nested too deep" in refused("[" * (DEPTH_LIMIT + 1))[0]
    assert "nested too deep" in refused("[" * 500_000)[0]
    assert "nested too deep" in refused("a: &a " + "[" * 20 + "]" * 20 + "\nb: " + "[" * 10 + "*a" + "]" * 10)[0]
    assert f"at most {TEXT_LIMIT}" in refused("a" * (TEXT_LIMIT + 1))[0]
    assert "too many values" in refused("- 1\n" * (VALUE_LIMIT + 1))[0]


def test_a_billion_laughs_are_cut_short() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 20))
    assert "too many values" in refused(bomb)[0]


def test_many_keys_take_no_quadratic_time() -> None:
    assert len(read("".join(f"k{n}: 1\n" for n in range(VALUE_LIMIT // 2 - 1))).value) == VALUE_LIMIT // 2 - 1
