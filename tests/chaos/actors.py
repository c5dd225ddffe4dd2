"""The processes on the hosts: how each is started, and the signals that it gets."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import trustme
import yaml

from tests.chaos.faults import Cast
from tests.chaos.net import Net
from tests.support.redis import SENTINEL, SERVER

SECRET = "of-the-trunk"
HOLD = "120s"


class Actor:
    """One process of one host, which may be started many times."""

    def __init__(self, net: Net, host: str, command: list[str], place: Path) -> None:
        self.host = host
        self.log = place / f"{host}.log"
        self._net = net
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self.stopped = False

    def start(self) -> None:
        self._process = self._net.start(self.host, self._command, self.log)
        self.stopped = False

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Harmless if it has ended."""
        if self.runs:
            assert self._process is not None
            self._process.send_signal(number)
            self.stopped = number is signal.SIGSTOP or (self.stopped and number is not signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def resident(self) -> int:
        """Bytes of memory; 0 if it does not run."""
        try:
            words = Path(f"/proc/{self.pid}/statm").read_text().split()
        except (OSError, AssertionError):
            return 0
        return int(words[1]) * 4096 if len(words) > 1 else 0


def actors(net: Net, cast: Cast, place: Path, seed: int, lease: str, stay: bool) -> dict[str, Actor]:
    """All of them, none started yet. stay: clients leave no edge by themselves."""
    made: dict[str, list[str]] = {}
    python, at = [sys.executable, "-m"], net.hosts
    (place / "seal.key").write_text("5e" * 32)
    (place / "trunk.secret").write_text(SECRET)
    for host in cast.redis:
        master = "" if host == cast.redis[0] else f"replicaof {at[cast.redis[0]]} 6379\n"
        made[host] = [SERVER or "redis-server", _written(place / host, "redis.conf", (
            f"port 6379\nbind 0.0.0.0\nprotected-mode no\nrepl-ping-replica-period 1\nrepl-timeout 5\nsave \"\"\n"
            f"repl-diskless-sync-delay 0\ndir {place / host}\n{master}"))]
    for host in cast.sentinels:
        made[host] = [SENTINEL or "redis-sentinel", _written(place / host, "sentinel.conf", (
            f"port 26379\nbind 0.0.0.0\nprotected-mode no\ndir {place / host}\n"
            f"sentinel monitor main {at[cast.redis[0]]} 6379 {len(cast.sentinels) // 2 + 1}\n"
            f"sentinel down-after-milliseconds main 1500\nsentinel failover-timeout main 6000\n"))]
    # With every other seed requests go to the edge that has their session, instead of claiming it.
    authority = trustme.CA() if seed % 2 else None
    for host in cast.edges:
        tree = edge(host, net, cast, place, lease)
        if authority is not None:
            tree["edge"]["interconnect"] = interconnect(at[host], place / f"{host}.pem", authority)
        file = _written(place / host, "sbc.yaml", yaml.safe_dump(tree))
        made[host] = [*python, "sbc", "run", "-c", file]
    trunks = [f"--edge=ws://{at[host]}:9071/trunk" for host in cast.edges]
    for host in cast.nodes:
        made[host] = [*python, "tests.chaos.node", "--name", host, "--address", at[host], "--secret", SECRET,
                      "--history", str(place / f"{host}.jsonl"), *trunks]
    for host in cast.plain:
        made[host] = [*python, "tests.support.node_plain", "--name", host, "--host", "0.0.0.0", "--port", "9000",
                      "--history", str(place / f"{host}.jsonl")]
    for number, host in enumerate(cast.clients):
        made[host] = [*python, "tests.chaos.clients", "--name", host, "--history", str(place / f"{host}.jsonl"),
                      "--seed", str(seed * 10 + number), *(["--stay"] if stay else []),
                      *(f"--edge={at[edge]}" for edge in cast.edges)]
    return {host: Actor(net, host, command, place) for host, command in made.items()}


def interconnect(address: str, file: Path, authority: trustme.CA) -> dict[str, Any]:
    """How other edges reach this one."""
    authority.issue_cert(address).private_key_and_cert_chain_pem.write_to_path(str(file))
    trusted = file.with_name("edges.pem")
    authority.cert_pem.write_to_path(str(trusted))
    return {"listen": "0.0.0.0:9072", "advertise": f"{address}:9072",
            "tls": {"cert": str(file), "key": str(file), "ca": str(trusted)}}


def _written(place: Path, name: str, text: str) -> str:
    place.mkdir()
    (place / name).write_text(text)
    return str(place / name)


def edge(host: str, net: Net, cast: Cast, place: Path, lease: str) -> dict[str, Any]:
    """The configuration of an edge."""
    at = net.hosts
    if cast.sentinels:
        store = "redis+sentinel://" + ",".join(f"{at[one]}:26379" for one in cast.sentinels) + "/main"
    else:
        store = f"redis://{at[cast.redis[0]]}:6379"
    listed = [{"name": one, "url": f"http://{at[one]}:9000"} for one in cast.plain]
    quick = {"path": "/healthz", "every": "300ms", "timeout": "300ms", "fall": 2, "rise": 1}
    migration = {"hold": HOLD, "deadline": "2s"}
    paths = {"/continue": "continue", "/regenerate": "regenerate", "/plain": "plain", "/ask": "ask"}
    return {
        "edge": {"name": host, "store": store, "redis": {"lease": lease, "patience": "500ms"},
                 "seal_keys": [{"id": "k1", "file": str(place / "seal.key")}],
                 "records": str(place / host / "records.jsonl")},
        "admin": {"listen": "0.0.0.0:9070"},
        "trunk": {"listen": "0.0.0.0:9071", "secret_file": str(place / "trunk.secret"),
                  "advertise": f"ws://{at[host]}:9071/trunk"},
        "listeners": [{"name": "plain", "listen": "0.0.0.0:8080", "transports": ["http1", "http2", "websocket"]}],
        "pools": {"tutors": {"nodes": []}, "plains": {"nodes": listed, "probe": quick}},
        "agents": {
            "continue": {"pool": "tutors", "migration": migration},
            "regenerate": {"pool": "tutors", "migration": migration | {"output": "regenerate", "standby": "warm"},
                           "durability": "sync"},
            "plain": {"pool": "plains", "migration": migration},
            "ask": {"pool": "tutors", "migration": migration, "durability": "sync"},
        },
        "policies": {"default": {"limits": {"sessions_per_principal": 10_000, "ping": "2s"}}},
        "abuse": {"refuse": None},
        "routes": [{"match": {"path": path}, "agent": agent, "policy": "default",
                    **({"protocol": "sse", "session": {"header": "X-Chat"}} if path == "/ask"
                       else {"protocol": "opaque"})} for path, agent in paths.items()],
    }


