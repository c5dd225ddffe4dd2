"""What the kernel says of memory, as files of it."""

import os
from pathlib import Path

import pytest

from sbc.telemetry.memory import PAGE, allowed, resident

MACHINE = PAGE * os.sysconf("SC_PHYS_PAGES")


def world(at: Path, cgroup: str, bounds: dict[str, str]) -> tuple[Path, Path]:
    """A /proc/self and a /sys/fs/cgroup with these files."""
    proc, groups = at / "proc", at / "cgroup"
    proc.mkdir()
    (proc / "cgroup").write_text(cgroup)
    for name, text in bounds.items():
        (groups / name).parent.mkdir(parents=True, exist_ok=True)
        (groups / name).write_text(text)
    return proc, groups


@pytest.mark.parametrize(("cgroup", "bounds", "expected"), [
    ("0::/a/b\n", {"a/b/memory.max": "1000\n"}, 1000),
    ("0::/a/b\n", {"a/b/memory.max": "max\n", "a/memory.max": "2000\n"}, 2000),
    ("0::/a/b\n", {"a/b/memory.max": "3000\n", "a/memory.max": "2000\n"}, 2000),
    ("0::/\n", {"memory.max": "500\n"}, 500),
    ("0::/../other\n", {"memory.max": "500\n"}, 500),
    ("4:cpu,memory:/x\n0::/\n", {"memory/x/memory.limit_in_bytes": "700\n"}, 700),
    ("4:memory:/x\n", {"memory/memory.limit_in_bytes": "800\n"}, 800),
    ("4:cpu:/x\n", {"cpu/x/memory.limit_in_bytes": "900\n"}, MACHINE),
    ("4:memory:/x\n", {"memory/x/memory.limit_in_bytes": "9223372036854771712\n"}, MACHINE),
    ("nothing that is known\n", {}, MACHINE),
])  # fmt: skip
def test_the_least_bound_counts(tmp_path: Path, cgroup: str, bounds: dict[str, str], expected: int) -> None:
    assert allowed(*world(tmp_path, cgroup, bounds)) == expected


def test_without_any_files_it_is_the_machine_s(tmp_path: Path) -> None:
    assert allowed(tmp_path / "none", tmp_path) == MACHINE
    assert resident(tmp_path) == 0


def test_this_process_takes_some() -> None:
    assert 1 << 20 < resident() < MACHINE
