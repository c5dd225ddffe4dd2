"""An edge written by hand, and a node to join it."""

from collections.abc import AsyncIterator

import pytest

from sbc.sdk import Node
from tests.sdk.edge import Edge, listening


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    async with listening() as edge:
        yield edge


@pytest.fixture
def node(edge: Edge) -> Node:
    return Node(edge.trunk_url, pool="p", name="a", url="http://127.0.0.1:9001", zone="z1", capacity=3,
                labels={"gpu": "h100"}, drain_for=0.0)
