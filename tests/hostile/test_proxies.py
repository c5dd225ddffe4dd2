"""An edge behind proxies: whom it believes, what its nodes and clients see of each other."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import yaml

from tests.support.edge import free_port
from tests.support.raw import Answer, RawClient, upgrade
from tests.support.scene import Scene
from tests.support.stubs import accepted
from tests.support.wait import PATIENCE, wait_until

pytestmark = pytest.mark.asyncio(loop_scope="session")

LISTENERS = {"plain": {}, "one": {"trusted_hops": 1}, "two": {"trusted_hops": 2},
             "proxied": {"proxy_protocol": "require"}}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Node:
    """Accepts WebSockets; answers requests with much about itself, and keeps the heads it is sent."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.cut = 0
        """How many requests were not finished."""
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                if "upgrade: websocket" in head.lower():
                    self.heads.append(head)
                    writer.write(accepted(head))
                    await reader.read()
                    return
                if "/healthz" not in head:
                    self.heads.append(head)
                if "transfer-encoding: chunked" in head.lower():
                    await self._body(reader)
                writer.write(b"HTTP/1.1 200 OK\r\nServer: make/1\r\nX-Powered-By: y\r\nX-Inner: z\r\nX-Shown: s\r\n"
                             b"Session-Id: plain\r\nConnection: X-Hop\r\nX-Hop: 1\r\nTrailer: X-Inner\r\n"
                             b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Inner: z\r\nX-End: e\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _body(self, reader: asyncio.StreamReader) -> None:
        self.cut += 1
        while await reader.readuntil(b"\r\n") != b"0\r\n":
            await reader.readuntil(b"\r\n")
        await reader.readuntil(b"\r\n")
        self.cut -= 1

    @property
    def told(self) -> dict[str, str]:
        """The fields of the last head."""
        return {name.lower(): value for name, _, value in
                (line.partition(": ") for line in self.heads[-1].split("\r\n")[1:] if line)}


class Ground(Scene):
    node: Node
    ports: dict[str, int]
    tree: dict[str, Any]

    async def asked(self, listener: str, *lines: str, first: bytes = b"") -> Answer:
        """The head of the answer to a request."""
        client = await self.raw(listener)
        head = "\r\n".join(["GET /a?x=1 HTTP/1.1", "Host: edge.test", "Connection: close", *lines, "", ""])
        await client.send(first, head.encode("latin-1"))
        answer = await client.head()
        assert answer is not None
        client.abort()
        return answer

    async def raw(self, listener: str) -> RawClient:
        return await RawClient.connect(self.ports[listener])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def edge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    stage = Ground(tmp_path_factory.mktemp("proxies"))
    stage.node = Node()
    await stage.node.start()
    stage.ports = {name: free_port() for name in LISTENERS}
    stage.tree = stage.edge.configure([], {
        "edge": {"h2_engine": "h2"},
        "listeners": [{"name": name, "listen": f"127.0.0.1:{stage.ports[name]}", **keys}
                      for name, keys in LISTENERS.items()],
        "pools": {"tutors": {"nodes": [{"name": "n", "url": f"http://127.0.0.1:{stage.node.port}"}]}},
        "policies": {"default": {"headers": {"hide": ["Server", "X-Inner"]},
                                 "limits": {"sessions_per_principal": 1, "body": "1KiB"}}},
    })
    stage.edge.start()
    await stage.edge.ready()
    yield stage
    assert "Traceback" not in stage.edge.log(), stage.edge.log()
    stage.node.stop()
    await stage.close()


async def test_what_the_policy_hides_is_hidden(edge: Ground) -> None:
    client = await edge.raw("plain")
    await client.send(b"GET / HTTP/1.1\r\nHost: edge.test\r\nConnection: close\r\n\r\n")
    answer = await client.head()
    assert answer is not None and answer.status == 200
    assert (answer.headers["x-shown"], answer.headers["x-powered-by"]) == ("s", "y")
    assert not {"server", "x-inner", "x-hop", "trailer"} & set(answer.headers)
    assert answer.headers.get("session-id") != "plain"
    rest = await client.reader.read()
    assert b"x-end: e" in rest.lower() and b"inner" not in rest.lower()


@pytest.mark.parametrize("value", [TRACE, "not-valid"])
async def test_traceparent_is_carried_on_as_it_is(edge: Ground, value: str) -> None:
    await edge.asked("plain", f"traceparent: {value}", "tracestate: a=1")
    assert (edge.node.told["traceparent"], edge.node.told["tracestate"]) == (value, "a=1")
    await edge.asked("plain")
    assert "traceparent" not in edge.node.told


@pytest.mark.parametrize(("listener", "chain"), [
    ("plain", "127.0.0.1"), ("one", "192.0.2.1, 127.0.0.1"), ("two", "203.0.113.9, 192.0.2.1, 127.0.0.1"),
])
async def test_nodes_learn_of_the_client_as_far_as_proxies_are_trusted(
    edge: Ground, listener: str, chain: str
) -> None:
    said = ["X-Forwarded-For: 203.0.113.9, 192.0.2.1", "X-Forwarded-Proto: https", "X-Real-IP: 6.6.6.6"]
    assert (await edge.asked(listener, *said)).status == 200
    scheme = "http" if listener == "plain" else "https"
    first, *others = chain.split(", ")
    for_others = "".join(f", for={other}" for other in others)
    for told in (edge.node.told, await greeted(edge, listener, *said)):
        assert (told["x-forwarded-for"], told["x-forwarded-proto"]) == (chain, scheme)
        assert told["forwarded"] == f"for={first};proto={scheme};host=edge.test{for_others}"
        assert "x-real-ip" not in told


async def greeted(edge: Ground, listener: str, *lines: str, first: bytes = b"") -> dict[str, str]:
    """What the node is told with a WebSocket, which is closed again."""
    client = await opened(edge, listener, *lines, first=first)
    told = edge.node.told
    client.abort()
    return told


async def opened(edge: Ground, listener: str, *lines: str, first: bytes = b"", status: int = 101) -> RawClient:
    client = await edge.raw(listener)
    await client.send(first, upgrade("/", *lines))
    answer = await client.head()
    assert answer is not None and answer.status == status, answer
    return client


async def test_sessions_belong_to_the_client_and_not_to_the_proxy(edge: Ground) -> None:
    clients = [await opened(edge, "one", f"X-Forwarded-For: 198.51.100.{number}") for number in (1, 2, 3)]
    await opened(edge, "one", "X-Forwarded-For: 203.0.113.1, 198.51.100.2", status=429)
    clients += [await opened(edge, "proxied", first=b"PROXY TCP4 198.51.100.4 10.0.0.1 1 2\r\n")]
    await opened(edge, "proxied", first=b"PROXY TCP4 198.51.100.4 10.0.0.1 1 2\r\n", status=429)
    for client in clients:
        client.abort()


async def test_operators_are_told_who_was_refused_and_not_by_which_proxy(edge: Ground) -> None:
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    events = f"http://127.0.0.1:{edge.edge.admin}/api/v1/events"
    async with aiohttp.ClientSession(timeout=timeout) as http, http.get(events) as stream:
        bad = ["X-Forwarded-For: 198.51.100.9", "X_Forwarded_For: 6.6.6.6"]
        assert (await edge.asked("one", *bad)).status == 400
        await opened(edge, "one", *bad, status=400)
        told: list[tuple[str, str, str]] = []
        async for line in stream.content:
            if line.startswith(b"data:") and b"header_look_alike" in line:
                event = json.loads(line[5:])
                told.append((event["client"], event["path"], event["code"]))
            if len(told) == 2:
                break
        assert told == [("198.51.100.9", path, "header_look_alike") for path in ("/a", "/")]


async def test_two_answers_to_who_the_client_is_are_none(edge: Ground) -> None:
    two = ["X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.2"]
    assert (await edge.asked("one", *two)).status == 400
    await opened(edge, "one", *two, status=400)
    assert (await edge.asked("plain", *two)).status == 200


async def test_a_tcp_proxy_says_who_the_client_is(edge: Ground) -> None:
    first = b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n"
    assert (await edge.asked("proxied", "X-Forwarded-For: 6.6.6.6", first=first)).status == 200
    for told in (edge.node.told, await greeted(edge, "proxied", first=first)):
        assert (told["x-forwarded-for"], told["forwarded"]) == (
            "2001:db8::1", 'for="[2001:db8::1]";proto=http;host=edge.test')
    client = await edge.raw("proxied")
    await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert await client.head() is None
    assert await edge.edge.metric("sbc_refused_total", code="proxy_protocol") >= 1


async def test_a_body_has_a_bound(edge: Ground) -> None:
    before = len(edge.node.heads)
    assert (await edge.asked("plain", "Content-Length: 1025")).status == 413
    assert len(edge.node.heads) == before
    client = await edge.raw("plain")
    await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
                      b"400\r\n" + bytes(1024) + b"\r\n")
    await wait_until(lambda: edge.node.cut == 1, "the node has the request")
    await client.send(b"1\r\nx\r\n")
    answer = await client.head()
    assert answer is not None
    assert (answer.status, answer.headers["session-outcome"]) == (413, "unknown")
    assert json.loads(await client.reader.readexactly(int(answer.headers["content-length"])))["error"]["code"] == (
        "body_too_large")
    assert await client.ended()


