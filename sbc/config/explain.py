"""What pydantic found wrong -> faults with their places, in the words of an operator."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sbc.config.faults import Fault, Missing, Path, Wrong, fault, one_of
from sbc.config.schema import json_schema
from sbc.config.tree import Tree

_KEY = "[key]"
"""What pydantic puts behind the path of a mapping's entry when it is the key that is wrong."""


def explain(error: ValidationError, tree: Tree) -> list[Fault]:
    """A fault for each thing that validation found."""
    return [_fault(detail, tree) for detail in error.errors(include_url=False)]


def _fault(detail: ErrorDetails, tree: Tree) -> Fault:
    path: Path = tuple(detail["loc"])
    if path[-1:] == (_KEY,) and path not in tree.values:
        path = path[:-1]
        return fault(tree.key_position(path), path, *_verdict(detail, path), got=detail["input"])
    if detail["type"] == "extra_forbidden":
        return fault(tree.key_position(path), path, "unknown key", one_of(str(path[-1]), known_keys(path[:-1])))
    got = Missing if detail["type"] in {"missing", "too_short", "too_long"} else detail["input"]
    return fault(tree.position(path), path, *_verdict(detail, path), got=got)


def _verdict(detail: ErrorDetails, path: Path) -> tuple[str, str]:
    """What is wrong, and what would be right."""
    bounds = detail.get("ctx", {})
    match detail["type"]:
        case "value_error" if isinstance(wrong := bounds.get("error"), Wrong):
            return wrong.what, wrong.right
        case "missing":
            return "missing", _written(path)
        case "bool_type":
            return "neither true nor false", "true or false, without quotes"
        case "list_type":
            return "not a list", 'entries in [ ], or on lines of their own that begin with "- "'
        case "dict_type" | "model_type":
            keys = ": " + ", ".join(known_keys(path)) if known_keys(path) else ""
            return "not a mapping", f"keys with values{keys}" + ("" if _at(path).get("required") else "; {} for none")
        case "too_short":
            return "too few entries", f"at least {bounds.get('min_length')}"
        case "too_long":
            return "too many entries", f"at most {bounds.get('max_length')}"
        case _:
            return detail["msg"], "see docs/CONFIGURATION.md"


def _written(path: Path) -> str:
    """How a key that is missing would be written."""
    schema = _at(path)
    example = (schema.get("examples") or schema.get("enum") or ["..."])[0]
    match schema.get("type"):
        case "array":
            return f'write "{path[-1]}:" and its entries'
        case "object":
            return f'write "{path[-1]}:" and what it holds'
        case _:
            return f'write "{path[-1]}: {example}"'


def known_keys(path: Path) -> list[str]:
    """The keys that a section may have; none if it is no section, or may have any."""
    return list(_at(path).get("properties", {}))


@cache
def _schema() -> Mapping[str, Any]:
    return json_schema()


def _at(path: Path) -> Mapping[str, Any]:
    """The part of the JSON Schema that speaks of this place; empty if none does."""
    here = _resolved(_schema())
    for step in path:
        if isinstance(step, int):
            here = _resolved(here.get("items", {}))
        elif step in here.get("properties", {}):
            here = _resolved(here["properties"][step])
        else:
            here = _resolved(next(iter(here.get("patternProperties", {}).values()), {}))
    return here


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without the reference, and without the null that stands beside it."""
    for option in schema.get("anyOf", ()):
        if option.get("type") != "null":
            return _resolved(option)
    if "$ref" in schema:
        found: Mapping[str, Any] = _schema()["$defs"][schema["$ref"].rpartition("/")[2]]
        return found
    return schema
