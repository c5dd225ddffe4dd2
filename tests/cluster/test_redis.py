"""What only the store that edges share promises: one owner at a time, whatever becomes of edges, servers, the way."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from sbc.model.binding import Checkpoint
from sbc.model.errors import Conflict, StoreError
from sbc.model.ids import SessionId
from sbc.model.interfaces import Journals
from sbc.runtime.tasks import Tasks
from sbc.stores.queue import Bounds
from sbc.stores.queued import QueuedStore
from sbc.stores.redis_claims import LOOKS_APART
from sbc.stores.redis_words import channel
from tests.cluster.redis_edges import LEASE, LONG, Edge
from tests.cluster.redis_history import play
from tests.stores.asking import answers, asked, binding, creating, dialog, rebinding, until
from tests.support.redis import Redis, Wire, needs_redis
from tests.support.wait import PATIENCE

pytestmark = needs_redis
S = SessionId("s")


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    async with Tasks() as tasks:
        yield tasks
        assert tasks.failed == 0


@pytest.fixture
async def wire(redis: Redis) -> AsyncIterator[Wire]:
    wire = await Wire(redis.port).open()
    yield wire
    await wire.close()


async def opened(edge: Edge) -> Edge:
    assert list(await edge.store.open()) == []
    assert edge.store.healthy()
    return edge


async def claimed(edge: Edge, session: str) -> int:
    """Claim until it is granted, as a client does that comes again: the epoch."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                stored = await edge.claim(session)
            except StoreError:
                await asyncio.sleep(0.05)
                continue
            assert stored is not None
            return stored.binding.epoch


async def test_what_an_edge_that_was_stopped_had_is_claimed_at_once(redis: Redis, tasks: Tasks) -> None:
    one, two = await opened(Edge("one", redis.url, tasks)), await opened(Edge("two", redis.url, tasks))
    await one.begin(replace(dialog("s", 7, Checkpoint(2, 3, "state")), keys=(("task", "t-1"),)))
    one.store.journal(S, True, 3, [b"3", b"4"])
    one.store.journal(S, False, 1, [b"a"])
    one.store.remember(S, "memory")
    await one.store.close()
    stored, journals = await two.store.claim(S) or (None, None)
    assert stored == replace(dialog("s", 8, Checkpoint(2, 3, "state")), keys=(("task", "t-1"),),
                             binding=replace(binding("s", 7), epoch=8))
    assert journals == Journals((3, [b"3", b"4"]), (1, [b"a"]), "memory")
    assert await rebinding(two.store, binding("s", 9), 8) is None
    assert await two.store.find(stored.agent, stored.principal, ("task", "t-1")) == S
    assert await two.store.find(stored.agent, stored.principal, ("task", "t-2")) is None
    assert await two.claim("never there") is None
    await two.store.close()


async def test_an_edge_that_is_called_lets_go(redis: Redis, tasks: Tasks) -> None:
    one, two = await opened(Edge("one", redis.url, tasks)), await opened(Edge("two", redis.url, tasks))
    await one.begin(dialog("s"))
    assert await claimed(two, "s") == 2
    assert not one.live
    # What it still says of the session is nobody's word.
    one.store.journal(S, True, 1, [b"x"])
    one.store.remove(S)
    assert isinstance(await rebinding(one.store, binding("s", 3), 2), Conflict)
    assert (await two.store.journals(S)).from_client == (1, [])
    assert await rebinding(two.store, binding("s", 3), 2) is None
    for edge in (one, two):
        await edge.store.close()


async def test_the_death_of_an_edge_is_found_before_its_lease_is_over(redis: Redis, tasks: Tasks) -> None:
    one, two = await opened(Edge("one", redis.url, tasks)), await opened(Edge("two", redis.url, tasks))
    for number in range(50):
        await one.begin(dialog(f"s-{number}"))
    one.die()
    began = time.monotonic()
    assert await asyncio.gather(*(claimed(two, f"s-{number}") for number in range(50))) == [2] * 50
    assert time.monotonic() - began >= LOOKS_APART
    # Another edge of its name comes in its place, also before its lease is over.
    again = await opened(Edge("one", redis.url, tasks))
    for edge in (two, again):
        await edge.store.close()


