"""What every store does (Store in model/interfaces.py); those that are durable do it over a restart, too.

A store that edges share gives a session back to who claims it, one epoch higher.
"""

import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sbc.model.binding import Checkpoint
from sbc.model.errors import Conflict, StoreError
from sbc.model.identity import Revocation, Revoked
from sbc.model.ids import SessionId
from sbc.model.interfaces import Store, Stored
from sbc.runtime.tasks import Tasks
from sbc.stores.factory import BOUNDS
from sbc.stores.memory import MemoryStore
from sbc.stores.redis import RedisStore
from sbc.stores.sqlite import SqliteStore
from tests.stores.asking import answers, asked, binding, creating, dialog, rebinding
from tests.stores.redis_terms import terms
from tests.support.redis import Redis, needs_redis

S = SessionId("s")


DURABLE = ["sqlite", pytest.param("redis", marks=needs_redis)]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    server = Redis(tmp_path_factory.mktemp("redis")).start()
    yield server
    server.stop()


async def opened(request: pytest.FixtureRequest, place: Path) -> AsyncIterator[Store]:
    async with Tasks() as tasks:
        if request.param == "redis":
            server = request.getfixturevalue("redis")
            server.say("FLUSHALL")
            server.seen_long_ago()
            store: Store = RedisStore(server.url, "edge-t", terms(server.url), 45.0, BOUNDS, tasks.spawn)
        else:
            store = MemoryStore() if request.param == "memory" else SqliteStore(place / "var" / "sbc.db", BOUNDS)
        assert list(await store.open()) == []
        yield store
        await store.close()


@pytest.fixture(params=["memory", *DURABLE])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async for store in opened(request, tmp_path):
        yield store


