"""HTTP/2 clients of others against the door: curl, nghttp and h2load, where they are installed."""

import asyncio
import shutil

import pytest

from tests.support.wait import PATIENCE
from tests.transports.desk import Desk, Door


async def run(*command: str) -> str:
    """What a program says. Skips the test without the program."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 0, output.decode()
    return output.decode()


@pytest.fixture(params=["ngh2", "h2"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_curl(engine: str) -> None:
    async with Door(Desk(), engine) as door:
        url = f"http://127.0.0.1:{door.port}"
        assert "hello" in await run("curl", "-sS", "-i", "--http2-prior-knowledge", f"{url}/hello")
        body = "x" * 100_000
        echoed = await run("curl", "-sS", "--http2-prior-knowledge", "-H", "Expect:", "-d", body,
                           f"{url}/echo")
        assert echoed == body


async def test_nghttp(engine: str) -> None:
    async with Door(Desk(), engine) as door:
        said = await run("nghttp", "-v", f"http://127.0.0.1:{door.port}/hello")
        assert ":status: 200" in said and "recv GOAWAY" not in said


async def test_h2load(engine: str) -> None:
    async with Door(Desk(), engine) as door:
        said = await run("h2load", "-n300", "-c3", "-m20", f"http://127.0.0.1:{door.port}/hello")
        assert "300 succeeded, 0 failed, 0 errored" in said
        assert not door.desk.abuses
