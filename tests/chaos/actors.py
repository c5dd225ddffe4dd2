"""The processes on the hosts: how each is started, and the signals that it gets."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from sbc.runtime.succession.process import VARIABLE
from tests.chaos.edges import AUTHORITY, SECRET, Setting, certify, edge
from tests.chaos.net import SHARED, Net
from tests.support.redis import SENTINEL, SERVER


class Actor:
    """What runs on one host, which may be started many times: a process, and those that it has started.

    An edge that is upgraded ends when another process has taken its place, which is the actor's process from then on.
    """

    def __init__(self, net: Net, host: str, command: list[str], log: Path) -> None:
        self.host = host
        self.log = log
        self._net = net
        self._command = command
        self._processes: list[subprocess.Popen[bytes]] = []
        """All that were started here; each is the first of a session of its own."""
        self._heirs: list[int] = []

    def start(self) -> None:
        self._processes.append(self._net.start(self.host, self._command, self.log))
        self._heirs.clear()

    @property
    def pids(self) -> list[int]:
        """Its processes, the eldest first: more than one only while one takes the place of another."""
        first = [one.pid for one in self._processes[-1:] if one.poll() is None]
        for pid in first + self._heirs:
            self._heirs += [child for child in children(pid) if child not in self._heirs and inherits(child)]
        return first + [heir for heir in self._heirs if alive(heir)]

    @property
    def workers(self) -> list[int]:
        """What its latest process has started."""
        pids = self.pids
        return [child for child in children(pids[-1]) if child not in pids] if pids else []

    @property
    def runs(self) -> bool:
        return bool(self.pids)

    def signal(self, number: signal.Signals) -> None:
        """Harmless if it has ended."""
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        for process in self._processes[-1:]:
            process.wait()

    def sweep(self) -> None:
        """End all that it ever started, and that they started."""
        ours = {process.pid for process in self._processes}
        for pid in (int(place.name) for place in Path("/proc").iterdir() if place.name.isdigit()):
            with contextlib.suppress(ProcessLookupError):
                if os.getsid(pid) in ours:
                    os.kill(pid, signal.SIGKILL)
        for process in self._processes[-1:]:
            process.wait()

    def waited(self) -> float:
        """For how many seconds its processes were ready to run, and had no processor."""
        return sum(map(waited, self.pids + self.workers))

    def resident(self) -> int:
        """Bytes of memory of whichever of its processes has most; 0 if it does not run."""
        return max((resident(pid) for pid in self.pids + self.workers), default=0)


def alive(pid: int) -> bool:
    """Whether a process is there, which may be nobody's child."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def inherits(pid: int) -> bool:
    """Whether a process was started to take the place of another."""
    try:
        return f"{VARIABLE}=".encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def waited(pid: int) -> float:
    """Seconds."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def resident(pid: int) -> int:
    """Bytes of memory."""
    try:
        words = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:
        return 0
    return int(words[1]) * 4096 if len(words) > 1 else 0


def actors(net: Net, setting: Setting) -> dict[str, Actor]:
    """All of them, by their hosts, none started yet; the warden of an edge has `.warden` behind the name."""
    certify(net, setting)
    place, cast, at = setting.place, setting.cast, net.hosts
    python = [sys.executable, "-m"]
    made = stores(net, setting) | {
        host: [*python, "sbc", "run", "-c", edge(host, net, setting)] for host in cast.edges}
    if cast.floats:
        made |= {f"{host}.warden": [*python, "sbc", "kernel", "--socket", str(place / host / "kernel.sock")]
                 for host in cast.edges}
    trunks = [f"--edge=ws://{at[host]}:9071/trunk" for host in cast.edges]
    for host in cast.nodes:
        made[host] = [*python, "tests.chaos.node", "--name", host, "--address", at[host], "--secret", SECRET,
                      "--history", str(place / f"{host}.jsonl"), *trunks]
    for host in cast.plain:
        made[host] = [*python, "tests.support.node_plain", "--name", host, "--host", "0.0.0.0", "--port", "9000",
                      "--history", str(place / f"{host}.jsonl")]
    for number, host in enumerate(cast.clients):
        made[host] = [*python, "tests.chaos.clients", "--name", host, "--history", str(place / f"{host}.jsonl"),
                      "--seed", str(setting.seed * 10 + number), *(["--stay"] if setting.stay else []),
                      "--ca", str(place / AUTHORITY),
                      *(f"--edge={door}" for door in ([SHARED] if cast.floats else [at[one] for one in cast.edges]))]
    return {name: Actor(net, name.partition(".")[0], command, place / f"{name}.log") for name, command in made.items()}


def stores(net: Net, setting: Setting) -> dict[str, list[str]]:
    """The commands of Redis and its Sentinels."""
    made: dict[str, list[str]] = {}
    place, cast, at = setting.place, setting.cast, net.hosts
    first = cast.redis[0]
    for host in cast.redis:
        lines = ["port 6379", "bind 0.0.0.0", "protected-mode no", "repl-ping-replica-period 1", "repl-timeout 5",
                 'save ""', "repl-diskless-sync-delay 0", f"dir {place / host}"]
        if cast.clustered:
            lines += ["cluster-enabled yes", "cluster-node-timeout 1500", "cluster-replica-validity-factor 0"]
        elif host != first:
            lines += [f"replicaof {at[first]} 6379"]
        made[host] = [SERVER or "redis-server", _written(place / host, "redis.conf", "\n".join(lines) + "\n")]
    for host in cast.sentinels:
        made[host] = [SENTINEL or "redis-sentinel", _written(place / host, "sentinel.conf", (
            f"port 26379\nbind 0.0.0.0\nprotected-mode no\ndir {place / host}\n"
            f"sentinel monitor main {at[first]} 6379 {len(cast.sentinels) // 2 + 1}\n"
            f"sentinel down-after-milliseconds main 1500\nsentinel failover-timeout main 6000\n"))]
    return made


def _written(place: Path, name: str, text: str) -> str:
    place.mkdir()
    (place / name).write_text(text)
    return str(place / name)
