"""Node processes, seen from a test: start, signals, and the history that they leave behind."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support import history
from tests.support.nursery import Forked, start
from tests.support.wait import STARTING, wait_until


class NodeProcess:
    """A node as a process of its own: by default tests.support.node_plain or node_trunk. `knobs` become its options."""

    def __init__(self, directory: Path, name: str, port: int, *, edge: str | None, module: str = "",
                 **knobs: Any) -> None:
        self.name, self.port, self.zone = name, port, str(knobs.get("zone", ""))
        self.has_trunk = edge is not None
        self.path = directory / f"{name}.jsonl"
        self.log = directory / f"{name}.log"
        module = module or ("node_trunk" if edge else "node_plain")
        self._command = [sys.executable, "-m", f"tests.support.{module}", "--name", name, "--port", str(port),
                         "--history", str(self.path)]
        if edge:
            knobs["edge"] = edge
        else:
            knobs.pop("zone", None)  # a plain node has no say in where it is: that is the configuration's
        for option, value in knobs.items():
            self._command += [f"--{option.replace('_', '-')}", str(value)]
        self._process: subprocess.Popen[bytes] | Forked | None = None

    def start(self) -> None:
        """Start it, the first time or again, without waiting."""
        self._process = start(self._command, self.log)

    async def serving(self) -> None:
        """Wait until it accepts connections."""
        await wait_until(self._accepts, f"node {self.name} serves: {self.log.read_text()[-2000:]}", STARTING)

    async def _accepts(self) -> bool:
        assert self._process is not None and self._process.poll() is None, self.log.read_text()[-2000:]
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """SIGSTOP, SIGCONT; SIGUSR1 (a trunk node asks to be drained), SIGUSR2 (it breaks its trunk)."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone. Harmless if it is gone already."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """SIGTERM; SIGKILL if that is not enough."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self.kill()

    def history(self, what: str | None = None) -> list[dict[str, Any]]:
        """What it has recorded so far, of one kind or all."""
        return [fact for fact in history.read(self.path) if what in (None, fact["what"])]

    def numbers(self, session: str | None = None) -> list[int]:
        """The `n` of the client messages that it was sent, in order."""
        return [fact["n"] for fact in self.history("heard") if "n" in fact and session in (None, fact["session"])]
