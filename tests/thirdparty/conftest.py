"""The stage of the tests with the official MCP SDK: its processes are started once for all of them."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.thirdparty.mcp_stage import Stage, configuration


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def opened_stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Two nodes and an edge."""
    stage = Stage(tmp_path_factory.mktemp("mcp"))
    stage.plain("a", "b", module="node_mcp")
    try:
        await stage.open(configuration(stage.edge.port))
        yield stage
    finally:
        await stage.close()


@pytest_asyncio.fixture(loop_scope="package")
async def stage(opened_stage: Stage) -> Stage:
    """The stage with both nodes up, whatever the test before did."""
    await opened_stage.whole()
    return opened_stage
