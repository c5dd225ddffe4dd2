"""These tests run on the loop that the edge runs on."""

from tests.wire.conftest import pytest_asyncio_loop_factories

__all__ = ["pytest_asyncio_loop_factories"]
