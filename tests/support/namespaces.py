"""Network namespaces, for tests that are skipped where there are none."""

import contextlib
import os
from collections.abc import Iterator
from typing import Protocol, TypeVar

import pytest


class Made(Protocol):
    """Something of namespaces."""

    def build(self) -> None:
        """Raises NetlinkError or OSError without the right to."""

    def tear_down(self) -> None:
        """Also what was built in part."""


T = TypeVar("T", bound=Made)


@contextlib.contextmanager
def built(made: T) -> Iterator[T]:
    """Build it, and tear it down. Skips the test where that cannot be done."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    try:
        made.build()
    except Exception as fault:
        made.tear_down()
        pytest.skip(f"no network namespaces here: {fault!r}")
    try:
        yield made
    finally:
        made.tear_down()
