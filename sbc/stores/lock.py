"""The lock beside the file of the SQLite store: other edges would take our dialogs for their own at their start.

An edge and its successor (runtime/succession) are one edge: the successor goes on beside the process that has the lock,
and takes it once that one has ended.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType

from sbc.model.errors import StoreError


class Lock:
    """Of one file, from `with` to its end, or that of the process."""

    def __init__(self, path: Path, beside: str) -> None:
        """beside: which process may have it meanwhile; empty: none."""
        self._path = path
        self._beside = beside
        self._descriptor = -1
        self.held = False
        """Whether no other process has it."""

    def __enter__(self) -> None:
        """Raises StoreError: another edge has it, or it cannot be made."""
        lock = self._path.with_name(self._path.name + ".lock")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except (OSError, ValueError) as error:
            raise StoreError(f"{self._path}: {error}") from None
        try:
            if self._take():
                return
            owner = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip()
        except OSError as error:
            os.close(self._descriptor)
            raise StoreError(f"{self._path}: {error}") from None
        if not self._beside or owner != self._beside:
            os.close(self._descriptor)
            raise StoreError(f"{self._path}: in use by another edge (process {owner or 'unknown'})")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        os.close(self._descriptor)

    def settle(self) -> None:
        """Take it, if the process beside which it was opened has ended meanwhile."""
        if not self.held:
            self._take()

    def _take(self) -> bool:
        """Whether it is ours. Raises OSError."""
        try:
            # The kernel lets go of it with the process, however that ends.
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        self.held = True
        return True