async def test_a_reload_changes_who_is_believed(edge: Ground) -> None:
    changed = [{**listener, "trusted_hops": 1} if listener["name"] == "plain" else listener
               for listener in edge.tree["listeners"]]
    edge.edge.write(yaml.safe_dump({**edge.tree, "listeners": changed}))
    assert (await edge.edge.post("/api/v1/reload"))[0] == 200
    await edge.asked("plain", "X-Forwarded-For: 192.0.2.7")
    assert edge.node.told["x-forwarded-for"] == "192.0.2.7, 127.0.0.1"
    edge.edge.write(yaml.safe_dump(edge.tree))
    assert (await edge.edge.post("/api/v1/reload"))[0] == 200


async def test_a_policy_rewrites_heads_both_ways(edge: Ground) -> None:
    changed = json.loads(json.dumps(edge.tree))
    changed["policies"]["default"]["limits"]["sessions_per_principal"] = 100
    changed["policies"]["default"]["headers"] = {
        "set": {"X-Frame-Options": "DENY", "x-shown": "ours"}, "remove": ["Cookie"], "tell": {"X-Tier": "gold"}}
    edge.edge.write(yaml.safe_dump(changed))
    assert (await edge.edge.post("/api/v1/reload"))[0] == 200
    try:
        answer = await edge.asked("plain", "Cookie: a=b", "X-Tier: mine", "X-One: 1")
        assert answer.headers["x-frame-options"] == "DENY" and answer.headers["x-shown"] == "ours"
        assert edge.node.told["x-tier"] == "gold" and edge.node.told["x-one"] == "1" and "cookie" not in edge.node.told
        socket = await edge.raw("plain")
        await socket.send(upgrade("/a", "Cookie: a=b", "X-Tier: mine", "X-One: 1"))
        opened = await socket.head()
        assert opened is not None and opened.status == 101
        assert edge.node.told["x-tier"] == "gold" and edge.node.told["x-one"] == "1" and "cookie" not in edge.node.told
        socket.abort()
        _, shown = await edge.edge.get("/api/v1/config")
        assert "gold" not in json.dumps(shown) and "DENY" in json.dumps(shown)
    finally:
        edge.edge.write(yaml.safe_dump(edge.tree))
        assert (await edge.edge.post("/api/v1/reload"))[0] == 200