async def test_a_living_edge_that_does_not_let_go_keeps_its_session_even_if_its_line_breaks(
    redis: Redis, tasks: Tasks,
) -> None:
    one, two = await opened(Edge("one", redis.url, tasks)), await opened(Edge("two", redis.url, tasks))
    await one.begin(dialog("s"))
    one.yields = False
    redis.say("CLIENT", "KILL", "TYPE", "pubsub")
    with pytest.raises(StoreError, match="edge one has session s"):
        await two.claim("s")
    assert S in one.live
    for edge in (one, two):
        await edge.store.close()


async def test_an_edge_that_is_cut_off_lets_go_before_another_one_has_its_sessions(
    redis: Redis, wire: Wire, tasks: Tasks,
) -> None:
    one = await opened(Edge("one", f"redis://127.0.0.1:{wire.port}", tasks, LEASE))
    two = await opened(Edge("two", redis.url, tasks))
    await one.begin(dialog("s"))
    wire.cut()
    began = time.monotonic()
    assert await claimed(two, "s") == 2
    had = asyncio.get_running_loop().time()
    [(_, let_go)] = one.let_go
    assert let_go < had and time.monotonic() - began > LEASE / 2
    assert "edge_fenced" in one.events and not one.store.healthy()
    assert isinstance(await creating(one.store, dialog("t")), StoreError)
    wire.heal()
    await until(one.store.healthy)
    one.store.journal(S, True, 1, [b"stale"])
    assert await creating(one.store, dialog("t")) is None
    assert (await two.store.journals(S)).from_client == (1, [])
    for edge in (one, two):
        await edge.store.close()


async def test_one_owner_at_a_time_whatever_goes_wrong(tmp_path: Path) -> None:
    """Some seconds of it; `make history` plays it for longer, from other seeds."""
    history = await play(tmp_path, 3, 2.5)
    assert len(history.tenancies) > 5


async def test_a_name_is_one_edges(redis: Redis, tasks: Tasks) -> None:
    one = await opened(Edge("one", redis.url, tasks))
    with pytest.raises(StoreError, match="there is an edge one already"):
        await Edge("one", redis.url, tasks).store.open()
    assert one.store.healthy()
    await one.store.close()


async def test_a_server_that_is_not_there_is_an_error(redis: Redis, tasks: Tasks) -> None:
    redis.stop()
    with pytest.raises(StoreError, match=r"redis://127\.0\.0\.1"):
        await Edge("one", redis.url, tasks).store.open()


async def test_a_server_that_stops_harms_no_session_and_gets_what_it_missed(redis: Redis, tasks: Tasks) -> None:
    few = Bounds(operations=1000, journal_bytes=1_000_000, interval=0.003, patience=0.1)
    one = await opened(Edge("one", redis.url, tasks, LONG, few))
    await one.begin(dialog("s"))
    redis.signal(signal.SIGSTOP)
    began = time.monotonic()
    asked, made = rebinding(one.store, binding("s", 2), 1), creating(one.store, dialog("t"))
    answers = await asked, await made
    assert all(isinstance(answer, StoreError) and not isinstance(answer, Conflict) for answer in answers)
    assert time.monotonic() - began < LONG / 4
    one.live[S] = dialog("s", 2), Journals((1, [b"1", b"2"]), (4, [b"d"]), "m")
    one.store.journal(S, True, 1, [b"1", b"2"])
    await until(lambda: one.store.dropped > 0 and "store_fails" in one.events)
    assert not one.store.healthy() and S in one.live
    redis.signal(signal.SIGCONT)
    await until(lambda: one.store.healthy() and "restated" in one.events)
    assert await one.store.journals(S) == one.live[S][1]
    # What was asked in vain may have been done all the same, or not: neither is in the way.
    assert await rebinding(one.store, binding("s", 3), 2) is None
    assert await creating(one.store, dialog("t")) is None
    await one.store.close()


async def test_a_session_of_a_predecessor_is_not_lost_to_the_old_words_of_a_server_that_came_since(
    redis: Redis, tasks: Tasks,
) -> None:
    one = await opened(Edge("one", redis.url, tasks))
    await one.begin(dialog("s", 7))
    one.store.adopt(dialog("s", 8))  # of which that server never heard
    one.live[S] = dialog("s", 8), Journals((1, []), (1, []))
    answer = await rebinding(one.store, binding("s", 9), 8)
    assert isinstance(answer, StoreError) and not isinstance(answer, Conflict)
    await until(lambda: "restated" in one.events)
    assert await rebinding(one.store, binding("s", 9), 8) is None
    assert isinstance(await rebinding(one.store, binding("s", 9), 8), Conflict), "only the first time"
    await one.store.close()


