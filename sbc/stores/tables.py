"""The tables of the SQLite store, and what each operation means in SQL. Blocking: for one thread.

`dialogs` has a row for each dialog; `client_first` and `node_first` are the oldest messages of either direction that
are still owed, so that a segment may be covered in part without being written again. `segments` has the messages: each
row a run of them with consecutive numbers, every message behind its length (4 bytes, big-endian). `keys` says by what
else dialogs are known, in the order in which it was learned, and `memories` what their protocols remember.
"""

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final, assert_never

from sbc.model.binding import Checkpoint
from sbc.model.errors import Conflict, StoreError
from sbc.model.ids import SessionId
from sbc.model.interfaces import Journals, Stored
from sbc.stores import revoked, rows
from sbc.stores.operations import (
    Cover,
    Create,
    Forget,
    Forgive,
    Keep,
    Learn,
    Operation,
    Read,
    ReadDialogs,
    ReadRevocations,
    Rebind,
    Remember,
    Remove,
    Result,
    Revoke,
)
from sbc.stores.shared import (
    Beat,
    Call,
    Claim,
    Find,
    Hold,
    Look,
    Muster,
    Peek,
    ReadEdges,
    ReadMembers,
    Release,
    Restate,
    Touch,
    Vacate,
)

APPLICATION: Final = 0x53424331
"""`application_id` in the file's header: tells our files from those of other programs."""
VERSION: Final = 4

_SCHEMA: Final = """
CREATE TABLE dialogs (
    id INTEGER PRIMARY KEY, session TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, replica TEXT, epoch INTEGER NOT NULL,
    agent TEXT NOT NULL, route TEXT NOT NULL, principal TEXT NOT NULL,
    created REAL NOT NULL, received INTEGER, sent INTEGER, state BLOB,
    client_first INTEGER NOT NULL DEFAULT 1, node_first INTEGER NOT NULL DEFAULT 1);
CREATE TABLE segments (
    dialog INTEGER NOT NULL, from_client INTEGER NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL,
    messages BLOB NOT NULL, PRIMARY KEY (dialog, from_client, first));
CREATE TABLE pulse (id INTEGER PRIMARY KEY, beats INTEGER NOT NULL);
INSERT INTO pulse VALUES (1, 0);
"""
_SINCE_2: Final = """
CREATE TABLE keys (
    id INTEGER PRIMARY KEY, dialog INTEGER NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL,
    UNIQUE (dialog, kind, value));
CREATE TABLE memories (dialog INTEGER PRIMARY KEY, memory TEXT NOT NULL);
"""
"""Files of version 1 are given these when they are opened."""
_SINCE_4: Final = """
ALTER TABLE dialogs ADD COLUMN answers TEXT;
"""
_DIALOGS: Final = """SELECT session, owner, replica, epoch, agent, route, principal, created,
    received, sent, state, answers FROM dialogs ORDER BY id"""
_CREATE: Final = """INSERT INTO dialogs (session, owner, replica, epoch, agent, route, principal,
    created, received, sent, state, answers) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (session) DO NOTHING"""
_REBIND: Final = "UPDATE dialogs SET owner = ?, replica = ?, epoch = ? WHERE session = ? AND epoch = ?"
# A dialog that is not on record (its creation failed, or it has ended) gets no segments that nobody would delete.
_KEEP: Final = "INSERT OR REPLACE INTO segments SELECT id, ?, ?, ?, ? FROM dialogs WHERE session = ?"
_COVER: Final = """UPDATE dialogs SET received = ?, sent = ?, state = ?, answers = ?,
    client_first = MAX(client_first, ?) WHERE session = ? AND COALESCE(received, 0) <= ? AND COALESCE(sent, 0) <= ?"""
_RAISE: Final = {
    True: "UPDATE dialogs SET client_first = MAX(client_first, ?) WHERE session = ?",
    False: "UPDATE dialogs SET node_first = MAX(node_first, ?) WHERE session = ?",
}
_TRIM: Final = """DELETE FROM segments WHERE dialog = (SELECT id FROM dialogs WHERE session = ?) AND from_client = ?
    AND first < ? AND first + count <= ?"""
_EMPTY: Final = "DELETE FROM segments WHERE dialog = (SELECT id FROM dialogs WHERE session = ?)"
_REMOVE: Final = "DELETE FROM dialogs WHERE session = ?"
_KEYS: Final = "SELECT session, kind, value FROM keys JOIN dialogs ON dialogs.id = keys.dialog ORDER BY keys.id"
_LEARN: Final = "INSERT OR REPLACE INTO keys (dialog, kind, value) SELECT id, ?, ? FROM dialogs WHERE session = ?"
_UNLEARN: Final = """DELETE FROM keys WHERE kind = ? AND value = ?
    AND dialog = (SELECT id FROM dialogs WHERE session = ?)"""
