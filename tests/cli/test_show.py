"""What a terminal is given."""

import pytest

from sbc.cli import show


@pytest.mark.parametrize(("text", "shown"), [
    ("plain ü", "plain ü"), ("\x1b[2J", "\\u001b[2J"), ("a\nb", "a\\u000ab"), ("\x9b", "\\u009b"),
    ("\u202egnp", "\\u202egnp"), ("\U000e0001", "\\U000e0001"),
])
def test_nothing_is_printed_that_a_terminal_would_obey(text: str, shown: str) -> None:
    assert show.printable(text) == shown


def test_a_table_has_the_columns_of_its_first_row(capsys: pytest.CaptureFixture[str]) -> None:
    show.table([{"a": "[bold]x", "b": None, "c": True}, {"a": "y" * 200, "b": 1.25, "d": 0}], "none")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["a", "b", "c"], ["[bold]x", "-", "yes"], ["y" * 200, "1.25", "-"]]


def test_an_empty_table_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    show.table([], "no nodes")
    assert capsys.readouterr().out == "no nodes\n"


def test_a_card_has_a_line_for_each_property(capsys: pytest.CaptureFixture[str]) -> None:
    show.card({"session": "s1", "journal": {"bytes": 1}, "gap": 2.0})
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["session", "s1"], ["journal", '{"bytes":1}'], ["gap", "2"]]
