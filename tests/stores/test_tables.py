"""The file itself: two connections at once, and files that are not ours to touch."""

import sqlite3
import threading
from pathlib import Path

import pytest

from sbc.model.errors import Conflict, StoreError
from sbc.model.ids import SessionId
from sbc.stores.operations import Create, Keep, Learn, Rebind, Result
from sbc.stores.tables import APPLICATION, VERSION, Tables
from tests.stores.asking import binding, dialog


def once(tables: Tables, operation: Create | Rebind | Learn) -> Result:
    tables.begin()
    result = tables.apply(operation)
    tables.commit()
    return result


def ignored(_: object) -> None:
    """Nobody waits in these tests."""


def test_two_connections_never_both_win(tmp_path: Path) -> None:
    """Each tries to take every epoch; what one of them got, the other must not have got."""
    path, epochs = tmp_path / "sbc.db", 300
    tables = Tables(path, 10)
    assert once(tables, Create(dialog("s"), ignored)) is None
    won: list[int] = []
    start = threading.Barrier(2)

    def contend() -> None:
        own = Tables(path, 10)
        start.wait(10)
        for epoch in range(1, epochs):
            result = once(own, Rebind(binding("s", epoch + 1), epoch, ignored))
            if result is None:
                won.append(epoch + 1)
            else:
                assert isinstance(result, Conflict)
        own.close()

    threads = [threading.Thread(target=contend) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(won) == list(range(2, epochs + 1))
    assert tables.dialogs()[0].binding.epoch == epochs
    tables.close()


def test_what_was_read_before_another_wrote_is_not_the_truth(tmp_path: Path) -> None:
    """The compare and the set are one: a second connection between them makes a Conflict, not a lost update."""
    ours, theirs = Tables(tmp_path / "sbc.db", 0), Tables(tmp_path / "sbc.db", 0)
    once(ours, Create(dialog("s"), ignored))
    assert theirs.dialogs()[0].binding.epoch == 1
    assert once(ours, Rebind(binding("s", 2), 1, ignored)) is None
    assert isinstance(once(theirs, Rebind(binding("s", 2), 1, ignored)), Conflict)
    ours.close()
    theirs.close()


def test_the_file_is_for_its_owner_alone_and_of_its_kind(tmp_path: Path) -> None:
    path = tmp_path / "sbc.db"
    tables = Tables(path, 0)
    once(tables, Create(dialog("s"), ignored))
    assert {oct(file.stat().st_mode & 0o777) for file in tmp_path.iterdir()} == {"0o600"}
    assert len(list(tmp_path.iterdir())) == 3
    tables.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_file_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "sbc.db"
    tables = Tables(path, 0)
    once(tables, Create(dialog("s"), ignored))
    tables.close()
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "DROP TABLE keys; DROP TABLE memories; DROP TABLE revocations; ALTER TABLE dialogs DROP COLUMN answers;"
            "PRAGMA user_version = 1")
    connection.close()
    tables = Tables(path, 0)
    assert tables.dialogs() == [dialog("s")]
    once(tables, Learn(SessionId("s"), [("task", "t")], []))
    assert tables.dialogs()[0].keys == (("task", "t"),)
    tables.close()


NEWER = f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION + 1}"


def make(path: Path, script: str) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()


def damage(path: Path) -> None:
    """Make a whole store, then break a page in its middle."""
    tables = Tables(path, 0)
    for number in range(200):
        once(tables, Create(dialog(f"s-{number}"), ignored))
    tables.close()
    content = bytearray(path.read_bytes())
    content[len(content) // 2:len(content) // 2 + 4096] = b"\xa5" * 4096
    path.write_bytes(content)


@pytest.mark.parametrize("spoil, complaint", [
    (lambda path: path.write_bytes(b"nothing of ours" * 500), "not a database"),
    (lambda path: make(path, "CREATE TABLE songs (name TEXT)"), "another program"),
    (lambda path: make(path, "PRAGMA application_id = 77"), "another program"),
    (lambda path: make(path, NEWER), "newer sbc"),
    (damage, "malformed|damaged"),
    (lambda path: path.mkdir(), "directory"),
])
def test_a_file_that_cannot_be_used_is_named_and_left_alone(tmp_path: Path, spoil: object, complaint: str) -> None:
    path = tmp_path / "sbc.db"
    assert callable(spoil)
    spoil(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(StoreError, match=rf"sbc\.db.*({complaint})"):
        Tables(path, 0)
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_a_truncated_file_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "sbc.db"
    damage(path)
    path.write_bytes(path.read_bytes()[:-4096 * 2 - 100])
    with pytest.raises(StoreError, match=r"malformed|damaged"):
        Tables(path, 0)


def test_a_batch_that_is_rolled_back_was_never_there(tmp_path: Path) -> None:
    tables = Tables(tmp_path / "sbc.db", 0)
    for _ in range(2):
        tables.begin()
        assert tables.apply(Create(dialog("s"), ignored)) is None
        tables.roll_back()
        tables.roll_back()
    assert tables.dialogs() == []
    tables.close()


def test_values_that_cannot_be_stored_harm_no_other(tmp_path: Path) -> None:
    tables = Tables(tmp_path / "sbc.db", 0)
    tables.begin()
    results = [tables.apply(Create(stored, ignored)) for stored in (
        dialog("s"), dialog("half \ud83d"), dialog("t", 2**70), dialog("u"))]
    results.append(tables.apply(Keep(SessionId("s"), True, 1, ("text",), 4)))  # type: ignore[arg-type]
    tables.commit()
    assert [type(result) for result in results] == [type(None), StoreError, StoreError, type(None), StoreError]
    assert [stored.binding.session for stored in tables.dialogs()] == ["s", "u"]
    tables.close()


def test_a_batch_that_somebody_waits_for_is_written_through_to_the_disk(tmp_path: Path) -> None:
    tables = Tables(tmp_path / "sbc.db", 10)
    for awaited, written_through in ((False, 1), (True, 2), (False, 1)):
        tables.begin(awaited=awaited)
        assert tables._number("PRAGMA synchronous") == written_through
        tables.commit()
    tables.close()
