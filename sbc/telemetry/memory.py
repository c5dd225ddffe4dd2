"""How much memory the process has, and how much it may have: the bound of its cgroup, or what the machine has."""

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
CGROUPS = Path("/sys/fs/cgroup")
PROC = Path("/proc/self")


def resident(proc: Path = PROC) -> int:
    """The bytes of memory that the process occupies; 0 where nobody says."""
    try:
        return int((proc / "statm").read_bytes().split()[1]) * PAGE
    except (OSError, ValueError, IndexError):
        return 0


@cache
def allowed(proc: Path = PROC, cgroups: Path = CGROUPS) -> int:
    """How many bytes the process can have before it is ended for it: the least of what its machine has and its cgroup
    and those above it allow."""
    bounds = [PAGE * os.sysconf("SC_PHYS_PAGES")]
    with suppress(OSError, ValueError):  # there is none, or it is in a form that nobody knows
        for line in (proc / "cgroup").read_text().splitlines():
            bounds += _bounds(line, cgroups)
    return min(bounds)


def _bounds(line: str, cgroups: Path) -> list[int]:
    """The bounds of one line of /proc/self/cgroup (cgroups(7)): hierarchy, controllers, path."""
    _, controllers, path = line.split(":", 2)
    if controllers == "":
        base, name = cgroups, "memory.max"  # version 2
    elif "memory" in controllers.split(","):
        base, name = cgroups / "memory", "memory.limit_in_bytes"
    else:
        return []
    own = base / path.lstrip("/")
    found = []
    for group in (own, *own.parents):
        with suppress(OSError, ValueError):  # "max", or a path of another cgroup namespace
            found.append(int((group / name).read_text()))
        if group == base:
            break
    return found
