"""Rows that every worker has, made one: pure."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

Row = dict[str, Any]

_STATES: Final = ("up", "draining", "down")
"""The better first."""


def node_rows(of_workers: Iterable[Sequence[Row]]) -> list[Row]:
    """Nodes: seats are summed, and how a node stands is told as the worker has it that thinks least of
    it."""
    nodes: dict[str, Row] = {}
    for rows in of_workers:
        for row in rows:
            before = nodes.get(row["node"])
            nodes[row["node"]] = row if before is None else _node(before, row)
    return [nodes[name] for name in sorted(nodes)]


def _node(one: Row, other: Row) -> Row:
    sessions, capacity = one["sessions"] + other["sessions"], one["capacity"]
    # To each of them the seats that the others have given are those of somebody else.
    in_all = max(one["sessions"] + one["elsewhere"], other["sessions"] + other["elsewhere"], sessions)
    return one | {
        "state": max(one["state"], other["state"], key=_STATES.index), "sessions": sessions,
        "elsewhere": in_all - sessions, "load": round(in_all / capacity, 4) if capacity else 1.0,
        "trunk": one["trunk"] and other["trunk"], "slow": one["slow"] or other["slow"],
    }  # fmt: skip


def abuse_rows(of_workers: Iterable[Sequence[Row]]) -> list[Row]:
    """Sources that misbehaved, the worst first: each as the worker has it that holds most against it."""
    sources: dict[str, Row] = {}
    for rows in of_workers:
        for row in rows:
            before = sources.get(row["source"])
            if before is None or row["score"] > before["score"]:
                sources[row["source"]] = row
    return sorted(sources.values(), key=lambda row: float(row["score"]), reverse=True)
