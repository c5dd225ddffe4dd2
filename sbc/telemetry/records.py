"""Session records: what each session used, one line a session, chained and signed (core/receipt.py, promise P7).

Lines are written by a thread of their own, for a disk may take its time and the event loop may not. While the disk
refuses (full, read-only) records wait in a bounded queue and are tried again; what finds the queue full is lost,
counted, and declared by the next record written as `missing: n`, so that the chain itself tells of the hole.
"""

import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sbc.core.receipt import CHAIN_FIELDS, ChainEnd, seal_record
from sbc.telemetry.recordfile import LINE_LIMIT, RecordFile
from sbc.telemetry.signing import signing_key

_BATCH: Final = 256
"""Records that share one fdatasync."""
_RETRY: Final = 0.25
"""Seconds between two attempts on a disk that refuses."""
_LAST_WORDS: Final = 5.0
"""Seconds that close() gives the disk."""
_RESERVED: Final = CHAIN_FIELDS | {"missing"}


class RecordWriter:
    """Adds records to a file. `lost` counts those that could not be, `fault` says why it cannot at the moment."""

    def __init__(self, path: Path, key_file: Path, *, bound: int = 4096) -> None:
        """Open or create both files (0600, directories too) and continue the chain. Blocks: for the edge's start.

        bound: how many records may wait for the disk. Raises RecordsError.
        """
        self.lost = 0
        self.fault: str | None = None
        self._bound = bound
        self._key = signing_key(key_file)
        self._file = RecordFile(path, self._key.public_key())
        self._waiting: deque[tuple[dict[str, Any], int]] = deque()
        """Fields, and how many records were lost right before them."""
        self._missing = int(self._file.torn)
        """Lost since the newest of `_waiting`."""
        self._sealed_missing = 0
        """Lost since the newest record sealed; the thread's own."""
        self._closing = False
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="session records", daemon=True)
        self._thread.start()

    @property
    def end(self) -> ChainEnd:
        """The newest record on disk. Noted elsewhere, it shows whether the file was cut short later."""
        return self._file.end

    def write(self, fields: Mapping[str, Any]) -> None:
        """Have a record written. Never waits for the disk. Raises ValueError for the chain's own field names."""
        if taken := _RESERVED & fields.keys():
            raise ValueError(f"the chain's own field names: {', '.join(sorted(taken))}")
        with self._wake:  # the thread holds it to move a list, never while it writes
            if self._closing or len(self._waiting) >= self._bound:
                self.lost += 1
                self._missing += 1
                return
            self._waiting.append((dict(fields), self._missing))
            self._missing = 0
            self._wake.notify()

    def close(self) -> None:
        """Write what waits (for some seconds at most), and let go of the file."""
        with self._wake:
            if self._closing:
                return
            self._closing = True
            self._wake.notify()
        self._thread.join(_LAST_WORDS)

    def _run(self) -> None:
        while batch := self._take():
            lines, end = self._seal(batch)
            while lines and not self._written(b"".join(lines), end):
                if self._gives_up(len(lines)):
                    self._file.close()
                    return
        self._file.close()

    def _gives_up(self, unwritten: int) -> bool:
        """Wait a while, unless the edge is going: then what is unwritten is lost."""
        with self._wake:
            if not self._closing:
                self._wake.wait_for(lambda: self._closing, _RETRY)
                return False
            self.lost += unwritten + len(self._waiting)
            self._waiting.clear()
            return True

    def _take(self) -> list[tuple[dict[str, Any], int]]:
        """The next records to write; empty when all is written and nothing will come."""
        with self._wake:
            self._wake.wait_for(lambda: self._waiting or self._closing)
            batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            if not batch and self._missing + self._sealed_missing:
                # No session will come to declare what was lost last: a record of the loss alone does.
                batch.append(({}, self._missing))
                self._missing = 0
            return batch

    def _seal(self, batch: list[tuple[dict[str, Any], int]]) -> tuple[list[bytes], ChainEnd]:
        lines: list[bytes] = []
        end = self._file.end
        for fields, missing in batch:
            self._sealed_missing += missing
            if self._sealed_missing:
                fields["missing"] = self._sealed_missing
            try:
                line, end_with_it = seal_record(end, fields, self._key)
            except ValueError as error:
                self._unsealed(str(error))
                continue
            if len(line) > LINE_LIMIT:
                self._unsealed(f"a record of {len(line)} bytes")
                continue
            lines.append(line)
            end, self._sealed_missing = end_with_it, 0
        return lines, end

    def _unsealed(self, why: str) -> None:
        self._sealed_missing += 1
        self.fault = why
        with self._wake:
            self.lost += 1

    def _written(self, lines: bytes, end: ChainEnd) -> bool:
        try:
            self._file.append(lines, end)
        except OSError as error:
            self.fault = f"{self._file.path}: {error.strerror}"
            return False
        self.fault = None
        return True
