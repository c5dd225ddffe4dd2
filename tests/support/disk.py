"""A disk so small that it can be filled: a tmpfs, where root may mount one."""

import errno
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    mounting = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "sbc-test", str(place)],
                              capture_output=True, text=True, check=False)
    if mounting.returncode != 0:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounting.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def occupy(place: Path) -> Path:
    """Fill a file system to its last byte."""
    ballast = place / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError as error:
                assert error.errno == errno.ENOSPC
    return ballast
