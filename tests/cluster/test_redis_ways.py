"""The ways to a Redis store: with TLS and a password, found by Sentinels, spread over a cluster."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from sbc.config.store_url import redis_at
from sbc.model.errors import StoreError
from sbc.model.identity import Revocation, Revoked
from sbc.model.ids import SessionId
from sbc.runtime.tasks import Tasks
from sbc.stores.factory import BOUNDS
from sbc.stores.redis import RedisStore
from sbc.stores.redis_dial import Terms
from sbc.stores.redis_link import OneServer, connect
from tests.cluster.redis_edges import LEASE, Edge
from tests.stores.asking import answers, creating, dialog, rebinding, until
from tests.stores.asking import binding as bound
from tests.support.edge import free_port
from tests.support.redis import SENTINEL, Redis, needs_redis, needs_sentinel, stop_all
from tests.support.wait import PATIENCE

pytestmark = needs_redis

RULES = "+@read +@write +@connection +@scripting +@pubsub +client|kill +client|id +info +time ~sbc:* &sbc:*"
"""What docs/OPERATING.md says that the edge's user needs."""


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    async with Tasks() as tasks:
        yield tasks
        assert tasks.failed == 0


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[Redis, int]]:
    """A server that wants TLS, a certificate of ours, a user and a password; and its TLS port."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    for pem in issued.cert_chain_pems:
        pem.write_to_path(tmp_path / "cert.pem", append=True)
    port = free_port()
    server = Redis(
        tmp_path, f"tls-port {port}", f"tls-cert-file {tmp_path}/cert.pem", f"tls-key-file {tmp_path}/key.pem",
        f"tls-ca-cert-file {tmp_path}/ca.pem", f"user edge on >secret {RULES}",
    )
    yield server.start(), port
    server.stop()


async def test_tls_certificates_and_a_user_of_few_rights(secured: tuple[Redis, int], tmp_path: Path,
                                                         tasks: Tasks) -> None:
    server, port = secured
    right = Terms(redis_at(f"rediss://127.0.0.1:{port}/3"), PATIENCE, "edge", "secret", None, str(tmp_path / "ca.pem"),
                  (str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")))
    wrong = [replace(right, password="other"), replace(right, ca=None), replace(right, certificate=None),
             replace(right, at=redis_at(f"redis://127.0.0.1:{port}"))]
    for terms in wrong:
        with pytest.raises(StoreError):
            await RedisStore("store", "one", terms, 45.0, BOUNDS, tasks.spawn).open()
    server.seen_long_ago()
    store = RedisStore("store", "one", right, 45.0, BOUNDS, tasks.spawn)
    await store.open()
    session = replace(dialog("s"), keys=(("task", "t"),))
    assert await creating(store, session) is None
    store.journal(SessionId("s"), True, 1, [b"1"])
    assert await store.find(session.agent, session.principal, ("task", "t")) == SessionId("s")
    assert await rebinding(store, bound("s", 2), 1) is None
    assert (await store.journals(SessionId("s"))).from_client == (1, [b"1"])
    assert store.dropped == 0
    await store.close()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[Redis, Redis, Redis]]:
    """A server, its replica, and a Sentinel that watches over both."""
    first = Redis(tmp_path, "repl-ping-replica-period 1").start()
    second = Redis(tmp_path, f"replicaof 127.0.0.1 {first.port}", "repl-ping-replica-period 1").start()
    sentinel = Redis(tmp_path, f"sentinel monitor main 127.0.0.1 {first.port} 1",
                     "sentinel down-after-milliseconds main 500", "sentinel failover-timeout main 3000",
                     program=SENTINEL)
    yield first, second, sentinel.start()
    stop_all([first, second, sentinel])


@needs_sentinel
async def test_how_long_a_server_stands_says_nothing_where_sentinels_choose_among_several(
    watched: tuple[Redis, Redis, Redis], tasks: Tasks,
) -> None:
    first, _, sentinel = watched
    await until(lambda: b"uptime_in_seconds:0" not in first.say("INFO", "server"))
    await until(lambda: b"uptime_in_seconds:1\r" not in first.say("INFO", "server"))
    for url, settled in ((f"redis://127.0.0.1:{first.port}", True),
                         (f"redis+sentinel://127.0.0.1:{sentinel.port}/main", False)):
        link, _ = await connect(Terms(redis_at(url), PATIENCE))
        assert ((await link.identify()).settled > 0) is settled
        await link.close()


@needs_sentinel
async def test_a_failover_that_loses_writes_leaves_every_session_one_owner(
    watched: tuple[Redis, Redis, Redis], tasks: Tasks,
) -> None:
    first, second, sentinel = watched
    await until(lambda: b"master_link_status:up" in second.say("INFO", "replication"))
    await until(lambda: b"slave0" in first.say("INFO", "replication") and b"num-slaves\r\n$1\r\n1"
                in sentinel.say("SENTINEL", "MASTER", "main"))
    first.seen_long_ago()  # not before: a server's line of writes begins anew with its first replica
    url = f"redis+sentinel://127.0.0.1:{sentinel.port}/main"
    one, two = Edge("one", url, tasks), Edge("two", url, tasks)
    for edge in (one, two):
        await edge.store.open()
    await one.begin(dialog("s", 4))
    await one.begin(dialog("t", 4))
    await until(lambda: second.say("EXISTS", "sbc:{t}:b") == b":1\r\n")
    # From here on the replica hears nothing, for the server lets it in no more: what is acknowledged now is lost.
    second.say("CONFIG", "SET", "masterauth", "wrong")
    second.say("CLIENT", "KILL", "TYPE", "master")
    claimed = await two.claim("s")
    assert claimed is not None and claimed.binding.epoch == 5 and SessionId("s") not in one.live
    assert await rebinding(one.store, bound("t", 5), 4) is None
    one.live[SessionId("t")] = dialog("t", 5), one.live[SessionId("t")][1]
    first.stop()
    await until(lambda: b"role:master" in second.say("INFO", "replication"))
    with pytest.raises(StoreError):
        await one.claim("s")
    await until(lambda: one.store.healthy() and two.store.healthy() and "restated" in one.events + two.events)
    await until(lambda: b"two/" in second.say("HGET", "sbc:{s}:b", "g"))
    assert SessionId("s") in two.live and SessionId("t") in one.live and not two.let_go
    assert await rebinding(two.store, bound("s", 6), 5) is None
    assert await rebinding(one.store, bound("t", 6), 5) is None
    for edge in (one, two):
        await edge.store.close()


@needs_sentinel
async def test_a_server_that_another_one_stands_in_for_renews_no_lease(
    watched: tuple[Redis, Redis, Redis], tasks: Tasks,
) -> None:
    first, second, sentinel = watched
    await until(lambda: b"slave0" in first.say("INFO", "replication") and b"num-slaves\r\n$1\r\n1"
                in sentinel.say("SENTINEL", "MASTER", "main"))
    one = Edge("one", f"redis+sentinel://127.0.0.1:{sentinel.port}/main", tasks, patience=10.0)
    await one.store.open()
    first.signal(signal.SIGSTOP)
    await until(lambda: b"role:master" in second.say("INFO", "replication"))
    first.signal(signal.SIGCONT)
    beats: list[bytes] = []

    def elsewhere() -> bool:
        link = one.store._redis.link if one.store._redis is not None else None
        beats.append(first.say("INFO", "replication"))
        return isinstance(link, OneServer) and link._where[1] == second.port
    await until(elsewhere)
    assert all(b"role:master" in said for said in beats), "it was not told of it by the Sentinel meanwhile"
    await one.store.close()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[list[Redis]]:
    """Three servers, each with a third of the slots."""
    options = "cluster-enabled yes", "cluster-node-timeout 1000"
    servers = [Redis(tmp_path, *options, f"cluster-port {free_port()}").start() for _ in range(3)]
    slots = [(0, 5460), (5461, 10922), (10923, 16383)]
    for server, (begin, end) in zip(servers, slots, strict=True):
        server.say("CLUSTER", "ADDSLOTSRANGE", str(begin), str(end))
    for number, server in enumerate(servers):
        server.say("CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
    for server in servers[1:]:
        bus = server.option("cluster-port")
        servers[0].say("CLUSTER", "MEET", "127.0.0.1", str(server.port), bus)
    yield servers
    stop_all(servers)


async def test_a_cluster_has_each_session_in_one_slot(cluster: list[Redis], tasks: Tasks) -> None:
    await until(lambda: all(b"cluster_state:ok" in server.say("CLUSTER", "INFO") for server in cluster))
    url = f"redis+cluster://127.0.0.1:{cluster[0].port},127.0.0.1:{cluster[1].port}"
    one, two = Edge("one", url, tasks, LEASE), Edge("two", url, tasks, LEASE)
    await one.store.open()
    assert await answers(creating(one.store, replace(dialog(f"s-{number}"), keys=(("task", f"t-{number}"),)))
                         for number in range(60)) == [None] * 60
    sizes = [int(server.say("DBSIZE")[1:]) for server in cluster]
    assert all(size > 10 for size in sizes) and sum(sizes) >= 180
    one.store.journal(SessionId("s-7"), False, 1, [b"a", b"b"])
    ann = Revocation(Revoked.PRINCIPAL, "ann", time.time(), time.time() + 60)
    await one.store.revoke(ann)
    await two.store.open()
    assert list(await two.store.revocations()) == [ann]
    await one.store.close()
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                claimed = await two.store.claim(SessionId("s-7"))
                break
            except StoreError:  # nobody has seen this cluster for long
                await asyncio.sleep(0.1)
    assert claimed is not None and claimed[1].from_node == (1, [b"a", b"b"])
    assert claimed[0].binding.epoch == 2
    assert await two.store.find(claimed[0].agent, claimed[0].principal, ("task", "t-7")) == SessionId("s-7")
    await two.store.close()
