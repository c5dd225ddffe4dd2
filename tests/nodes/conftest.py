"""These tests run on the loop that the edge runs on; and what they share."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

from tests.nodes.exchanges import Asking


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def asking() -> AsyncIterator[Asking]:
    """A pool whose connections are closed after the test."""
    it = Asking()
    yield it
    await it.close()