_FORGET_KEYS: Final = "DELETE FROM keys WHERE dialog = (SELECT id FROM dialogs WHERE session = ?)"
_REMEMBER: Final = "INSERT OR REPLACE INTO memories SELECT id, ? FROM dialogs WHERE session = ?"
_MEMORY: Final = "SELECT memory FROM memories WHERE dialog = ?"
_FORGET_MEMORY: Final = "DELETE FROM memories WHERE dialog = (SELECT id FROM dialogs WHERE session = ?)"
_FLOORS: Final = "SELECT id, client_first, node_first FROM dialogs WHERE session = ?"
_SEGMENTS: Final = "SELECT first, count, messages FROM segments WHERE dialog = ? AND from_client = ? ORDER BY first"
_UNSTORABLE: Final = (TypeError, ValueError, OverflowError, sqlite3.DataError, sqlite3.InterfaceError,
                     sqlite3.IntegrityError)
"""The values of one operation are at fault: text that is not Unicode, numbers beyond 64 bits."""


class Tables:
    """A connection to one database file."""

    def __init__(self, path: Path, busy_timeout: float) -> None:
        """Open or create the file (0600). busy_timeout: seconds to wait for another process that is writing to it.

        Raises StoreError: not ours, newer than this program, or damaged. It is never repaired or replaced here.
        """
        try:
            # SQLite itself would give the file, and those it puts beside it, the mode of the umask.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._connection = sqlite3.connect(path, timeout=busy_timeout, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"{path}: {error}") from None
        try:
            self._prepare(path)
        except sqlite3.Error as error:
            self._connection.close()
            raise StoreError(f"{path}: {error}; it is left as it is: restore it, or move it away") from None
        except StoreError:
            self._connection.close()
            raise

    def _prepare(self, path: Path) -> None:
        application, version = self._number("PRAGMA application_id"), self._number("PRAGMA user_version")
        fresh = application == 0 and version == 0 and self._number("SELECT count(*) FROM sqlite_master") == 0
        if not fresh and application != APPLICATION:
            raise StoreError(f"{path}: a database of another program")
        if version > VERSION:
            raise StoreError(f"{path}: of version {version}, written by a newer sbc; this one knows {VERSION}")
        damage = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise StoreError(f"{path}: damaged ({damage}); it is left as it is: restore it, or move it away")
        if self._connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise StoreError(f"{path}: its file system cannot hold a write-ahead log")
        # NORMAL: a commit is in the kernel's hands when it returns, and on the platter after the next checkpoint of the
        # log. It survives the death of this process, SIGKILL included; a power cut may take the last commits with it,
        # but never half of one. FULL costs an fsync for each batch: for those alone that somebody waits for (`begin`).
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._full = False
        self._connection.execute("PRAGMA journal_size_limit = 16777216")
        if version < VERSION:
            tables = "".join((_SCHEMA, _SINCE_2, revoked.SCHEMA, _SINCE_4)[version:])
            self._connection.executescript(
                f"BEGIN IMMEDIATE; {tables} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; "
                "COMMIT")

    def close(self) -> None:
        """Close the connection; SQLite then folds the log into the database."""
        self._connection.close()

    def dialogs(self) -> list[Stored]:
        """All dialogs on record, oldest first. Raises StoreError."""
        try:
            known: dict[str, list[tuple[str, str]]] = {}
            for session, kind, value in self._connection.execute(_KEYS):
                known.setdefault(session, []).append((kind, value))
            return [rows.stored(row, known.get(row[0], ())) for row in self._connection.execute(_DIALOGS)]
        except sqlite3.Error as error:
            raise StoreError(f"its dialogs cannot be read: {error}") from None

    def begin(self, *, awaited: bool = False) -> None:
        """Begin a batch. awaited: when it is committed it has to be on the platter, with all that was before it.

        Raises sqlite3.Error, as do those below: then the whole batch is to be rolled back.
        """
        if awaited is not self._full:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if awaited else 'NORMAL'}")
            self._full = awaited
        self._connection.execute("BEGIN IMMEDIATE")

    def beat(self) -> None:
        """Write something, to learn whether that is possible."""
        self._connection.execute("UPDATE pulse SET beats = beats + 1")

    def commit(self) -> None:
        """All of the batch, or none of it."""
        self._connection.execute("COMMIT")

    def roll_back(self) -> None:
        """As if the batch had never begun; SQLite may have done so itself."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def apply(self, operation: Operation) -> Result:
        """Carry out one operation of a batch. A Conflict, or what cannot be stored, is a result and harms no other."""
        try:
            return self._apply(operation)
        except _UNSTORABLE as error:
            return StoreError(f"cannot be stored: {error}")
        except sqlite3.DatabaseError as error:
            # A journal that cannot be read is no reason to write nothing, unless SQLite has given the batch up.
            if isinstance(operation, Read) and self._connection.in_transaction:
                return StoreError(f"cannot be read: {error}")
            raise

    def _apply(self, operation: Operation) -> Result:
        match operation:
            case Keep(session, from_client, first, messages):
                packed = rows.pack(messages)
                self._connection.execute(_KEEP, (from_client, first, len(messages), packed, session))
            case Forget(session, from_client, first):
                self._connection.execute(_RAISE[from_client], (first, session))
                self._connection.execute(_TRIM, (session, from_client, first, first))
            case Cover(session, checkpoint):
                self._cover(session, checkpoint)
            case Create(stored):
                if self._connection.execute(_CREATE, rows.row(stored)).rowcount == 0:
                    return Conflict(f"session {stored.binding.session} is on record already")
                self._learn(stored.binding.session, stored.keys)
            case Rebind(binding, expected):
                row = (binding.owner, binding.replica, binding.epoch, binding.session, expected)
                if self._connection.execute(_REBIND, row).rowcount == 0:
                    return Conflict(f"session {binding.session} is not at epoch {expected}")
            case Learn(session, learned, forgotten):
                self._learn(session, learned)
                self._connection.executemany(_UNLEARN, [(kind, value, session) for kind, value in forgotten])
            case Remember(session, memory):
                self._connection.execute(_REMEMBER, (memory, session))
            case Remove(session):
                for statement in (_EMPTY, _FORGET_KEYS, _FORGET_MEMORY, _REMOVE):
                    self._connection.execute(statement, (session,))
            case Read(session):
                return self._read(session)
            case ReadDialogs():
                return self.dialogs()
            case Revoke(revocation):
                revoked.put(self._connection, revocation)
            case Forgive(kind, name):
                revoked.drop(self._connection, kind, name)
            case ReadRevocations():
                return revoked.found(self._connection)
            case (Peek() | Claim() | Find() | Restate() | Beat() | Look() | ReadEdges() | Muster() | ReadMembers()
                  | Hold() | Vacate() | Call() | Release() | Touch()):
                return StoreError("this store is one edge's alone")
            case _:
                assert_never(operation)
        return None

    def _learn(self, session: SessionId, keys: Sequence[tuple[str, str]]) -> None:
        self._connection.executemany(_LEARN, [(kind, value, session) for kind, value in keys])

    def _cover(self, session: SessionId, checkpoint: Checkpoint) -> None:
        received, sent, owed = checkpoint.received, checkpoint.sent, checkpoint.received + 1
        row = (received, sent, rows.state_out(checkpoint.state), rows.answers_out(checkpoint.answers), owed, session,
               received, sent)
        if self._connection.execute(_COVER, row).rowcount:
            self._connection.execute(_TRIM, (session, True, owed, owed))

    def _read(self, session: SessionId) -> Journals | StoreError:
        floors = self._connection.execute(_FLOORS, (session,)).fetchone()
        if floors is None:
            return StoreError(f"session {session} is not on record")
        dialog, client_first, node_first = floors
        memory = self._connection.execute(_MEMORY, (dialog,)).fetchone()
        return Journals(
            self._run(dialog, True, client_first), self._run(dialog, False, node_first), memory[0] if memory else ""
        )

    def _run(self, dialog: int, from_client: bool, floor: int) -> tuple[int, Sequence[bytes]]:
        """The newest messages without a gap between them, from `floor` on, and the number of the first."""
        start, run = floor, list[bytes]()
        for first, count, packed in self._connection.execute(_SEGMENTS, (dialog, from_client)):
            if first + count <= floor:
                continue
            if first > start + len(run):
                start, run = first, []
            # What was kept later under the same numbers counts; a first segment may be covered in part.
            covered = max(start - first, 0)
            run[max(first - start, 0):] = rows.unpack(packed)[covered:]
        return start, run

    def _number(self, statement: str) -> int:
        return int(self._connection.execute(statement).fetchone()[0])
