"""Looking things up in the plain tree of a configuration, of which nothing is taken for granted."""

from typing import Any

from sbc.config.faults import Path
from sbc.config.tree import Tree

ALWAYS_THERE = "default"
"""The policy that exists without being written."""


def get(value: Any, *steps: str) -> Any:
    """What stands under these keys; None if there is nothing, or something else on the way."""
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def entries(tree: Tree, *path: str) -> list[tuple[Path, Any]]:
    """The entries of a list or a mapping, with their paths; nothing if it is neither."""
    match get(tree.value, *path):
        case dict() as mapping:
            return [((*path, key), entry) for key, entry in mapping.items()]
        case list() as listed:
            return [((*path, number), entry) for number, entry in enumerate(listed)]
        case _:
            return []


def is_number(value: Any) -> bool:
    """A truth value is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)
