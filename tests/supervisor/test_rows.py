"""Rows of several workers made one."""

from typing import Any

from sbc.supervisor.rows import abuse_rows, node_rows


def row(name: str, sessions: int, elsewhere: int, **more: Any) -> dict[str, Any]:
    return {"node": name, "state": "up", "sessions": sessions, "elsewhere": elsewhere, "capacity": 10, "load": 0.0,
            "trunk": True, "slow": False} | more  # fmt: skip


def test_what_another_worker_has_is_not_elsewhere() -> None:
    rows = node_rows([[row("b", 1, 0), row("a", 2, 4)], [row("a", 3, 3)], [row("a", 1, 5, state="draining")]])
    assert [(one["node"], one["sessions"], one["elsewhere"], one["capacity"]) for one in rows] == [
        ("a", 6, 0, 10), ("b", 1, 0, 10)]
    assert rows[0]["state"] == "draining" and rows[0]["load"] == 0.6
    assert node_rows([[row("a", 2, 6)], [row("a", 3, 5)]])[0]["elsewhere"] == 3


def test_a_heartbeat_that_is_late_takes_nothing_away() -> None:
    assert node_rows([[row("a", 2, 0)], [row("a", 3, 0)]])[0]["elsewhere"] == 0


def test_a_node_stands_as_the_worker_has_it_that_thinks_least_of_it() -> None:
    one = node_rows([[row("a", 0, 0, trunk=False, slow=True)], [row("a", 0, 0, state="down")]])[0]
    assert one["state"] == "down" and not one["trunk"] and one["slow"]


def test_a_source_is_told_once_the_worst_first() -> None:
    rows = abuse_rows([[{"source": "x", "score": 5}], [{"source": "x", "score": 9}, {"source": "y", "score": 7}]])
    assert [(one["source"], one["score"]) for one in rows] == [("x", 9), ("y", 7)]