@pytest.mark.parametrize("ends", [False, True])
async def test_a_store_that_takes_nothing_more_is_not_told_the_same_on_and_on(redis: Redis, tasks: Tasks,
                                                                              ends: bool) -> None:
    few = Bounds(operations=1, journal_bytes=1_000_000, interval=0.003, patience=5.0)
    one = await opened(Edge("one", redis.url, tasks, LONG, few))
    for name in ("s", "t"):
        await one.begin(dialog(name))
    redis.signal(signal.SIGSTOP)
    asked = [rebinding(one.store, binding("s", 2), 1) for _ in range(3)]
    one.store._ours.doubt_all()
    ending = asyncio.ensure_future(QueuedStore.close(one.store)) if ends else None
    await asyncio.sleep(0)
    assert not one.store.beating() and not one.store._ours.whole
    redis.signal(signal.SIGCONT)
    for answer in asked:
        await answer
    if ending is None:
        await until(lambda: one.store.healthy() and one.store._ours.whole)
        await one.store.close()
    else:
        await ending


async def test_what_was_asked_in_vain_is_not_done_later(redis: Redis, tasks: Tasks) -> None:
    """A rebinding that was not answered in time, and that the server does when it goes on."""
    one = await opened(Edge("one", redis.url, tasks))
    await one.begin(dialog("s"))
    redis.signal(signal.SIGSTOP)
    assert isinstance(await rebinding(one.store, binding("s", 2), 1), StoreError)
    redis.signal(signal.SIGCONT)
    await until(one.store.healthy)
    assert await rebinding(one.store, binding("s", 3), 1) is None, "whether the one before was done or not"
    assert isinstance(await rebinding(one.store, binding("s", 3), 1), Conflict)
    await one.store.close()


async def test_a_server_that_comes_back_empty_is_told_all_and_gives_nothing_away_meanwhile(
    redis: Redis, tasks: Tasks,
) -> None:
    one, two = [await opened(Edge(name, redis.url, tasks, 4 * LEASE)) for name in ("one", "two")]
    for number in range(300):
        await one.begin(dialog(f"s-{number}", 7))
    await asyncio.to_thread(redis.restart)
    with pytest.raises(StoreError):  # it is not there, or nobody knows yet whose it is
        await two.claim("s-1")
    await until(lambda: one.events.count("restated") == 300 and one.store.healthy())
    await until(lambda: "store_replaced" in one.events)
    assert len(one.live) == 300
    assert await rebinding(one.store, binding("s-5", 8), 7) is None
    await claimed(two, "s-1")
    assert SessionId("s-1") not in one.live
    assert two.live[SessionId("s-1")][0].binding.epoch == 8
    for edge in (one, two):
        await edge.store.close()


async def test_a_server_that_is_emptied_is_told_all(redis: Redis, tasks: Tasks) -> None:
    one, two = [await opened(Edge(name, redis.url, tasks, 2 * LEASE)) for name in ("one", "two")]
    await one.begin(dialog("s", 7))
    await asyncio.sleep(0.01)
    redis.say("FLUSHALL")
    await until(lambda: "restated" in one.events and one.store.healthy() and two.store.healthy())
    await until(lambda: "store_replaced" in two.events)
    with pytest.raises(StoreError, match="not known yet"):
        await two.claim("s")
    assert await claimed(two, "s") == 8 and not one.live
    for edge in (one, two):
        await edge.store.close()


async def test_a_server_that_has_been_there_for_long_is_believed_at_once(redis: Redis, tasks: Tasks) -> None:
    await asyncio.to_thread(time.sleep, 2.1)
    redis.say("FLUSHALL")
    one = await opened(Edge("one", redis.url, tasks, 0.9))
    assert await one.claim("s") is None
    await one.store.close()


