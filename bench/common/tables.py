"""Tables on stdout, and the same figures as JSON in bench/results/."""

import json
import math
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent.parent / "results"


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Columns aligned: the first to the left, the others to the right."""
    cells = [[_cell(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = ["  ".join(text.ljust(width) if column == 0 else text.rjust(width)
                       for column, (text, width) in enumerate(zip(row, widths, strict=True))).rstrip() for row in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(["", title, "", *lines])


def _cell(value: Any) -> str:
    match value:
        case None:
            return "-"
        case float() if abs(value) >= 100:
            return f"{value:,.0f}"
        case float() if abs(value) >= 10:
            return f"{value:.1f}"
        case float():
            return f"{value:.2f}"
        case int() if not isinstance(value, bool):
            return f"{value:,}"
        case _:
            return str(value)


def median(samples: Sequence[float]) -> float | None:
    """The median, or None of nothing."""
    return statistics.median(samples) if samples else None


def ratio(samples: Sequence[float], base: Sequence[float]) -> float | None:
    """The median of round-by-round ratios: what both suffered in a round drops out."""
    return median([one / other for one, other in zip(samples, base, strict=False)])


def percentile(samples: Sequence[float], share: float) -> float | None:
    """The smallest sample that at least `share` of all do not exceed."""
    if not samples:
        return None
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def save(name: str, result: dict[str, Any]) -> Path:
    """Write bench/results/NAME.json, replacing the last one."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"date": datetime.now(UTC).isoformat(timespec="seconds"), **result}, indent=1) + "\n")
    return path
