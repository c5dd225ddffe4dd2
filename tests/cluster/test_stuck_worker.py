"""A worker that hangs is killed, and another one started. Its supervisor is in this process, where it waits less."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from sbc.config import parse
from sbc.runtime.tasks import Tasks
from sbc.supervisor import process
from sbc.supervisor.process import State
from sbc.supervisor.supervisor import Supervisor
from tests.support.edge import free_port
from tests.support.nodes import STARTING
from tests.support.wait import wait_until

TEXT = """
edge: {{name: e, workers: 1, store: "memory:"}}
listeners: [{{name: plain, listen: "127.0.0.1:{port}", transports: [websocket]}}]
pools: {{p: {{nodes: [{{name: a, url: "http://127.0.0.1:1"}}]}}}}
agents: {{a: {{pool: p}}}}
routes: [{{agent: a}}]
"""


async def _no_admin() -> None:
    """Nobody asks."""


async def test_a_worker_that_hangs_is_killed_and_another_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "SILENCE", 2.0)
    monkeypatch.setattr(process, "ASKING", 0.2)
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    file = tmp_path / "sbc.yaml"
    file.write_text(TEXT.format(port=free_port()))
    async with Tasks() as tasks:
        config = parse(file.read_text(), str(file))
        supervisor = Supervisor(config, file.read_text(), bytes(32), tasks, {})
        try:
            await asyncio.wait_for(supervisor.start(_no_admin), STARTING)
            worker = supervisor.workers[0]
            before = worker.pid
            os.kill(before, signal.SIGSTOP)
            await wait_until(lambda: worker.restarts.total, "it is killed")
            assert worker.fate == "did not answer for 2 s, and was killed"
            await wait_until(lambda: worker.state is State.READY, "another one serves", STARTING)
            assert worker.pid != before
            assert len(os.listdir(tmp_path)) == 2, "the file, and the directory of sockets"
        finally:
            await supervisor.close()
    assert os.listdir(tmp_path) == ["sbc.yaml"]
