"""What the SQLite store knows of revocations: its table, and what each operation on it means in SQL."""

import sqlite3
import time
from typing import Final

from sbc.model.identity import Revocation, Revoked

SCHEMA: Final = """
CREATE TABLE revocations (kind TEXT NOT NULL, name TEXT NOT NULL, since REAL NOT NULL, until REAL NOT NULL,
    PRIMARY KEY (kind, name));
"""
"""Files of versions 1 and 2 are given it when they are opened."""
_PUT: Final = "INSERT OR REPLACE INTO revocations VALUES (?, ?, ?, ?)"
_DROP: Final = "DELETE FROM revocations WHERE kind = ? AND name = ?"
_DROP_OLD: Final = "DELETE FROM revocations WHERE until <= ?"
_ALL: Final = "SELECT kind, name, since, until FROM revocations ORDER BY since"


def put(connection: sqlite3.Connection, revocation: Revocation) -> None:
    """It is on record, and those whose time is over are not any more."""
    connection.execute(_DROP_OLD, (time.time(),))
    connection.execute(_PUT, (revocation.kind.value, revocation.name, revocation.since, revocation.until))


def drop(connection: sqlite3.Connection, kind: Revoked, name: str) -> None:
    """It is on record no more."""
    connection.execute(_DROP, (kind.value, name))


def found(connection: sqlite3.Connection) -> list[Revocation]:
    """Those on record, the oldest first; without such as are over."""
    now = time.time()
    rows = connection.execute(_ALL).fetchall()
    return [Revocation(Revoked(kind), name, since, until) for kind, name, since, until in rows if until > now]
