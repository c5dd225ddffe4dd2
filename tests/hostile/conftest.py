"""One edge for all hostile tests, for it must withstand them all in a row; each is judged on an honest client too."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.hostile.quic_ground import QuicGround
from tests.support.clients import Talker
from tests.support.scene import Scene
from tests.support.stubs import StubNode, accepted

LIMITS = {"message": "64KiB", "head": "8KiB", "headers": 50, "head_timeout": "1s", "sessions_per_principal": 100000}


async def remember(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A node that accepts every leg and says nothing."""
    writer.write(accepted(head))
    while await reader.read(65536):
        pass


class Ground(Scene):
    """The scene, with a second route `/stub` to a node of bare bytes that keeps the heads it is sent."""

    stub: StubNode


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    """An edge with a plain node behind `/` and the stub behind `/stub`."""
    stage = Ground(tmp_path_factory.mktemp("hostile"))
    stage.stub = StubNode(remember)
    await stage.stub.start()
    stage.plain("a")
    await stage.open({
        "policies": {"default": {"limits": LIMITS}},
        "pools": {"stubs": {"nodes": [{"name": "stub", "url": f"http://127.0.0.1:{stage.stub.port}"}]}},
        "agents": {"stub": {"pool": "stubs", "migration": {"hold": "1s"}}},
        "routes": [{"match": {"path": "/"}, "agent": "tutor", "protocol": "opaque", "policy": "default"},
                   {"match": {"path": "/stub"}, "agent": "stub", "protocol": "opaque", "policy": "default"}],
    })
    yield stage
    await stage.stub.stop()
    await stage.close()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def witness(ground: Ground) -> Talker:
    """An honest client that is there from the first test to the last."""
    return await ground.client()


@pytest_asyncio.fixture(loop_scope="session")
async def edge(ground: Ground, witness: Talker) -> AsyncIterator[Ground]:
    """The ground, and after the test the proof that it still stands: the witness is served, nothing was thrown."""
    yield ground
    await witness.say()
    await witness.answered()
    assert "Traceback" not in ground.edge.log(), ground.edge.log()


@pytest_asyncio.fixture(scope="package", loop_scope="session", params=["qh3", "aioquic"])
async def quic(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> AsyncIterator[QuicGround]:
    """An edge that serves HTTP/3 by one engine, for all attacks in a row."""
    stage = QuicGround(tmp_path_factory.mktemp("quic"))
    try:
        await stage.begin(request.param)
        yield stage
    finally:
        await stage.close()
