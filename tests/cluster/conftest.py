"""What the tests of several edges share."""

from collections.abc import AsyncIterator

import pytest

from tests.support.edge import Edge
from tests.support.scene import Scene


@pytest.fixture
async def other(scene: Scene) -> AsyncIterator[Edge]:
    """The edge beside that of the scene."""
    directory = scene.directory / "other"
    directory.mkdir()
    edge = Edge(directory)
    yield edge
    edge.kill()
    print(f"---- other edge\n{edge.log()[-8000:]}")
