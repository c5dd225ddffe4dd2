"""The prober against real servers that answer well, badly, late or not at all."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace

import pytest
from h2.errors import ErrorCodes

from sbc.model.ids import PoolName, node_id
from sbc.model.node import Node, Probe
from sbc.nodes.pool import Pool
from sbc.nodes.probe import Prober, probe_url
from tests.nodes.h2_node import H2Peer, h2_node, on_request
from tests.support.wait import PATIENCE, wait_until

A = node_id("p", "a")


def node(url: str, name: str = "a") -> Node:
    return Node(node_id("p", name), PoolName("p"), url)


class Watching:
    """A prober, and what it reported."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []
        self.reports: list[tuple[str, bool, str, float, float]] = []
        self.pool = Pool(self.spawn)
        self.prober = Prober(self.report, self.spawn, self.pool)

    def spawn(self, name: str, work: Awaitable[None]) -> None:
        self.tasks.append(asyncio.create_task(work, name=name))  # type: ignore[arg-type]

    def report(self, of: str, alive: bool, reason: str, rtt: float) -> None:
        self.reports.append((of, alive, reason, rtt, time.monotonic()))

    async def seen(self, count: int) -> list[tuple[str, bool, str, float, float]]:
        return await wait_until(lambda: self.reports[:count] if len(self.reports) >= count else [], f"{count} reports")


@pytest.fixture
async def watching() -> AsyncIterator[Watching]:
    watching = Watching()
    yield watching
    await watching.prober.close()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*watching.tasks)


