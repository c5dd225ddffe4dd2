"""Requests that two readers could read in two ways: none reaches a node, and no client gets the answer of another."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.edge import Edge
from tests.support.raw import RawClient, upgrade
from tests.support.wait import PATIENCE, wait_until

pytestmark = pytest.mark.asyncio(loop_scope="session")

LIMITS = {"head": "8KiB", "headers": 50, "head_timeout": "1s", "sessions_per_principal": 100000}
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: edge.test\r\n\r\n"


class Recorder:
    """A node that answers each request with its own target, and keeps what it was sent."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        """Of the requests that came whole."""
        self.faults: list[str] = []
        self.port = 0
        self._server: asyncio.Server

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                target = head.split(" ")[1]
                if not target.startswith("/healthz"):
                    self.heads.append(head)
                    self.bodies.append(await self._body(head.lower(), reader))
                body = target.encode("latin-1")
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
                             + (b"" if head.startswith("HEAD") else body))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _body(self, head: str, reader: asyncio.StreamReader) -> bytes:
        lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        if "transfer-encoding" in lines:
            if "content-length" in lines or lines["transfer-encoding"] != "chunked":
                self.faults.append(head)
            body = b""
            while size := int(await reader.readuntil(b"\r\n"), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            while await reader.readuntil(b"\r\n") != b"\r\n":
                pass
            return body
        return await reader.readexactly(int(lines.get("content-length", "0")))


class Field:
    """The edge, the node behind it, and an honest client's way through."""

    def __init__(self, edge: Edge, node: Recorder) -> None:
        self.edge, self.node = edge, node
        self._numbers = itertools.count()

    async def is_sound(self) -> None:
        """Honest clients on connections of their own get their own answers."""
        for _ in range(2):
            path = f"/honest/{next(self._numbers)}"
            client = await RawClient.connect(self.edge.port)
            await client.send(f"GET {path} HTTP/1.1\r\nHost: edge.test\r\nConnection: close\r\n\r\n".encode())
            answer = await client.head()
            assert answer is not None and answer.status == 200, answer
            assert await client.reader.readexactly(int(answer.headers["content-length"])) == path.encode()
            client.abort()
        assert not self.node.faults
        assert not any("/smuggled" in head.split("\r\n", 1)[0] for head in self.node.heads)
        assert "Traceback" not in self.edge.log()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def field(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Field]:
    node = Recorder()
    await node.start()
    edge = Edge(tmp_path_factory.mktemp("smuggling"))
    edge.configure([], {
        "listeners": [{"name": "plain", "listen": f"127.0.0.1:{edge.port}", "transports": ["http1", "websocket"]}],
        "policies": {"default": {"limits": LIMITS}},
        "pools": {"tutors": {"nodes": [{"name": "a", "url": f"http://127.0.0.1:{node.port}"}]}},
    })  # fmt: skip
    edge.start()
    await edge.ready()
    stage = Field(edge, node)

    async def answers() -> bool:
        client = await RawClient.connect(edge.port)
        await client.send(get("/up"))
        answer = await client.head()
        client.abort()
        return answer is not None and answer.status == 200

    await wait_until(answers, "the node is up")
    yield stage
    edge.kill()
    node.stop()


def get(target: str = "/bad", *lines: str, method: str = "GET", version: str = "HTTP/1.1",
        host: str = "edge.test") -> bytes:
    hosts = [f"Host: {host}"] if host else []
    return "\r\n".join([f"{method} {target} {version}", *hosts, *lines, "", ""]).encode("latin-1")


def post(*lines: str, body: bytes = b"") -> bytes:
    return get("/bad", *lines, method="POST") + body


def chunked(body: bytes) -> bytes:
    return post("Transfer-Encoding: chunked", body=body)


