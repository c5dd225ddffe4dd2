"""The event scanner twice in one process: as plain Python, and compiled where that was built. Both pass the same
tests."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any, NamedTuple

from sbc.protocols import events, lines


class Twin(NamedTuple):
    """One build of protocols/events.py and of the functions below it."""

    name: str
    lines: Any
    events: Any

    def __repr__(self) -> str:
        return self.name


def _plain_events() -> Any:
    spec = importlib.util.spec_from_file_location("plain_events", Path(events.__file__).parent / "events.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _twins() -> list[Twin]:
    twins = [Twin("plain", lines, _plain_events())]
    if Path(events.__file__).suffix == ".so":
        twins.append(Twin("compiled", importlib.import_module("sbc.protocols._lines"), events))
    return twins


TWINS = _twins()
