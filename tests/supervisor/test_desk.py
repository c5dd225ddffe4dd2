"""What a worker is asked."""

import inspect
from typing import Any

from sbc.model.operations import Operations
from sbc.runtime.operations import EdgeOperations
from sbc.supervisor.desk import Desk

OF_THE_SUPERVISOR = {"reload", "config", "unready", "listen", "upgrade"}
"""What it answers by itself, or asks in words of its own."""


def test_it_answers_whatever_operators_may_ask() -> None:
    nothing: Any = None
    operations = object.__new__(EdgeOperations)  # it is not asked anything here
    asked = {name for name, _ in inspect.getmembers(Operations, inspect.isfunction) if not name.startswith("_")}
    assert asked - OF_THE_SUPERVISOR <= set(Desk(nothing, operations, nothing, nothing, nothing, nothing).questions)
