"""Processes of Python that need not load what they run: each is a fork of one that has loaded the edge and the nodes.

Loading is most of what a test with real processes costs. A fork runs the same `python -m MODULE` from its first line
on, with its own arguments, environment and outputs, and ends as any process does. What it does not show is that its
modules can be loaded: that is shown where edges start workers and successors, and by tests/cli.

    python -m tests.support.nursery FD      the one that is forked; it is asked over a socket, and ends with it
"""

import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LOADED = ("sbc.app", "sbc.cli.main", "tests.support.node_plain", "tests.support.node_trunk", "tests.support.node_http")
LONGEST = 1 << 20
"""Bytes of a question: an environment is in it."""


class Forked:
    """What tests need of subprocess.Popen."""

    def __init__(self, nursery: "Nursery", pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._nursery = nursery

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._nursery.asked({"ended": self.pid})
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        if self.poll() is None:
            watch = os.pidfd_open(self.pid)  # it is no more reused than reaped, and only `poll` has it reaped
            try:
                if not select.select([watch], [], [], timeout)[0]:
                    raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            finally:
                os.close(watch)
            while self.poll() is None:
                time.sleep(0.001)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Nursery:
    """The process that is forked, as those that start others see it."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._one = threading.Lock()
        for line in (self._line, theirs):
            line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LONGEST)
        with theirs:
            self._process = subprocess.Popen([sys.executable, "-m", __name__, str(theirs.fileno())], cwd=ROOT,
                                             stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()],
                                             env={**os.environ, "PYTHONUNBUFFERED": "1"})

    def start(self, module: str, arguments: Sequence[str], log: int) -> Forked:
        return Forked(self, self.asked({"run": [module, *arguments], "environment": dict(os.environ)}, log))

    def asked(self, question: dict[str, Any], *files: int) -> Any:
        with self._one:
            socket.send_fds(self._line, [json.dumps(question).encode()], files)
            answer = self._line.recv(LONGEST)
        assert answer, f"the nursery has ended: {self._process.wait()}"
        return json.loads(answer)


def _network() -> str:
    """The network namespace of this thread."""
    return os.readlink("/proc/thread-self/ns/net")


HOME = _network()
"""Where the nursery is: what is to be in another namespace is no fork of its."""
_nursery: Nursery | None = None


def start(command: Sequence[str], log: Path) -> "subprocess.Popen[bytes] | Forked":
    """Start a process in the folder of the project, with both its outputs at the end of a file."""
    global _nursery  # noqa: PLW0603  (one for all tests of this process)
    with log.open("ab") as said:
        if list(command[:2]) == [sys.executable, "-m"] and _network() == HOME:
            _nursery = _nursery or Nursery()
            return _nursery.start(command[2], command[3:], said.fileno())
        return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=said, stderr=said)


def serve(line: socket.socket) -> list[str]:
    """Fork, and say what became of the forks; in a fork: what it is to run."""
    while True:
        said, files, *_ = socket.recv_fds(line, LONGEST, 1)
        if not said:
            os._exit(0)
        question = json.loads(said)
        if "ended" in question:
            pid, status = os.waitpid(question["ended"], os.WNOHANG)
            line.send(json.dumps(os.waitstatus_to_exitcode(status) if pid else None).encode())
            continue
        child = os.fork()
        if not child:
            line.close()
            for output in (1, 2):
                os.dup2(files[0], output)
            os.close(files[0])
            os.environ.clear()
            os.environ.update(question["environment"])
            return list(question["run"])
        os.close(files[0])
        line.send(json.dumps(child).encode())


def main() -> None:
    """Load, serve, and be what was asked for."""
    for module in LOADED:
        __import__(module)
    gc.collect()
    gc.freeze()
    module, *arguments = serve(socket.socket(fileno=int(sys.argv[1])))
    sys.argv[1:] = arguments
    sys.modules.pop(module, None)  # loaded for what it imports; it is run as the program now
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
