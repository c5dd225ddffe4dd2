"""How answers look: tables for people, JSON for programs.

Ids and reasons may hold what a client chose: nothing is printed that a terminal would obey.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

UNBOUNDED = 10_000
"""Columns of output that no person sees: nothing is folded there."""


def as_json(answer: Any) -> None:
    """The answer as the edge gave it; control characters inside strings are escaped, others kept as they are."""
    text = orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode()
    typer.echo("\n".join(printable(line) for line in text.split("\n")))


def table(rows: Sequence[Mapping[str, Any]], none: str) -> None:
    """One line a row, with the columns of the first; `none` is said instead of an empty table."""
    if not rows:
        typer.echo(none)
        return
    drawn = _table(header=True)
    columns = list(rows[0])
    for column in columns:
        drawn.add_column(Text(printable(column)), overflow="fold")
    for row in rows:
        drawn.add_row(*(_cell(row.get(column)) for column in columns))
    _print(drawn)


def card(row: Mapping[str, Any]) -> None:
    """One thing, a line for each of its properties."""
    drawn = _table(header=False)
    drawn.add_column(style="bold")
    drawn.add_column(overflow="fold")
    for name, value in row.items():
        drawn.add_row(Text(printable(name)), _cell(value))
    _print(drawn)


def complain(line: str) -> None:
    """A line on stderr."""
    typer.echo(printable(line), err=True)


def printable(text: str) -> str:
    """The text with everything that does not print written as an escape."""
    if text.isprintable():
        return text
    return "".join(mark if mark.isprintable() else _escape(ord(mark)) for mark in text)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _table(header: bool) -> Table:
    return Table(box=None, show_header=header, pad_edge=False, padding=(0, 2, 0, 0))


def _print(drawn: Table) -> None:
    console = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=UNBOUNDED)
    with console.capture() as lines:
        console.print(drawn)
    for line in lines.get().splitlines():  # without the blanks that fill up the last column
        typer.echo(line.rstrip())


def _cell(value: Any) -> Text:
    match value:
        case None | "":
            text = "-"
        case bool():
            text = "yes" if value else "no"
        case float():
            text = f"{value:.3f}".rstrip("0").rstrip(".")
        case str() | int():
            text = str(value)
        case _:
            text = orjson.dumps(value).decode()
    return Text(printable(text))