HEADS = {
    "length and chunks": post("Content-Length: 4", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "chunks and length": post("Transfer-Encoding: chunked", "Content-Length: 44", body=b"0\r\n\r\n"),
    "two lengths": post("Content-Length: 0", "Content-Length: 44"),
    "two equal lengths": post("Content-Length: 0", "Content-Length: 0"),
    "a list of lengths": post("Content-Length: 0, 0"),
    "a length with a plus": post("Content-Length: +3", body=b"abc"),
    "a length below zero": post("Content-Length: -3"),
    "a length in hex": post("Content-Length: 0x3", body=b"abc"),
    "a length with an underscore": post("Content-Length: 1_0", body=b"0123456789"),
    "a length in other digits": post("Content-Length: \xb2", body=b"ab"),
    "an empty length": post("Content-Length:"),
    "a length with more behind it": post("Content-Length: 3 x", body=b"abc"),
    "a length of 2^64 and a little": post("Content-Length: 18446744073709551620"),
    "a length of many digits": post("Content-Length: " + "0" * 30 + "3", body=b"abc"),
    "an unknown coding": post("Transfer-Encoding: xchunked"),
    "identity": post("Transfer-Encoding: identity"),
    "gzip": post("Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
    "two codings": post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "chunked is not last": post("Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
    "identity and chunked": post("Transfer-Encoding: identity, chunked", body=b"0\r\n\r\n"),
    "chunked twice": post("Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"),
    "a coding with VT": post("Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"),
    "a quoted coding": post('Transfer-Encoding: "chunked"', body=b"0\r\n\r\n"),
    "an empty coding": post("Transfer-Encoding:"),
    "a folded coding": post("Transfer-Encoding:\r\n chunked", body=b"0\r\n\r\n"),
    "a coding with a NUL": post("Transfer-Encoding: chunked\0", body=b"0\r\n\r\n"),
    "a space before the colon": post("Transfer-Encoding : chunked", body=b"0\r\n\r\n"),
    "chunks in HTTP/1.0": get("/bad", "Transfer-Encoding: chunked", method="POST", version="HTTP/1.0") + b"0\r\n\r\n",
    "bare LF": get().replace(b"\r\n", b"\n"),
    "one bare LF": get("/bad", "X: a\nTransfer-Encoding: chunked"),
    "bare CR": get("/bad", "X: a\rTransfer-Encoding: chunked"),
    "CR CR LF": get().replace(b"edge.test\r\n", b"edge.test\r\r\n"),
    "NUL in a value": get("/bad", "X: a\0b"),
    "NUL in a name": get("/bad", "X\0: b"),
    "leading space": get().replace(b"Host", b" Host"),
    "leading space in the first line": b" " + get(),
    "no colon": get("/bad", "nonsense"),
    "empty name": get("/bad", ": x"),
    "space in a name": get("/bad", "X Y: z"),
    "8-bit name": get("/bad", "X\xfc: z"),
    "obs-fold": get("/bad", "X: a\r\n b"),
    "no host": get(host=""),
    "two hosts": get("/bad", "Host: other.test"),
    "two equal hosts": get("/bad", "Host: edge.test"),
    "host with userinfo": get(host="a@edge.test"),
    "host with a path": get(host="edge.test/x"),
    "a list of hosts": get(host="edge.test, other.test"),
    "host with a space": get(host="edge test"),
    "empty host": get().replace(b"edge.test", b""),
    "host with a long port": get(host="edge.test:123456"),
    "another host in the target": get("http://other.test/bad"),
    "userinfo in the target": get("http://a@edge.test/bad"),
    "another scheme": get("ftp://edge.test/bad"),
    "an authority": get("edge.test:80"),
    "a tunnel": get("edge.test:80", method="CONNECT"),
    "an asterisk": get("*"),
    "HTTP/1.32": get(version="HTTP/1.32"),
    "HTTP/1.2": get(version="HTTP/1.2"),
    "HTTP/2.0": get(version="HTTP/2.0"),
    "lower-case version": get(version="http/1.1"),
    "HTTP/0.9": b"GET /bad\r\n\r\n",
    "no version": get().replace(b" HTTP/1.1", b""),
    "another protocol": get(version="RTSP/1.0"),
    "two spaces": get().replace(b"GET ", b"GET  "),
    "two spaces before the version": get().replace(b" HTTP", b"  HTTP"),
    "a tab": get().replace(b"GET ", b"GET\t"),
    "a space at the end of the line": get().replace(b"HTTP/1.1", b"HTTP/1.1 "),
    "a method that is no token": get(method="G@T"),
    "a method that nobody knows": get(method="SMUGGLE"),
    "lower-case method": get(method="get"),
    "space in the target": get("/bad x"),
    "fragment": get("/bad#x"),
    "control byte in the target": get("/bad\x01"),
    "8-bit target": get("/bad\xff"),
    "NUL in the target": get("/bad\0"),
    "encoded NUL": get("/bad%00"),
    "encoded slash": get("/a%2f..%2fbad"),
    "dots": get("/a/../bad"),
    "encoded dots": get("/a/%2e%2e/bad"),
    "long target": get("/" + "x" * 9000),
    "long head": get("/bad", "X: " + "x" * 9000),
    "many fields": get("/bad", *[f"X{n}: y" for n in range(60)]),
    "an expectation": post("Expect: 200-maybe", "Content-Length: 3", body=b"abc"),
    "an upgrade with a body": upgrade("/bad", "Content-Length: 44"),
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "two empty lines": b"\r\n\r\n" + get(),
}

STATUSES = {
    "unknown coding": {501}, "long target": {414, 431}, "long head": {431}, "many fields": {431},
    "an expectation": {417}, "a tunnel": {405, 501}, "HTTP/2.0": {505}, "a method that nobody knows": {501},
}  # fmt: skip


@pytest.mark.parametrize("what", HEADS)
async def test_no_node_hears_of_a_bad_head(field: Field, what: str) -> None:
    before = len(field.node.heads)
    client = await RawClient.connect(field.edge.port)
    await client.send(HEADS[what] + SMUGGLED)
    answer = await client.head()
    assert answer is not None and answer.status in STATUSES.get(what, {400, 405, 501, 505}), answer
    assert answer.headers["connection"] == "close"
    assert b"/smuggled" not in await rest(client), "nothing behind it is answered"
    assert len(field.node.heads) == before, "a node heard of it"
    await field.is_sound()


@pytest.mark.parametrize("line", ["Session_Id: x", "X_Forwarded_For: 10.0.0.1", "X_Real_IP: 10.0.0.1"])
async def test_look_alikes_of_our_fields_are_refused(field: Field, line: str) -> None:
    before = len(field.node.heads)
    client = await RawClient.connect(field.edge.port)
    await client.send(get("/bad", line))
    answer = await client.head()
    assert answer is not None and answer.status == 400
    assert len(field.node.heads) == before
    client.abort()
    await field.is_sound()


async def rest(client: RawClient) -> bytes:
    """All that still comes until the edge hangs up."""
    async with asyncio.timeout(PATIENCE):
        try:
            return await client.reader.read()
        except ConnectionError:
            return b""


BODIES = {
    "a size in C": chunked(b"0x3\r\nabc\r\n0\r\n\r\n"),
    "a size with a plus": chunked(b"+3\r\nabc\r\n0\r\n\r\n"),
    "a size below zero": chunked(b"-3\r\nabc\r\n0\r\n\r\n"),
    "a size with an underscore": chunked(b"0_3\r\nabc\r\n0\r\n\r\n"),
    "a size with a space before it": chunked(b" 3\r\nabc\r\n0\r\n\r\n"),
    "a size with a space behind it": chunked(b"3 \r\nabc\r\n0\r\n\r\n"),
    "no size": chunked(b"\r\nabc\r\n0\r\n\r\n"),
    "a size that is none": chunked(b"xyz\r\nabc\r\n0\r\n\r\n"),
    "a size of 2^64 and a little": chunked(b"10000000000000003\r\nabc\r\n0\r\n\r\n"),
    "a size of many digits": chunked(b"0" * 40 + b"3\r\nabc\r\n0\r\n\r\n"),
    "a size that ends in LF": chunked(b"3\nabc\r\n0\r\n\r\n"),
    "a size that ends in CR": chunked(b"3\rabc\r\n0\r\n\r\n"),
    "LF in an extension": chunked(b"3;x\ny\r\nabc\r\n0\r\n\r\n"),
    "CR in an extension": chunked(b"3;x\ry\r\nabc\r\n0\r\n\r\n"),
    "NUL in an extension": chunked(b"3;x\0\r\nabc\r\n0\r\n\r\n"),
    "a long extension": chunked(b"3;" + b"x" * 300 + b"\r\nabc\r\n0\r\n\r\n"),
    "many extensions": chunked(b"1;%b\r\na\r\n" % (b"x" * 200) * 60 + b"0\r\n\r\n"),
    "a chunk without its end": chunked(b"3\r\nabc0\r\n\r\n"),
    "a chunk that ends in LF": chunked(b"3\r\nabc\n0\r\n\r\n"),
    "a chunk too long": chunked(b"3\r\nabcd\r\n0\r\n\r\n"),
    "an end in LF": chunked(b"0\n\n"),
    "a trailer without a colon": chunked(b"0\r\nnonsense\r\n\r\n"),
    "a trailer with a space before the colon": chunked(b"0\r\nX : y\r\n\r\n"),
    "a trailer that frames": chunked(b"0\r\nContent-Length: 44\r\n\r\n"),
    "a trailer that codes": chunked(b"0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "a trailer that routes": chunked(b"0\r\nHost: other.test\r\n\r\n"),
    "a trailer in LF": chunked(b"0\r\nX: y\n\r\n"),
    "a trailer with a NUL": chunked(b"0\r\nX: a\0b\r\n\r\n"),
    "a folded trailer": chunked(b"0\r\nX: a\r\n b\r\n\r\n"),
    "many trailers": chunked(b"0\r\n" + b"X: y\r\n" * 100 + b"\r\n"),
    "long trailers": chunked(b"0\r\nX: " + b"x" * 20_000 + b"\r\n\r\n"),
}


@pytest.mark.parametrize("what", BODIES)
async def test_no_node_hears_a_bad_body_out(field: Field, what: str) -> None:
    before = len(field.node.bodies)
    client = await RawClient.connect(field.edge.port)
    await client.send(BODIES[what] + SMUGGLED)
    answer = await client.head()
    assert answer is not None and answer.status == 400, answer
    assert answer.headers["connection"] == "close"
    assert b"/smuggled" not in await rest(client), "nothing behind it is answered"
    assert len(field.node.bodies) == before, "a node took it for whole"
    await field.is_sound()


@pytest.mark.parametrize("what", ["a body that ends early", "chunks that end early"])
async def test_a_body_cut_short_is_not_whole_for_the_node(field: Field, what: str) -> None:
    before = len(field.node.bodies)
    client = await RawClient.connect(field.edge.port)
    await client.send(post("Content-Length: 100", body=b"short") if "body" in what else chunked(b"64\r\nshort"))
    await wait_until(lambda: len(field.node.heads) > before, "the node has the head")
    client.writer.write_eof()
    assert b"200 OK" not in await rest(client)
    assert len(field.node.bodies) == before
    field.node.bodies.append(b"")  # one head more than bodies from here on
    await field.is_sound()


async def test_what_is_behind_an_upgrade_that_nobody_took_is_http(field: Field) -> None:
    client = await RawClient.connect(field.edge.port)
    lines = ["Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"]
    await client.send(get("/first", *lines, "Content-Length: 5", method="POST"), b"hello", get("/second"))
    for target in (b"/first", b"/second"):
        answer = await client.head()
        assert answer is not None and answer.status == 200
        assert await client.reader.readexactly(len(target)) == target
    sent = field.node.heads[-2].lower()
    for hop in ("upgrade", "h2c", "http2-settings", "connection"):
        assert hop not in sent, sent
    client.abort()
    await field.is_sound()


async def test_fields_of_the_connection_end_at_the_edge(field: Field) -> None:
    client = await RawClient.connect(field.edge.port)
    lines = ["Connection: close, X-Secret, Content-Length, Host", "X-Secret: hop", "Keep-Alive: 5", "TE: gzip",
             "Proxy-Authorization: Basic x", "Proxy-Connection: close", "X-Forwarded-For: 10.9.9.9",
             "Forwarded: for=10.9.9.9", "X-Real-IP: 10.9.9.9", "X-Kept: 1", "Content-Length: 3"]
    await client.send(get("/hops", *lines, method="POST"), b"abc")
    answer = await client.head()
    assert answer is not None and answer.status == 200
    sent = field.node.heads[-1].lower()
    for hop in ("x-secret", "keep-alive", "te: gzip", "proxy-", "10.9.9.9", "x-real-ip"):
        assert hop not in sent, sent
    assert "x-kept: 1" in sent and "content-length: 3" in sent and "host: edge.test" in sent
    assert field.node.bodies[-1] == b"abc"
    client.abort()
    await field.is_sound()
