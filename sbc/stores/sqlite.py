"""The store in one SQLite file: dialogs survive the death of the edge, SIGKILL included (power cuts: stores/tables.py).

A batch of the queue (stores/queue.py) is one transaction of the writer thread (stores/writer.py). A disk that has room
for all but the messages gets the rest, and the messages are dropped at once: they must not keep new sessions waiting,
nor what was freed of a full disk from being used.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from sbc.model.interfaces import Stored
from sbc.stores.operations import Told
from sbc.stores.queue import Bounds
from sbc.stores.queued import QueuedStore
from sbc.stores.writer import Writer


class SqliteStore(QueuedStore):
    """See Store. `open` raises StoreError: in use by another edge, damaged, of a newer version, not to be written."""

    def __init__(self, path: Path, bounds: Bounds, beside: str = "") -> None:
        """beside: which process may have it open too; empty: none."""
        super().__init__(str(path), bounds)
        self._path = path
        self._beside = beside

    def _writer_for(self, opened: Told[Sequence[Stored]]) -> Writer:
        return Writer(self._path, self._beside, self._loop, opened, self._written, self._gone)

    @property
    def passed_on(self) -> str:
        """See Store. Two processes may write to the file; the lock beside it keeps off those that are not one edge."""
        return str(os.getpid())
