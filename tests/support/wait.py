"""Waiting for a condition with a deadline: the tests never sleep for a fixed time and hope."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 30.0
"""Seconds that anything may take on a slow and busy machine before a test calls it broken."""
STARTING = 90.0
"""How long a process may take to start, in s: some import an SDK of thousands of modules, side by side."""


async def wait_until(condition: Callable[[], T | Awaitable[T]], what: str, patience: float = PATIENCE) -> T:
    """What `condition` gives, as soon as that is true. `what` names it. Raises AssertionError after `patience` s."""
    deadline = time.monotonic() + patience
    pause = 0.005
    while True:
        outcome = condition()
        value: T = await outcome if inspect.isawaitable(outcome) else outcome  # type: ignore[assignment]
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience:g} s: {what} (last: {value!r})")
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.05)


async def settled(number: Callable[[], int], quiet: float, patience: float = PATIENCE) -> int:
    """A number that did not change for `quiet` seconds. Raises AssertionError after `patience` s."""
    deadline = time.monotonic() + patience
    last = -1
    while last != number():
        if time.monotonic() > deadline:
            raise AssertionError(f"not still within {patience:g} s (last: {last})")
        last = number()
        await asyncio.sleep(quiet)
    return last
