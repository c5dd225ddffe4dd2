"""The file of session records on disk: where its chain ends, and lines added whole or not at all.

Blocking calls: for the start of the edge and the writer thread of records.py.
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sbc.core.receipt import GENESIS, ChainEnd, Record, Unreadable, Unsound, read_record
from sbc.core.verdict import Verdict, verify_lines
from sbc.telemetry.signing import RecordsError, verifying_key

LINE_LIMIT: Final = 1024 * 1024
"""Bytes of the longest record."""


class RecordFile:
    """An open file of records.

    end: where its chain has got to. torn: whether a half-written record was found at its end and cut off.
    """

    def __init__(self, path: Path, public_key: Ed25519PublicKey) -> None:
        """Open or create `path`, for this process alone, and read its end.

        Raises RecordsError: unreadable, in use, or its last record is not one of this key. A chain that somebody
        else has touched is evidence, and is not written to.
        """
        self.path = path
        self.end: ChainEnd = GENESIS
        self.torn = False
        self._size = 0
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise RecordsError(f"{path}: {error.strerror}") from None
        try:
            # Two writers would make two chains in one file.
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._find_end(public_key)
        except BlockingIOError:
            self.close()
            raise RecordsError(f"{path}: in use by another edge") from None
        except OSError as error:
            self.close()
            raise RecordsError(f"{path}: {error.strerror}") from None
        except RecordsError:
            self.close()
            raise

    def append(self, lines: bytes, end: ChainEnd) -> None:
        """Put whole lines on disk, up to the platter. Raises OSError, and then the file is as it was before."""
        try:
            written = 0
            while written < len(lines):
                written += os.pwrite(self._descriptor, lines[written:], self._size + written)
            os.fdatasync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(lines)
        self.end = end

    def close(self) -> None:
        """Let go of the file, and of its lock."""
        os.close(self._descriptor)

    def _find_end(self, public_key: Ed25519PublicKey) -> None:
        self._size = os.fstat(self._descriptor).st_size
        start = max(0, self._size - 2 * LINE_LIMIT)
        last, feed, rest = os.pread(self._descriptor, self._size - start, start).rpartition(b"\n")
        if feed:
            self.end = self._read(last.rpartition(b"\n")[2], public_key).end
        if rest:
            self._settle(rest, bool(feed), public_key)

    def _settle(self, rest: bytes, behind_record: bool, public_key: Ed25519PublicKey) -> None:
        """The last line has no line feed: end it if it is whole, else cut it off, for the chain to go on."""
        try:
            record = read_record(rest, public_key)
        except Unreadable:
            if not behind_record and not rest.startswith(b"{"):
                raise RecordsError(f"{self.path}: not a file of session records") from None
            self._size -= len(rest)
            os.ftruncate(self._descriptor, self._size)
            self.torn = True
        except Unsound as error:
            raise self._touched(error) from None
        else:
            self.append(b"\n", record.end)

    def _read(self, line: bytes, public_key: Ed25519PublicKey) -> Record:
        try:
            return read_record(line, public_key)
        except Unsound as error:
            raise self._touched(error) from None

    def _touched(self, error: Unsound) -> RecordsError:
        return RecordsError(f"{self.path}: its last record cannot be continued: {error}; keep the file as it is for "
                            "`sbc receipts verify`, and move it away to begin a new one")


def verify_file(path: Path, public_key_file: Path | None) -> Verdict:
    """Judge a file of records; with a public key their signatures too. Raises RecordsError if it cannot be read."""
    public_key = verifying_key(public_key_file) if public_key_file else None
    try:
        with path.open("rb") as file:
            return verify_lines(_lines(file), public_key)
    except OSError as error:
        raise RecordsError(f"{path}: {error.strerror}") from None


def _lines(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(LINE_LIMIT + 1):
        if len(line) > LINE_LIMIT and not line.endswith(b"\n"):
            while (rest := file.readline(LINE_LIMIT)) and not rest.endswith(b"\n"):
                pass
            # Longer than any record: that there was a line is all that the verdict has to know.
            line = b"\n"
        yield line