@contextlib.asynccontextmanager
async def answering(answer: bytes | None) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that gives every connection `answer` (None: nothing, ever), and the requests it saw."""
    requests: list[bytes] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            requests.append(await reader.readuntil(b"\r\n\r\n"))
            if answer is not None:
                writer.write(answer)
                writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", requests
    finally:
        server.close()
        for writer in writers:
            writer.close()


def http(status: str, extra: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n{extra}\r\n".encode()


QUICK = Probe(path="/healthz?deep=1", every=0.05, timeout=0.5)


async def test_a_node_that_lives(watching: Watching) -> None:
    async with answering(http("204 No Content")) as (address, requests):
        watching.prober.watch(node(f"ws://{address}/some/path"), QUICK)
        for of, alive, reason, rtt, _ in await watching.seen(3):
            assert (of, alive, reason) == (A, True, "") and 0 < rtt < 5
        assert requests[0].startswith(b"GET /healthz?deep=1 HTTP/1.1\r\nHost: " + address.encode())


@pytest.mark.parametrize(("answer", "path", "alive", "reason"), [
    (http("302 Found", "Location: http://192.0.2.1/\r\n"), "/healthz", True, ""),
    (http("404 Not Found"), "/healthz", False, "HTTP 404"),
    (http("503 Service Unavailable"), "/healthz", False, "HTTP 503"),
    (http("503 Service Unavailable"), None, True, ""),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\nno more", "/healthz", True, ""),
    (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", None, False, None),
    (b"SSH-2.0-OpenSSH\r\n", None, False, None),
    (b"", None, False, None),
])
async def test_what_counts_as_life(watching: Watching, answer: bytes, path: str | None, alive: bool,
                                   reason: str | None) -> None:
    async with answering(answer) as (address, _):
        watching.prober.watch(node(f"http://{address}"), Probe(path=path, every=0.02, timeout=5))
        [(_, lives, why, _, _)] = await watching.seen(1)
        assert lives is alive
        assert why == reason if reason is not None else why


@pytest.mark.parametrize(("status", "path", "alive"), [(200, "/healthz", True), (503, "/healthz", False),
                                                       (503, None, True)])
async def test_a_node_that_speaks_http2_alone(watching: Watching, status: int, path: str | None, alive: bool) -> None:
    asked: list[bytes] = []

    def answer(peer: H2Peer, stream: int) -> None:
        asked.append(dict(peer.heads[stream])[b":path"])
        peer.answer(stream, status)
    async with h2_node(on_request(answer)) as other:
        deep = replace(other.node, url=other.node.url + "/deep")
        watching.prober.watch(deep, Probe(path=path, every=0.02, timeout=5))
        for _, lives, why, _, _ in await watching.seen(2):
            assert (lives, why) == (alive, "" if alive else f"HTTP {status}")
    assert set(asked) == {(path or "/").encode()}, "at the origin, as over HTTP/1.1"


@pytest.mark.parametrize(("path", "alive"), [(None, True), ("/healthz", False)])
async def test_a_node_that_speaks_http2_alone_and_resets_what_it_does_not_know(
        watching: Watching, path: str | None, alive: bool) -> None:
    """As gRPC servers do."""
    def reset(node: H2Peer, stream: int) -> None:
        node.h2.reset_stream(stream, ErrorCodes.INTERNAL_ERROR)
    async with h2_node(on_request(reset)) as other:
        watching.prober.watch(other.node, Probe(path=path, every=0.02, timeout=5))
        for _, lives, why, _, _ in await watching.seen(2):
            assert (lives, why) == (alive, "" if alive else "the node reset the stream: INTERNAL_ERROR")


async def test_a_node_that_speaks_http2_alone_and_hangs(watching: Watching) -> None:
    async with h2_node(on_request(lambda _peer, _stream: None)) as other:
        watching.prober.watch(other.node, Probe(every=0.02, timeout=0.2))
        [(_, lives, why, _, _)] = await watching.seen(1)
        assert (lives, why) == (False, "no answer in 0.2 s")


async def test_a_node_that_hangs_is_found_within_the_time_promised(watching: Watching) -> None:
    probe = Probe(every=2.0, timeout=0.2, fall=3)
    async with answering(None) as (address, _):
        watching.prober.watch(node(f"http://{address}"), probe)
        reports = await watching.seen(3)
        assert [(alive, why) for _, alive, why, _, _ in reports] == [(False, "no answer in 0.2 s")] * 3
        assert reports[2][4] - reports[0][4] < probe.every  # and not twice that


async def test_refused_connections_are_a_timeout_apart_until_judged(watching: Watching) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    watching.prober.watch(node(f"http://127.0.0.1:{port}"), Probe(every=1.5, timeout=0.1, fall=2))
    first, second, third = (report[4] for report in await watching.seen(3))
    assert 0.08 < second - first < third - second
    assert third - second > 1.4
    assert "127.0.0.1" in watching.reports[0][2]


async def test_a_node_that_is_watched_no_more_is_not_reported(watching: Watching) -> None:
    async with answering(None) as (address, requests):
        watching.prober.watch(node(f"http://{address}"), Probe(every=0.01, timeout=0.2))
        await wait_until(lambda: requests, "a probe under way")
        watching.prober.unwatch(A)
        watching.prober.unwatch(A)
        await asyncio.wait_for(asyncio.gather(*watching.tasks), PATIENCE)
    assert watching.reports == []


async def test_watching_anew_takes_the_place_of_the_old_way(watching: Watching) -> None:
    async with answering(http("200 OK")) as (old, _), answering(http("500 Broken")) as (new, _):
        watching.prober.watch(node(f"http://{old}"), QUICK)
        await watching.seen(1)
        watching.prober.watch(node(f"http://{new}"), QUICK)
        before = len(watching.reports)
        assert not any(alive for _, alive, _, _, _ in (await watching.seen(before + 3))[before:])
        assert watching.tasks[0].done() or await asyncio.wait_for(watching.tasks[0], PATIENCE) is None


async def test_closing_under_a_probe(watching: Watching) -> None:
    async with answering(None) as (address, requests):
        watching.prober.watch(node(f"http://{address}"), Probe(every=0.01, timeout=30))
        await wait_until(lambda: requests, "a probe under way")
        await watching.prober.close()
        await asyncio.wait_for(asyncio.gather(*watching.tasks), PATIENCE)
    assert watching.reports == []


async def test_a_hanging_node_does_not_hold_up_the_others(watching: Watching) -> None:
    async with answering(None) as (hangs, _), answering(http("200 OK")) as (well, _):
        for number in range(150):
            watching.prober.watch(node(f"http://{hangs}", f"hangs{number}"), Probe(every=0.01, timeout=10))
        watching.prober.watch(node(f"http://{well}"), Probe(every=0.2, timeout=5))
        assert (await watching.seen(1))[0][:2] == (A, True)


@pytest.mark.parametrize(("url", "path", "asked"), [
    ("http://n:9001", None, "http://n:9001/"), ("wss://n/deep?x=1", "/healthz", "https://n/healthz"),
    ("ws://[::1]:1/", "/a/b?c=%2F", "http://[::1]:1/a/b?c=%2F")])
def test_where_the_probe_goes(url: str, path: str | None, asked: str) -> None:
    assert str(probe_url(node(url), Probe(path=path))) == asked
