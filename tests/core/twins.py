"""The relay path twice in one process: as plain Python, and compiled where that was built. Both pass the same tests."""

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from sbc.core import journal, octets, relay

CORE = Path(octets.__file__).parent


class Twin(NamedTuple):
    """One build of the relay path."""

    name: str
    octets: Any
    Journal: Any
    Relay: Any
    Tally: Any

    def __repr__(self) -> str:
        return self.name


def _plain(name: str, instead: Mapping[str, ModuleType]) -> ModuleType:
    """The module sbc.core.<name> from its .py, which is given `instead` of what it would import by those names."""
    spec = importlib.util.spec_from_file_location(f"plain_{name}", CORE / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    kept = {other: sys.modules[other] for other in instead}
    sys.modules.update(instead)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.modules.update(kept)
    return module


def _twins() -> list[Twin]:
    plain_journal = _plain("journal", {})
    plain_relay = _plain("relay", {"sbc.core.journal": plain_journal})
    twins = [Twin("plain", octets, plain_journal.Journal, plain_relay.Relay, plain_relay.Tally)]
    if Path(relay.__file__).suffix == ".so":
        built = importlib.import_module("sbc.core._octets")
        twins.append(Twin("compiled", built, journal.Journal, relay.Relay, relay.Tally))
    return twins


TWINS = _twins()
