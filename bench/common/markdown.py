"""The pieces of a report in Markdown: tables, ratios, and whether a target was met."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.common.tables import median

Result = Mapping[str, Any]
NOISY = 0.15
"""Share of the machine that others used, from which on a run counts as disturbed."""


def part_takers(cases: Mapping[str, Mapping[str, Any]], *names: str) -> list[str]:
    """Those of the names that have figures in any case."""
    return [name for name in names if any(name in of for of in cases.values())]


def part(title: str, result: Result, body: str) -> str:
    others = result["meanwhile"]["others"]
    noise = f" Disturbed: others used {others:.0%} of the machine meanwhile." if others > NOISY else ""
    machine = result["machine"]
    return (f"**{title}.** `{result['command']}`, {result['date'][:10]}, commit `{result['versions']['sbc']}`, "
            f"{machine['cores']} cores ({machine['processor']}).{noise}\n\n{body}")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    line = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, line, *rows))


def us(samples: Sequence[float]) -> str:
    return f"{median(samples) or 0:.1f}"


def held(found: float | None, most: float) -> list[str]:
    return [times(found), "" if found is None else bounded(found, most)]


def below(found: float | None) -> list[str]:
    return [times(found), "" if found is None else f"below 1: {verdict(found < 1)}"]


def times(found: float | None) -> str:
    return "-" if found is None else f"{found:.2f}x"


def bounded(found: float, most: float) -> str:
    return f"at most {most:g}: {verdict(found <= most)}"


def verdict(met: bool) -> str:
    return "met" if met else "**missed**"
