"""Nodes that are found in files, in DNS (dnsmasq), with Kubernetes (tests/support/kube.py); an edge that has them."""

import asyncio
import json
import shutil
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from sbc.config.model import Address, Discover, DnsNames, EndpointSlices, NodeFiles
from sbc.core.discovery import Found
from sbc.model.ids import PoolName
from sbc.runtime.finders import follow
from tests.support.daemon import Daemon
from tests.support.edge import free_port
from tests.support.kube import ApiServer, api_server, endpoint
from tests.support.oracle import exactly_once
from tests.support.scene import Scene
from tests.support.wait import wait_until

POOL = PoolName("tutors")
EVERY = 0.1
DNSMASQ = shutil.which("dnsmasq")


class Seen:
    """What was reported."""

    def __init__(self) -> None:
        self.nodes: Sequence[Found] = ()
        self.times: list[float] = []
        """When it was answered."""
        self.faults: list[str] = []

    def found(self, nodes: Sequence[Found]) -> None:
        self.nodes = nodes
        self.times.append(time.monotonic())

    def failed(self, why: str) -> None:
        self.faults.append(why)

    @property
    def answers(self) -> int:
        return len(self.times)

    @property
    def urls(self) -> list[str]:
        return sorted(("leaving " if one.leaving else "") + one.node.url for one in self.nodes)

    async def has(self, *urls: str) -> None:
        await wait_until(lambda: self.urls == sorted(urls), f"{urls}, not {self.urls} {self.faults[-1:]}")


@asynccontextmanager
async def followed(where: DnsNames | NodeFiles | EndpointSlices) -> AsyncIterator[Seen]:
    seen = Seen()
    terms = Discover(where, EVERY, 3600.0, "http", 5, "z9", {})
    task = asyncio.ensure_future(follow(POOL, terms, seen))
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled(), task


# Files.


