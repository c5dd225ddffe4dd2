"""The thread of the SQLite store: it owns the connection and the lock, and carries out one batch at a time.

Jobs come over a queue; what became of them goes back to the event loop by `call_soon_threadsafe`.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from sbc.model.errors import StoreError
from sbc.model.interfaces import Stored
from sbc.stores.lock import Lock
from sbc.stores.operations import Keep, Operation, ReadDialogs, Result, Told
from sbc.stores.tables import Tables

BUSY_TIMEOUT: Final = 0.25
"""Seconds to wait for an operator's tool that is writing to the file."""


class Writer:
    """Opens the database in a thread and tells `opened`; then tells `written` of each batch, and at last `closed`."""

    def __init__(self, path: Path, beside: str, loop: asyncio.AbstractEventLoop, opened: Told[Sequence[Stored]],
                 written: Told[Sequence[Result]], closed: Callable[[], None]) -> None:
        """beside: which process may have the file too; empty: none."""
        self._path = path
        self._lock = Lock(path, beside)
        self._loop = loop
        self._opened = opened
        self._written = written
        self._closed = closed
        self._faulty = False
        self._full = False
        """Whether there was no room for what was tried last."""
        self._jobs: queue.SimpleQueue[Sequence[Operation] | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="store", daemon=True).start()

    def submit(self, batch: Sequence[Operation]) -> None:
        """Have a batch written; the next one only after `written` was told. An empty batch tries the disk."""
        self._jobs.put(batch)

    def stop(self) -> None:
        """Close the database."""
        self._jobs.put(None)

    def _run(self) -> None:
        try:
            with self._lock:
                tables = Tables(self._path, BUSY_TIMEOUT)
                try:
                    self._tell(self._opened, tables.dialogs())
                    while (batch := self._jobs.get()) is not None:
                        self._tell(self._written, self._perform(tables, batch))
                finally:
                    tables.close()
        except StoreError as error:
            self._tell(self._opened, error)
        else:
            self._tell(self._closed)

    def _perform(self, tables: Tables, batch: Sequence[Operation]) -> Sequence[Result] | StoreError:
        told = self._commit(tables, batch)
        rest = [operation for operation in batch if not isinstance(operation, Keep)]
        if not self._full or len(rest) == len(batch):
            return told
        # Messages are the bulk of it. Where there is room for the rest, nothing else has to wait until they fit.
        lighter = self._commit(tables, rest)
        if isinstance(lighter, StoreError):
            return told
        results = iter(lighter)
        too_much = StoreError(f"{self._path}: no room for messages")
        return [too_much if isinstance(operation, Keep) else next(results) for operation in batch]

    def _commit(self, tables: Tables, batch: Sequence[Operation]) -> Sequence[Result] | StoreError:
        try:
            self._lock.settle()
            tables.begin(awaited=any(isinstance(operation, Keep) and operation.done for operation in batch))
            if self._faulty or not batch:
                tables.beat()
            results = [self._apply(tables, operation) for operation in batch]
            tables.commit()
        except Exception as error:
            # Broad, for this thread has no supervisor: if it died, everyone who waits for an answer would wait forever.
            self._faulty = True
            self._full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
            _roll_back(tables)
            return StoreError(f"{self._path}: {error}")
        self._faulty = self._full = False
        return results

    def _apply(self, tables: Tables, operation: Operation) -> Result:
        if isinstance(operation, ReadDialogs) and not self._lock.held:
            return StoreError(f"{self._path}: the process that had it has not ended")
        return tables.apply(operation)

    def _tell(self, listener: Callable[..., None], *told: object) -> None:
        try:
            self._loop.call_soon_threadsafe(listener, *told)
        except RuntimeError:  # the loop was closed without the store; there is nobody left to tell
            self.stop()


def _roll_back(tables: Tables) -> None:
    try:
        tables.roll_back()
    except sqlite3.Error:  # the next `begin` fails then, and says why
        return