@pytest.fixture(params=DURABLE)
async def durable(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async for store in opened(request, tmp_path):
        assert store.durable
        yield store


async def reopened(store: Store, *sessions: str) -> list[Stored]:
    """The dialogs on record after a restart; of these sessions in this order, where they have to be claimed."""
    await store.close()
    dialogs = list(await store.open())
    if isinstance(store, RedisStore):
        assert dialogs == []
        for session in sessions:
            claimed = await store.claim(SessionId(session))
            assert claimed is not None
            dialogs.append(claimed[0])
    return dialogs


def later(stored: Stored, before: Stored) -> Stored:
    """A dialog as it is to come back: at the epoch at which it does, which is not below the one it had."""
    assert stored.binding.epoch - before.binding.epoch in (0, 1)
    return replace(before, binding=replace(before.binding, epoch=stored.binding.epoch))


async def test_a_session_is_created_once(store: Store) -> None:
    first, second, other = await answers([creating(store, dialog("s")), creating(store, dialog("s", 7)),
                                          creating(store, dialog("t"))])
    assert (first, other) == (None, None)
    assert isinstance(second, Conflict)
    assert store.healthy()


async def test_a_binding_changes_only_from_the_epoch_expected(store: Store) -> None:
    await creating(store, dialog("s"))
    assert await rebinding(store, binding("s", 2), 1) is None
    assert isinstance(await rebinding(store, binding("s", 2), 1), Conflict)
    assert isinstance(await rebinding(store, binding("s", 4), 3), Conflict)
    assert await rebinding(store, binding("s", 3), 2) is None


async def test_a_session_that_is_not_on_record_has_no_epoch(store: Store) -> None:
    assert isinstance(await rebinding(store, binding("s", 2), 1), Conflict)
    assert await creating(store, dialog("s")) is None


async def test_of_many_at_once_one_wins(store: Store) -> None:
    made = await answers([creating(store, dialog("s")) for _ in range(50)])
    assert made.count(None) == 1 and all(isinstance(answer, Conflict) for answer in made if answer)
    moved = await answers([rebinding(store, binding("s", 2), 1) for _ in range(50)])
    assert moved.count(None) == 1 and all(isinstance(answer, Conflict) for answer in moved if answer)


async def test_a_conflict_harms_nothing_beside_it(store: Store) -> None:
    await creating(store, dialog("s"))
    got = await answers([creating(store, dialog("t")), creating(store, dialog("s")),
                         rebinding(store, binding("x", 2), 1), rebinding(store, binding("s", 2), 1),
                         creating(store, dialog("u"))])
    assert [type(answer) for answer in got] == [type(None), Conflict, Conflict, type(None), type(None)]


async def test_a_removed_session_may_come_again(store: Store) -> None:
    await creating(store, dialog("s"))
    store.remove(S)
    store.remove(SessionId("never there"))
    assert await creating(store, dialog("s")) is None


def revoked(name: str, *, kind: Revoked = Revoked.PRINCIPAL, lasts: float = 60.0) -> Revocation:
    now = time.time()
    return Revocation(kind, name, now, now + lasts)


async def test_revocations_are_kept_until_their_time_is_over(durable: Store) -> None:
    first, token = revoked("ann"), revoked("ann", kind=Revoked.TOKEN)
    for one in (first, revoked("bob"), token, revoked("old", lasts=-1)):
        await durable.revoke(one)
    await durable.forgive(Revoked.PRINCIPAL, "bob")
    await durable.forgive(Revoked.SESSION, "never there")
    assert list(await durable.revocations()) == [first, token]
    longer = revoked("ann", lasts=90)
    await durable.revoke(longer)
    await reopened(durable)
    assert list(await durable.revocations()) == [token, longer]


async def test_a_store_that_is_not_durable_forgets_revocations() -> None:
    store = MemoryStore()
    await store.revoke(revoked("ann"))
    await store.forgive(Revoked.PRINCIPAL, "ann")
    assert not await store.revocations()


async def test_orders_about_unknown_sessions_are_harmless(store: Store) -> None:
    store.journal(S, True, 1, [b"x"])
    store.checkpoint(S, Checkpoint(1, 1, None))
    store.forget_before(S, False, 9)
    store.learn(S, [("task", "t-1")], [("task", "t-0")])
    store.remember(S, "x")
    with pytest.raises(StoreError):
        await store.journals(S)
    assert store.healthy()


async def test_done_is_called_in_order(store: Store) -> None:
    said: list[int] = []
    for number in range(100):
        store.create(dialog(f"s-{number}"), lambda _, number=number: said.append(number))
    await creating(store, dialog("last"))
    assert said == list(range(100))


async def test_dialogs_come_back_as_they_were(durable: Store) -> None:
    state = 'a "state" with half a pair \ud83d, a zero \x00 and größe'
    first, second = dialog("s", 3, Checkpoint(4, 9, state)), dialog("sitzung-ü/☃")
    await answers([creating(durable, first), creating(durable, second)])
    back = await reopened(durable, "s", "sitzung-ü/☃")
    assert back == [later(back[0], first), later(back[1], second)]
    epoch = back[0].binding.epoch
    assert await rebinding(durable, binding("s", epoch + 1), epoch) is None
    for far in ({5: 2, 4: 0}, {}, None):
        durable.checkpoint(S, Checkpoint(5, 9, None, far))
        [last, _] = await reopened(durable, "s", "sitzung-ü/☃")
        assert last.checkpoint == Checkpoint(5, 9, None, far)
    durable.remove(SessionId("sitzung-ü/☃"))
    [last] = await reopened(durable, "s")
    assert replace(last, binding=first.binding) == dialog("s", 3, Checkpoint(5, 9, None))
    assert last.binding.owner == binding("s", epoch + 1).owner


async def test_messages_come_back_byte_for_byte(durable: Store) -> None:
    await creating(durable, dialog("s"))
    from_client, from_node = [b"", b"\x00\xff" * 300, b"a"], [b"x" * 100_000]
    durable.journal(S, True, 1, from_client[:2])
    durable.journal(S, False, 1, from_node)
    durable.journal(S, True, 3, from_client[2:])
    for _ in range(2):
        journals = await durable.journals(S)
        assert (journals.from_client, journals.from_node) == ((1, from_client), (1, from_node))
        await reopened(durable, "s")


async def kept(store: Store, from_client: bool) -> tuple[int, list[bytes]]:
    journals = await store.journals(S)
    first, messages = journals.from_client if from_client else journals.from_node
    return first, list(messages)


@pytest.mark.parametrize("from_client", [True, False])
async def test_what_is_forgotten_is_gone(durable: Store, from_client: bool) -> None:
    await creating(durable, dialog("s"))
    durable.journal(S, from_client, 1, [b"1", b"2", b"3"])
    durable.journal(S, from_client, 4, [b"4", b"5"])
    durable.forget_before(S, from_client, 1)
    assert await kept(durable, from_client) == (1, [b"1", b"2", b"3", b"4", b"5"])
    durable.forget_before(S, from_client, 3)
    assert await kept(durable, from_client) == (3, [b"3", b"4", b"5"])
    durable.forget_before(S, from_client, 2)
    assert await kept(durable, from_client) == (3, [b"3", b"4", b"5"])
    durable.forget_before(S, from_client, 4)
    assert await kept(durable, from_client) == (4, [b"4", b"5"])
    durable.forget_before(S, from_client, 6)
    assert await kept(durable, from_client) == (6, [])
    assert await kept(durable, not from_client) == (1, [])
    durable.journal(S, from_client, 6, [b"6"])
    await reopened(durable, "s")
    assert await kept(durable, from_client) == (6, [b"6"])


async def test_a_checkpoint_covers_client_messages_only(durable: Store) -> None:
    await creating(durable, dialog("s"))
    durable.journal(S, True, 1, [b"1", b"2", b"3"])
    durable.journal(S, False, 1, [b"a", b"b"])
    durable.checkpoint(S, Checkpoint(2, 2, "x"))
    assert await kept(durable, True) == (3, [b"3"])
    assert await kept(durable, False) == (1, [b"a", b"b"])
    durable.checkpoint(S, Checkpoint(9, 2, "y"))
    assert await kept(durable, True) == (10, [])


async def test_a_checkpoint_does_not_go_back(durable: Store) -> None:
    await creating(durable, dialog("s"))
    durable.checkpoint(S, Checkpoint(5, 5, "newest"))
    for older in (Checkpoint(4, 5, "older"), Checkpoint(5, 4, "older"), Checkpoint(9, 4, "neither")):
        durable.checkpoint(S, older)
    [back] = await reopened(durable, "s")
    assert back == later(back, dialog("s", 1, Checkpoint(5, 5, "newest")))


@pytest.mark.parametrize("segments, expected", [
    ([(5, b"56")], (5, b"56")),
    ([(1, b"12"), (4, b"45")], (4, b"45")),
    ([(1, b"12"), (4, b"45"), (6, b"6"), (9, b"9")], (9, b"9")),
    ([(4, b"45"), (1, b"123")], (1, b"12345")),
    ([(1, b"123"), (3, b"cd")], (1, b"12cd")),
    ([(1, b"123"), (1, b"abc")], (1, b"abc")),
    ([(1, b"123"), (4, b"4"), (4, b"d")], (1, b"123d")),
])
async def test_the_newest_run_without_a_gap(
    durable: Store, segments: list[tuple[int, bytes]], expected: tuple[int, bytes],
) -> None:
    await creating(durable, dialog("s"))
    for first, letters in segments:
        durable.journal(S, False, first, [bytes([letter]) for letter in letters])
    first, messages = await kept(durable, False)
    assert (first, b"".join(messages)) == expected


async def test_what_a_dialog_is_known_by(durable: Store) -> None:
    begun = replace(dialog("s"), keys=(("route", "größe \x00"), ("task", "t-1")))
    await answers([creating(durable, begun), creating(durable, dialog("t"))])
    back = await reopened(durable, "s", "t")
    assert back == [later(back[0], begun), later(back[1], dialog("t"))]
    durable.learn(S, [("context", "t-1"), ("task", "t-2")], [])
    durable.learn(SessionId("t"), [("task", "t-1")], [("task", "never there")])
    durable.learn(S, [("task", "t-3")], [("task", "t-1")])
    durable.learn(S, [("route", "größe \x00")], [])
    first, second = await reopened(durable, "s", "t")
    assert first.keys == (("context", "t-1"), ("task", "t-2"), ("task", "t-3"), ("route", "größe \x00"))
    assert second.keys == (("task", "t-1"),)
    durable.remove(S)
    await creating(durable, dialog("s"))
    back = await reopened(durable, "t", "s")
    assert back == [later(back[0], second), later(back[1], dialog("s"))]


async def test_what_a_protocol_remembers(durable: Store) -> None:
    await answers([creating(durable, dialog("s")), creating(durable, dialog("t"))])
    assert (await durable.journals(S)).memory == ""
    durable.remember(S, "first")
    durable.remember(S, "größe")
    assert (await durable.journals(S)).memory == "größe"
    await reopened(durable, "s", "t")
    assert (await durable.journals(S)).memory == "größe"
    assert (await durable.journals(SessionId("t"))).memory == ""
    durable.remove(S)
    await creating(durable, dialog("s"))
    assert (await durable.journals(S)).memory == ""


async def test_a_session_that_comes_again_has_an_empty_journal(durable: Store) -> None:
    await creating(durable, dialog("s", 1, Checkpoint(3, 3, "x")))
    durable.journal(S, True, 4, [b"4"])
    durable.remove(S)
    durable.journal(S, True, 5, [b"5"])
    await creating(durable, dialog("s"))
    assert await kept(durable, True) == (1, [])
    [back] = await reopened(durable, "s")
    assert back == later(back, dialog("s"))


async def test_what_was_asked_before_close_is_on_record(durable: Store) -> None:
    futures = [creating(durable, dialog(f"s-{number}")) for number in range(200)]
    durable.journal(SessionId("s-7"), False, 1, [b"x"])
    assert len(await reopened(durable, *(f"s-{number}" for number in range(200)))) == 200
    assert await answers(futures) == [None] * 200
    assert (await durable.journals(SessionId("s-7"))).from_node == (1, [b"x"])


async def test_a_closed_store_says_so(durable: Store) -> None:
    await durable.close()
    await durable.close()
    assert not durable.healthy()
    assert isinstance(await creating(durable, dialog("s")), StoreError)
    durable.journal(S, True, 1, [b"x"])
    durable.remove(S)
    with pytest.raises(StoreError):
        await durable.journals(S)
    assert list(await durable.open()) == []


async def test_who_waits_for_messages_is_told_when_they_are_kept(store: Store) -> None:
    assert await creating(store, dialog("s")) is None
    kept = [asked(lambda done, first=first: store.journal(S, True, first, [b"x"], done)) for first in (1, 2)]  # type: ignore[misc]
    assert await answers(kept) == [None, None]


async def test_who_waits_for_messages_is_told_when_they_cannot_be_kept(durable: Store) -> None:
    assert await creating(durable, dialog("s")) is None
    await durable.close()
    [error] = await answers([asked(lambda done: durable.journal(S, True, 1, [b"x"], done))])
    assert isinstance(error, StoreError)


async def test_what_cannot_be_written_harms_nothing_else(durable: Store) -> None:
    assert await creating(durable, dialog("s")) is None
    durable.learn(S, [("route", "half a pair \ud83d")], [])
    durable.journal(S, True, 1, [b"x"])
    assert (await durable.journals(S)).from_client == (1, [b"x"])
