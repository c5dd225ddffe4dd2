"""Where processes of one edge find each other: a directory for Unix sockets that nobody else may enter.

It stands in the directory that the service manager made for the edge (RUNTIME_DIRECTORY, systemd.exec(5)), or else in
that for temporary files. A process that is killed leaves its directory behind; it held a lock there, which the kernel
let go of, and so the next one to start knows it for what it is, and removes it.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

VARIABLE: Final = "RUNTIME_DIRECTORY"
PREFIX: Final = "sbc-"
LOCK: Final = "lock"


class Directory:
    """One of this process."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        """Raises OSError."""
        base = Path(environ.get(VARIABLE, "").partition(":")[0] or tempfile.gettempdir())
        _sweep(base)
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        self._lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def close(self) -> None:
        """Remove it, with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _sweep(base: Path) -> None:
    """Remove those whose processes are gone."""
    for lock in base.glob(f"{PREFIX}*/{LOCK}"):
        with _left(lock) as left:
            if left:
                shutil.rmtree(lock.parent, ignore_errors=True)


@contextmanager
def _left(lock: Path) -> Iterator[bool]:
    """Whether this is a lock of ours that nobody holds."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:  # somebody else's, or removed in this very moment
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Root may open what others made: theirs are theirs to remove.
        yield os.fstat(descriptor).st_uid == os.geteuid()
    except OSError:
        yield False
    finally:
        os.close(descriptor)