async def test_files_are_read_again_when_they_change(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.json"
    one.write_text("- {name: a, url: 'http://10.0.0.1:9000', zone: z1}\n")
    async with followed(NodeFiles((str(one), str(two)))) as seen:
        await wait_until(lambda: any("two.json" in why for why in seen.faults), "the second one is missing")
        two.write_text(json.dumps([{"name": "b", "url": "http://10.0.0.2:9000", "capacity": 3}]))
        await seen.has("http://10.0.0.1:9000", "http://10.0.0.2:9000")
        assert [(found.node.id, found.node.zone, found.node.capacity) for found in seen.nodes] == [
            ("tutors/a", "z1", 1000), ("tutors/b", "", 3)]
        answers = seen.answers
        one.write_text("- {name: a, url: 10.0.0.1}\n")
        await wait_until(lambda: f"{one}:1:18: 0.url: not a URL of a node" in seen.faults[-1], "the fault is named")
        assert seen.answers == answers
        draft = tmp_path / "draft"
        draft.write_text("- {name: c, url: 'http://10.0.0.3:9000'}\n")
        draft.replace(one)
        await seen.has("http://10.0.0.2:9000", "http://10.0.0.3:9000")


# DNS.


class Dns(Daemon):
    """dnsmasq, with addresses from a file of hosts and one service."""

    def __init__(self, place: Path) -> None:
        super().__init__()
        self.port, self._hosts, self._place = free_port(), place / "hosts", place

    def start(self, hosts: str, *options: str) -> None:
        assert DNSMASQ is not None
        self._hosts.write_text(hosts)
        self.run([
            DNSMASQ, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--no-daemon",
            f"--port={self.port}", "--listen-address=127.0.0.1", "--bind-interfaces", "--local=/internal/",
            "--local-ttl=1", f"--addn-hosts={self._hosts}", f"--pid-file={self._place}/pid", *options,
        ], self._place / "log")  # fmt: skip

    def change(self, hosts: str) -> None:
        self._hosts.write_text(hosts)
        self.signal(signal.SIGHUP)


@pytest.fixture
def dns(tmp_path: Path) -> Iterator[Dns]:
    server = Dns(tmp_path)
    yield server
    server.stop()


needs_dnsmasq = pytest.mark.skipif(DNSMASQ is None, reason="dnsmasq is not installed")


def names(dns: Dns, name: str = "tutors.internal", *, srv: bool = False) -> DnsNames:
    return DnsNames(name, None if srv else 9000, srv, (Address("127.0.0.1", dns.port),))


async def watch_addresses(dns: Dns) -> None:
    async with followed(names(dns)) as seen:
        await seen.has("http://10.0.0.1:9000", "http://10.0.0.2:9000", "http://[fd00::1]:9000")
        assert {found.node.name for found in seen.nodes} == {"10.0.0.1-9000", "10.0.0.2-9000", "fd00--1-9000"}
        assert {(found.node.zone, found.node.capacity) for found in seen.nodes} == {("z9", 5)}
        dns.change("10.0.0.2 tutors.internal\n")
        await seen.has("http://10.0.0.2:9000")
        dns.change("")
        await seen.has()
        dns.change("10.0.0.2 tutors.internal\n")
        await seen.has("http://10.0.0.2:9000")
        dns.signal(signal.SIGSTOP)
        await wait_until(lambda: seen.faults, "nobody answers")
        assert seen.urls == ["http://10.0.0.2:9000"]
        dns.signal(signal.SIGCONT)
        answers = seen.answers
        await wait_until(lambda: seen.answers > answers, "it answers again")


@needs_dnsmasq
@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_addresses_in_dns(dns: Dns, run: Callable[[Awaitable[None]], None]) -> None:
    dns.start("10.0.0.1 tutors.internal\n10.0.0.2 tutors.internal\nfd00::1 tutors.internal\n")
    run(watch_addresses(dns))


@needs_dnsmasq
async def test_services_in_dns(dns: Dns) -> None:
    dns.start("", "--srv-host=_agents._tcp.internal,pod-1.internal,9001,0,10",
              "--srv-host=_agents._tcp.internal,pod-2.internal,9002,0,10",
              "--srv-host=_agents._tcp.internal,spare.internal,9003,5,10")
    async with followed(names(dns, "_agents._tcp.internal", srv=True)) as seen:
        await seen.has("http://pod-1.internal:9001", "http://pod-2.internal:9002")
        assert {found.node.name for found in seen.nodes} == {"pod-1.internal-9001", "pod-2.internal-9002"}
    async with followed(names(dns, "_others._tcp.internal", srv=True)) as seen:
        await wait_until(lambda: seen.answers, "there is none")
        assert seen.urls == []


@needs_dnsmasq
async def test_what_dns_says_is_not_asked_again_before_it_has_expired(dns: Dns) -> None:
    dns.start("10.0.0.1 tutors.internal\n")
    async with followed(names(dns)) as seen:
        await wait_until(lambda: seen.answers >= 4, "some answers")
        assert seen.times[3] - seen.times[1] > 1.8, "the TTL is a second, and `every` a tenth"


# Kubernetes.


@pytest.fixture
async def api() -> AsyncIterator[ApiServer]:
    async with api_server() as server:
        yield server


def service(api: ApiServer, token: Path | None) -> EndpointSlices:
    return EndpointSlices("tutors", "agents", "http", api.url, None if token is None else str(token), None)


async def test_endpoint_slices(api: ApiServer, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("t-1\n")
    api.page = 1
    api.put("tutors-1", endpoint("pod-1", "10.1.0.1"))
    api.put("tutors-2", endpoint("pod-2", "10.1.0.2", ready=False, serving=False))
    async with followed(service(api, token)) as seen:
        await seen.has("http://10.1.0.1:9000")
        assert (seen.nodes[0].node.id, seen.nodes[0].node.zone) == ("tutors/pod-1", "eu-1a")
        await wait_until(lambda: api.watched, "it is watched")
        api.put("tutors-2", endpoint("pod-2", "10.1.0.2"))
        await seen.has("http://10.1.0.1:9000", "http://10.1.0.2:9000")
        api.put("tutors-1", endpoint("pod-1", "10.1.0.1", ready=False, terminating=True))
        await seen.has("leaving http://10.1.0.1:9000", "http://10.1.0.2:9000")
        api.drop("tutors-1")
        await seen.has("http://10.1.0.2:9000")
        lists = api.lists
        api.bookmark()
        await asyncio.sleep(0)
        api.end_watches()
        api.put("tutors-3", endpoint("pod-3", "10.1.0.3"))
        await seen.has("http://10.1.0.2:9000", "http://10.1.0.3:9000")
        assert api.lists == lists, "the next watch goes on from where the last one was"
        assert seen.faults == []


@pytest.mark.parametrize("as_event", [False, True])
async def test_what_the_server_has_forgotten_is_listed_anew(api: ApiServer, tmp_path: Path, as_event: bool) -> None:
    api.gone_as_event = as_event
    api.put("tutors-1", endpoint("pod-1", "10.1.0.1"))
    async with followed(service(api, None)) as seen:
        await wait_until(lambda: seen.faults and "401" in seen.faults[0], "it wants a token")
    token = tmp_path / "token"
    token.write_text("t-0")
    async with followed(service(api, token)) as seen:
        await wait_until(lambda: seen.faults, "it is the wrong one")
        token.write_text("t-1")
        await seen.has("http://10.1.0.1:9000")
        await wait_until(lambda: api.watched, "it is watched")
        api.end_watches()
        api.slices.clear()
        api.put("tutors-9", endpoint("pod-9", "10.1.0.9"))
        api.forget()
        await seen.has("http://10.1.0.9:9000")
        assert api.lists == 2 and len(set(seen.faults)) == 1, "410 is no fault"


async def test_a_server_that_speaks_nonsense_changes_nothing(api: ApiServer, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("t-1")
    api.put("tutors-1", endpoint("pod-1", "10.1.0.1"))
    async with followed(service(api, token)) as seen:
        await seen.has("http://10.1.0.1:9000")
        await wait_until(lambda: api.watched, "it is watched")
        api._tell("MODIFIED", {"metadata": {}})
        await wait_until(lambda: seen.faults, "it is told of")
        api.put("tutors-2", endpoint("pod-2", "10.1.0.2"))
        await seen.has("http://10.1.0.1:9000", "http://10.1.0.2:9000")


# An edge.


async def test_nodes_that_are_found_no_more_are_drained_and_an_empty_answer_is_distrusted(scene: Scene) -> None:
    scene.plain("a", "b")
    file = scene.directory / "nodes.json"

    def write(*listed: str) -> None:
        file.write_text(json.dumps([{"name": name, "url": f"http://127.0.0.1:{scene.nodes[name].port}"}
                                    for name in listed]))  # fmt: skip
    write("a")
    pool: dict[str, Any] = {"nodes": None, "discover": {"files": {"paths": [str(file)]}, "every": "100ms"}}
    scene.edge.configure([], {"pools": {"tutors": pool}, "agents": {"tutor": {"migration": {
        "replay": "all", "output": "regenerate"}}}})  # fmt: skip
    scene.edge.start()
    await asyncio.gather(*(node.serving() for node in scene.nodes.values()))
    await scene.edge.ready()
    await scene.edge.sees(scene.nodes["a"])
    clients = await scene.talking(3)
    write("a", "b")
    await scene.edge.sees(scene.nodes["b"])
    write("b")

    async def gone() -> bool:
        rows = await scene.edge.nodes()
        return list(rows) == ["b"] and rows["b"]["sessions"] == 3
    await wait_until(gone, "the sessions are at the node that is left, and the other one is no more")
    write()
    for client in clients:
        await client.say(3)
        await client.answered()
        exactly_once(client)
        assert client.open_still
    await wait_until(lambda: "discovery_fails" in scene.edge.log(), "it is told of")
    assert list(await scene.edge.nodes()) == ["b"]
    assert await scene.edge.metric("sbc_discovery_age_seconds", pool="tutors") > 0
