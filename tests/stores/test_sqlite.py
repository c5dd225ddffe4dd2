"""What only the SQLite store promises: acknowledged means kept, bounds, and service through a disk that refuses."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sbc.model.binding import Checkpoint
from sbc.model.errors import Conflict, StoreError
from sbc.model.ids import SessionId
from sbc.stores.queue import Bounds
from sbc.stores.sqlite import SqliteStore
from tests.stores.asking import answers, asked, binding, creating, dialog, rebinding, until
from tests.support.disk import occupy
from tests.support.wait import PATIENCE

S = SessionId("s")
BOUNDS = Bounds(operations=1000, journal_bytes=1_000_000, interval=0.003, patience=20.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "var" / "sbc.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path, BOUNDS)
    await store.open()
    yield store
    await store.close()


async def test_directory_and_files_are_for_their_owner_alone(store: SqliteStore, path: Path) -> None:
    await creating(store, dialog("s"))
    assert oct(path.parent.stat().st_mode & 0o777) == "0o700"
    assert {oct(file.stat().st_mode & 0o777) for file in path.parent.iterdir()} == {"0o600"}


async def test_another_edge_is_kept_off(store: SqliteStore, path: Path) -> None:
    other = SqliteStore(path, BOUNDS)
    with pytest.raises(StoreError, match=rf"sbc\.db: in use by another edge \(process {os.getpid()}\)"):
        await other.open()
    assert not other.healthy()
    await other.close()
    assert await creating(store, dialog("s")) is None
    await store.close()
    assert await other.open() == [dialog("s")]
    await other.close()


@pytest.mark.parametrize("name", ["/dev/null/sbc.db", "a\0b"])
async def test_a_place_where_nothing_can_be_is_an_error(name: str) -> None:
    with pytest.raises(StoreError, match=r"sbc\.db|null byte"):
        await SqliteStore(Path(name), BOUNDS).open()


@pytest.fixture
def damaged(path: Path) -> Iterator[Path]:
    """A file that is no database, and is as it was when the test is over."""
    path.parent.mkdir(parents=True)
    path.write_bytes(b"torn" * 4000)
    yield path
    assert path.read_bytes() == b"torn" * 4000


async def test_a_damaged_file_is_an_error_and_stays(damaged: Path) -> None:
    with pytest.raises(StoreError, match=r"not a database; it is left as it is"):
        await SqliteStore(damaged, BOUNDS).open()


async def test_the_answers_of_a_batch_come_with_its_commit(store: SqliteStore, path: Path) -> None:
    """Whoever looks into the file at the moment of the answer finds what was answered."""
    look = sqlite3.connect(path)
    seen: list[int] = []

    def done(_: Exception | None) -> None:
        seen.append(look.execute("SELECT count(*) FROM dialogs").fetchone()[0])

    for number in range(50):
        store.create(dialog(f"s-{number}"), done)
    assert not seen
    await until(lambda: len(seen) == 50)
    assert seen[0] == 50, "one turn of the loop is one transaction"
    look.close()


async def test_an_answer_that_fails_keeps_no_other_from_its_own(store: SqliteStore) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda _, context: None)

    def broken(_: Exception | None) -> None:
        raise RuntimeError("a fault of the one who asked")

    store.create(dialog("s"), broken)
    assert await creating(store, dialog("t")) is None
    assert await creating(store, dialog("u")) is None


async def test_what_waits_is_bounded(path: Path) -> None:
    store = SqliteStore(path, Bounds(operations=10, journal_bytes=1000, interval=0.003, patience=20.0))
    await store.open()
    await answers([creating(store, dialog("s")), creating(store, dialog("s-0"))])
    store.journal(S, False, 1, [b"x" * 600])
    store.journal(S, False, 2, [b"x" * 600])
    store.journal(S, False, 3, [b"x" * 400])
    assert store.dropped == 1
    accepted = creating(store, dialog("u"))
    for _ in range(12):
        store.forget_before(S, False, 1)
    assert store.dropped == 6
    refused = creating(store, dialog("t"))
    assert refused.done() and isinstance(refused.result(), StoreError)
    assert not isinstance(refused.result(), Conflict)
    # A removal is never refused: the session could not be opened anew.
    store.remove(SessionId("s-0"))
    assert await accepted is None
    assert (await store.journals(S)).from_node == (3, [b"x" * 400]), "what was dropped is a gap, and nothing is in it"
    assert await creating(store, dialog("s-0")) is None
    for number in range(4, 8):
        store.journal(S, False, number, [b"x" * 900])
        assert (await store.journals(S)).from_node[0] == 3, "what is on disk does not count any more"
    assert (store.failed, store.dropped) == (0, 6)
    await store.close()


async def test_a_large_batch_does_not_wait(path: Path) -> None:
    store = SqliteStore(path, Bounds(operations=5000, journal_bytes=10_000, interval=600.0, patience=20.0))
    await store.open()
    await creating(store, dialog("s"))
    look = sqlite3.connect(path)
    for number in range(1001):
        store.journal(S, False, number + 1, [b"x"])
    await until(lambda: look.execute("SELECT count(*) FROM segments").fetchone()[0] >= 1000)
    look.close()
    await store.close()


class Disk:
    """Another process that writes to the file, for as long as it pleases: SQLite answers `database is locked`."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)

    def refuse(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def obey(self) -> None:
        self._connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def disk(store: SqliteStore, path: Path) -> Iterator[Disk]:
    disk = Disk(path)
    yield disk
    disk.close()


async def test_a_disk_that_refuses_for_a_while(store: SqliteStore, disk: Disk) -> None:
    await answers([creating(store, dialog("s")), creating(store, dialog("gone"))])
    disk.refuse()
    store.journal(S, False, 1, [b"1"])
    store.checkpoint(S, Checkpoint(3, 1, "x"))
    store.remove(SessionId("gone"))
    answer = await creating(store, dialog("t"))
    assert isinstance(answer, StoreError) and "database is locked" in str(answer)
    assert not store.healthy() and store.failed >= 1
    store.journal(S, False, 2, [b"2"])
    with pytest.raises(StoreError):
        await store.journals(S)
    disk.obey()
    await until(store.healthy)
    journals = await store.journals(S)
    assert (journals.from_client, journals.from_node) == ((4, []), (1, [b"1", b"2"]))
    assert await answers([creating(store, dialog("t")), creating(store, dialog("gone"))]) == [None, None]
    assert store.dropped == 0


async def test_what_is_tried_again_keeps_its_place_and_counts(path: Path) -> None:
    store = SqliteStore(path, Bounds(operations=1000, journal_bytes=1000, interval=0.003, patience=20.0))
    await store.open()
    await creating(store, dialog("s"))
    disk = Disk(path)
    disk.refuse()
    store.journal(S, False, 1, [b"older" * 120])
    answer = creating(store, dialog("t"))
    for _ in range(5):  # turns of the loop: the batch is with the writer now, which waits for the disk
        await asyncio.sleep(0)
    store.journal(S, False, 1, [b"newer"])
    assert isinstance(await answer, StoreError)
    store.journal(S, False, 2, [b"x" * 600])
    assert store.dropped == 1
    disk.obey()
    disk.close()
    await until(store.healthy)
    assert (await store.journals(S)).from_node == (1, [b"newer"])
    await store.close()


async def test_health_returns_without_being_asked(store: SqliteStore, disk: Disk) -> None:
    disk.refuse()
    assert isinstance(await creating(store, dialog("s")), StoreError)
    disk.obey()
    await until(store.healthy)
    assert await creating(store, dialog("s")) is None


async def test_patience_ends(path: Path) -> None:
    store = SqliteStore(path, Bounds(operations=1000, journal_bytes=1000, interval=0.003, patience=0.0))
    await store.open()
    await answers([creating(store, dialog("s")), creating(store, dialog("gone"))])
    disk = Disk(path)
    disk.refuse()
    store.journal(S, False, 1, [b"x" * 900])
    store.remove(SessionId("gone"))
    await until(lambda: store.dropped == 1)
    assert store.failed == 2
    disk.obey()
    disk.close()
    await until(store.healthy)
    store.journal(S, False, 2, [b"y" * 900])
    assert (await store.journals(S)).from_node == (2, [b"y" * 900])
    assert await creating(store, dialog("gone")) is None, "a removal is kept, however long it takes"
    await store.close()


async def test_closing_on_a_disk_that_refuses_ends(store: SqliteStore, disk: Disk) -> None:
    await creating(store, dialog("s"))
    disk.refuse()
    answer = creating(store, dialog("t"))
    store.journal(S, False, 1, [b"x"])
    async with asyncio.timeout(PATIENCE):
        await store.close()
    assert isinstance(await answer, StoreError)
    assert (store.dropped, store.failed) == (1, 1)
    disk.obey()
    assert await store.open() == [dialog("s")]


async def test_a_full_disk(small_disk: Path) -> None:
    store = SqliteStore(small_disk / "sbc.db", BOUNDS)
    await store.open()
    assert await creating(store, dialog("s")) is None
    ballast = occupy(small_disk)
    store.journal(S, False, 1, [b"x" * 20_000])
    answer = await rebinding(store, binding("s", 2), 1)
    assert isinstance(answer, StoreError) and not isinstance(answer, Conflict)
    assert "full" in str(answer) and not store.healthy()
    for number in range(5):
        assert isinstance(await creating(store, dialog(f"t-{number}")), StoreError)
    ballast.unlink()
    await until(store.healthy)
    assert await rebinding(store, binding("s", 2), 1) is None
    assert (await store.journals(S)).from_node == (1, [b"x" * 20_000])
    await store.close()
    assert await store.open() == [dialog("s", 2)]
    await store.close()


async def test_a_disk_too_small_for_the_journal_still_serves(small_disk: Path) -> None:
    store = SqliteStore(small_disk / "sbc.db", Bounds(1000, 1_000_000, 0.003, patience=0.1))
    await store.open()
    await creating(store, dialog("s"))
    store.journal(S, False, 1, [b"x" * 600_000])
    await until(lambda: store.dropped == 1)
    await until(store.healthy)
    assert await creating(store, dialog("t")) is None
    await store.close()


async def test_a_backlog_too_large_for_the_disk_holds_up_nobody_once_there_is_room(small_disk: Path) -> None:
    store = SqliteStore(small_disk / "sbc.db", BOUNDS)
    await store.open()
    await creating(store, dialog("s"))
    store.journal(S, True, 1, [b"1"])
    assert (await store.journals(S)).from_client == (1, [b"1"])
    ballast = occupy(small_disk)
    for number in range(1, 31):
        store.journal(S, False, number, [b"x" * 20_000])
    store.checkpoint(S, Checkpoint(1, 30, "kept"))
    assert isinstance(await creating(store, dialog("t")), StoreError)
    assert not store.healthy() and store.dropped == 0, "nothing is given up as long as nothing can be written"
    ballast.unlink()
    await until(store.healthy)
    assert await answers([creating(store, dialog("t")), rebinding(store, binding("s", 2), 1)]) == [None, None]
    assert store.dropped == 30
    store.journal(S, False, 31, [b"y"])
    journals = await store.journals(S)
    assert (journals.from_client, journals.from_node) == ((2, []), (31, [b"y"]))
    await store.close()
    assert await store.open() == [dialog("s", 2, Checkpoint(1, 30, "kept")), dialog("t")]
    await store.close()


EDGE = """
import asyncio, os, sys
from pathlib import Path
import uvloop
from sbc.stores.factory import BOUNDS
from sbc.stores.sqlite import SqliteStore
from tests.stores.asking import binding, creating, dialog, rebinding

async def one(store, name):
    answer = await creating(store, dialog(name))
    epoch = 1
    while True:
        if answer is not None:
            os.write(2, repr(answer).encode())
            os._exit(3)
        os.write(1, f"{name} {epoch}\\n".encode())
        store.journal(name, False, epoch, [str(epoch).encode() * 20])
        answer = await rebinding(store, binding(name, epoch + 1), epoch)
        epoch += 1

async def main():
    store = SqliteStore(Path(sys.argv[1]), BOUNDS)
    run = len(await store.open())
    await asyncio.gather(*(one(store, f"{run}-{number}") for number in range(20)))

uvloop.run(main())
"""


def heard_from_edge(path: Path, count: int) -> list[bytes]:
    """Run an edge, kill it after `count` answers, and give back all that it has heard."""
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", EDGE, str(path)], stdout=subprocess.PIPE, cwd=root) as edge:
        assert edge.stdout
        lines = [edge.stdout.readline() for _ in range(count)]
        edge.send_signal(signal.SIGKILL)
        lines += edge.stdout.readlines()
    assert edge.returncode == -signal.SIGKILL
    return lines


async def test_nothing_acknowledged_is_lost_by_sigkill(path: Path) -> None:
    said: dict[str, int] = {}
    for count in (200, 1000, 3001):
        for line in heard_from_edge(path, count):
            name, epoch = line.decode().split()
            said[name] = int(epoch)
        store = SqliteStore(path, BOUNDS)
        kept = {stored.binding.session: stored.binding.epoch for stored in await store.open()}
        assert kept.keys() >= said.keys()
        for name, epoch in said.items():
            session = SessionId(name)
            # What was under way may have been committed, and its answer not been heard any more: one at most.
            assert epoch <= kept[session] <= epoch + 1
            # The journal note was handed over before the next question, and so stands in its batch or an earlier one.
            first, messages = (await store.journals(session)).from_node
            assert first == 1 and len(messages) >= kept[session] - 1
            assert list(messages) == [str(number + 1).encode() * 20 for number in range(len(messages))]
        await store.close()


async def test_asking_after_a_cancelled_wait_is_harmless(store: SqliteStore) -> None:
    await creating(store, dialog("s"))
    waiting = asyncio.create_task(store.journals(S))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await asked(lambda done: store.rebind(binding("s", 2), 1, done)) is None
