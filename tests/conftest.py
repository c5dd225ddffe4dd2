"""What all tests share: a guard against stale compiled modules, and the scene for tests with real processes."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.disk import small_disk  # noqa: F401  a fixture is used by its name
from tests.support.redis import Redis
from tests.support.scene import Scene

SBC = Path(__file__).parents[1] / "sbc"

# How long one example takes says more of the machine than of the code.
settings.register_profile("unhurried", settings(), deadline=None)
settings.load_profile("unhurried")


def pytest_configure(config: pytest.Config) -> None:
    """Compiled modules older than their source would be tested in its place: refuse."""
    config.addinivalue_line("markers", "slow: needs minutes or extra installs; not run unless asked for")
    if os.environ.get("SBC_PURE") == "1":
        return
    for built in SBC.rglob("*.so"):
        source = built.with_name(built.name.partition(".")[0])
        for part in (source.with_suffix(suffix) for suffix in (".py", ".pyx", ".pxd")):
            if part.exists() and part.stat().st_mtime > built.stat().st_mtime:
                pytest.exit(f"{built.name} is older than {part.name}: run `make build` (or SBC_PURE=1)", returncode=3)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """An edge with nodes and clients, stopped by their pids when the test is over."""
    stage = Scene(tmp_path)
    yield stage
    await stage.close()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    """A server that counts as one that has been there for long."""
    server = Redis(tmp_path).start()
    server.seen_long_ago()
    yield server
    server.stop()