async def test_an_epoch_that_was_lost_with_a_server_does_not_come_again(redis: Redis, tasks: Tasks) -> None:
    one = await opened(Edge("one", redis.url, tasks))
    before = one.store.first_epoch()
    await one.begin(dialog("s", before))
    await asyncio.to_thread(redis.restart)
    await asyncio.sleep(0.05)
    assert one.store.first_epoch() > before
    await one.store.close()


async def test_of_two_that_have_a_session_the_higher_epoch_stays(redis: Redis, tasks: Tasks) -> None:
    """A claim that a server acknowledged and forgot: who had it says so again, and the one before has to go."""
    one, two = await opened(Edge("one", redis.url, tasks)), await opened(Edge("two", redis.url, tasks))
    await one.begin(dialog("s", 4))
    two.live[S] = dialog("s", 5), Journals((1, []), (1, [b"a"]))
    assert two.lost(S)
    await until(lambda: "restated" in two.events)
    one.store.journal(S, True, 1, [b"x"])
    await until(lambda: not one.live)
    assert await two.store.journals(S) == Journals((1, []), (1, [b"a"]))
    one.live[S] = dialog("s", 4), Journals((1, []), (1, []))
    assert one.lost(S)
    await until(lambda: "taken" in one.events)
    for edge in (one, two):
        await edge.store.close()


async def test_a_record_that_a_failover_brought_back_takes_no_session_from_its_owner(
    tmp_path: Path, redis: Redis, wire: Wire, tasks: Tasks,
) -> None:
    edge = await opened(Edge("one", f"redis://127.0.0.1:{wire.port}", tasks, lease=8.0))
    await edge.begin(dialog("s", 4))
    await edge.begin(dialog("t", 4))
    stale = Redis(tmp_path).start()  # what a replica has that did not hear of the latest claims and rebindings
    for session, tenure in (("s", "two/12345678"), ("t", edge.store.lease.me)):
        stale.say("HSET", f"sbc:{{{session}}}:b", "g", tenure, "e", "3", "o", "tutors/b", "r", "")
    wire.cut()
    for session in ("s", "t"):
        edge.store.journal(SessionId(session), True, 1, [b"said meanwhile"])
    asked = [rebinding(edge.store, binding(session, 5), 4) for session in ("s", "t")]
    wire.lead_to(stale.port)
    wire.heal()
    errors = await answers(asked)
    assert not any(isinstance(error, Conflict) for error in errors), "they are not another one's"
    await until(lambda: edge.events.count("restated") == 2)
    assert edge.live.keys() == {"s", "t"} and "taken" not in edge.events and not edge.let_go
    for session in ("s", "t"):
        assert edge.store.lease.me.encode() in stale.say("HGET", f"sbc:{{{session}}}:b", "g")
    stale.stop()


async def test_the_end_of_a_lease_is_not_overlooked_by_a_timer_that_rings_too_early(redis: Redis, tasks: Tasks) -> None:
    edge = await opened(Edge("one", redis.url, tasks))
    # Of uvloop a third of them do, by up to half a millisecond; and there is no other one.
    edge.store.lease.tenure.until = asyncio.get_running_loop().time() + 0.0005
    edge.store.lease._look_at_clock()
    assert edge.events == ["edge_fenced"]


async def test_what_is_stated_anew_takes_back_no_later_binding_of_the_same_edge(redis: Redis, tasks: Tasks) -> None:
    edge = await opened(Edge("one", redis.url, tasks))
    await edge.begin(dialog("s", 4))
    stated = asked(lambda done: edge.store.restate(*edge.live[S], done))
    assert await rebinding(edge.store, binding("s", 5), 4) is None and await stated is None
    assert await asked(lambda done: edge.store.restate(*edge.live[S], done)) is None
    assert await rebinding(edge.store, binding("s", 6), 5) is None


async def test_a_session_is_let_go_only_once_a_server_that_forgot_of_it_knows_it_again(
    redis: Redis, tasks: Tasks,
) -> None:
    edge = await opened(Edge("one", redis.url, tasks))
    await edge.begin(dialog("s", 4))
    edge.store._ours.patchy.add(S)  # another server, a moment ago
    call = [b"message", channel(edge.store.lease.me).encode(), b"s"]
    edge.store.lease._called(call)
    assert edge.live.keys() == {"s"} and "restated" not in edge.events
    await until(lambda: not edge.live)
    assert edge.events == ["restated"]
