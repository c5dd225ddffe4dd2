"""Processes that a bench starts: each is stopped by its pid, and what each cost is read from the kernel.

CPU time is the process's own clock (`clock_getcpuclockid`): user and system time of all its threads, the same sum as
in /proc/PID/stat but in nanoseconds instead of ticks of 10 ms. Memory is smaps_rollup: RSS counts shared pages in full,
PSS in shares, USS not at all.
"""

import ctypes
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_CPUCLOCK_SCHED = 2

CORES = sorted(os.sched_getaffinity(0))
PROXY_CORES = frozenset(CORES[:1])
LOAD_CORES = frozenset(CORES[1:] or CORES)
ANY_CORE = frozenset(CORES)


class BenchError(Exception):
    """The bench cannot be run, or a run of it proves nothing. The message is for the person at the terminal."""


def raise_file_limit() -> None:
    """As many descriptors as this user may have: an idle session costs a proxy two."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def free_port() -> int:
    """A loopback TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def process_cpu(pid: int) -> float:
    """CPU seconds that a process and its living descendants have used."""
    return sum(time.clock_gettime((~one << 3) | _CPUCLOCK_SCHED) for one in family(pid))


def family(pid: int) -> list[int]:
    """A process and its living descendants."""
    found = [pid]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            found.extend(int(child) for child in children.read_text().split())
    return found


def process_memory(pid: int) -> dict[str, int]:
    """RSS, PSS and USS in bytes, of a process and its living descendants."""
    total = {"rss": 0, "pss": 0, "uss": 0}
    of = {"Rss:": "rss", "Pss:": "pss", "Private_Clean:": "uss", "Private_Dirty:": "uss"}
    for one in family(pid):
        for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
            key, *rest = line.split()
            if key in of:
                total[of[key]] += int(rest[0]) * 1024
    return total


class Child:
    """A process started by the bench. It dies with the bench, whatever becomes of that."""

    def __init__(self, name: str, argv: Sequence[str], log: Path, *, cores: frozenset[int],
                 env: Mapping[str, str] | None = None, talks: bool = False) -> None:
        self.name = name
        self.log = log
        self._log_file = log.open("wb")
        self._cores = cores
        self.process = subprocess.Popen(
            argv, env={**os.environ, **(env or {})}, stderr=self._log_file, start_new_session=True,
            stdin=subprocess.PIPE if talks else subprocess.DEVNULL, stdout=subprocess.PIPE if talks else self._log_file,
            preexec_fn=self._settle)  # noqa: PLW1509  the bench has no threads
        self.pid = self.process.pid

    def _settle(self) -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.sched_setaffinity(0, self._cores)

    def cpu(self) -> float:
        """CPU seconds used so far. Raises BenchError if the process is gone."""
        self.check()
        return process_cpu(self.pid)

    def memory(self) -> dict[str, int]:
        """RSS, PSS and USS in bytes."""
        self.check()
        return process_memory(self.pid)

    def check(self) -> None:
        """Raise BenchError, with the end of its log, if the process has ended by itself."""
        status = self.process.poll()
        if status is not None:
            raise BenchError(f"{self.name} ended with status {status}:\n{self.tail()}")

    def tail(self, lines: int = 12) -> str:
        """The last lines it wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def wait_listening(self, port: int, within: float = 20.0) -> None:
        """Wait until it accepts connections. Raises BenchError."""
        deadline = time.monotonic() + within
        while True:
            self.check()
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise BenchError(f"{self.name} does not listen on {port}:\n{self.tail()}") from None
                time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL, now."""
        os.kill(self.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL when that is not obeyed."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self._log_file.close()


class Worker(Child):
    """A Python module of bench/ in its own process, which answers each line of JSON with one."""

    def __init__(self, name: str, module: str, log: Path, *arguments: str,
                 env: Mapping[str, str] | None = None, cores: frozenset[int] = LOAD_CORES) -> None:
        super().__init__(name, [sys.executable, "-m", module, *arguments], log, cores=cores, env=env, talks=True)

    def ask(self, **question: Any) -> dict[str, Any]:
        """One question, one answer. Raises BenchError if the worker reports an error or ends."""
        self.check()
        stdin, stdout = self._pipes()
        stdin.write(json.dumps(question).encode() + b"\n")
        stdin.flush()
        return self.answer(stdout)

    def answer(self, stdout: IO[bytes] | None = None) -> dict[str, Any]:
        """The next answer."""
        line = (stdout or self._pipes()[1]).readline()
        if not line:
            self.process.wait(3)
            self.check()
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise BenchError(f"{self.name}: {answer['error']}")
        return answer

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        return self.process.stdin, self.process.stdout
