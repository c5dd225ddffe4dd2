"""What leaves to a client names no node, no address, no server and nothing of ours inside: every answer that can be had
of an edge is looked through, over every transport, from a node that tells all of it."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.support.everywhere import HTTP, Got, ask
from tests.support.h2_client import H2Client, frame
from tests.support.leaky import Leaky, leaking
from tests.support.quic import secure
from tests.support.raw import frame as ws_frame
from tests.support.scene import Scene
from tests.support.wait import wait_until
from tests.wire.tls import client_context

KEY = {"X-Api-Key": "s3cret"}
DIGEST = "1ec1c26b50d5d3c58d9583181af8076655fe00756bf7285940ba3670f99fcba0"
OURS = {"session-id", "session-outcome", "session-resumed", "session-received", "session-gap", "session-expires"}
SEALED = {"session-id", "mcp-session-id", "x-chat"}
KNOWN = OURS | {
    "content-type", "content-length", "transfer-encoding", "connection", "date", "cache-control", "retry-after",
    "allow", "www-authenticate", "alt-svc", "location", "x-chat", "mcp-session-id", "vary", "keep-alive", "upgrade",
    "access-control-allow-origin", "access-control-allow-credentials", "access-control-expose-headers",
    "sec-websocket-accept", "mcp-protocol-version",
}  # fmt: skip
"""All that an answer may have of its own."""


class Looked:
    """Looks at everything that a client gets."""

    def __init__(self, scene: Scene, node: Leaky) -> None:
        self.scene = scene
        self.secrets = ["n0de", f":{node.port}", "aiohttp", "uvloop", "nghttp2", "qh3", "aioquic", "python",
                        "traceback"]  # fmt: skip
        self.statuses: set[int] = set()
        self.codes: set[int] = set()

    async def plain_ids(self) -> None:
        """Sessions' ids are the edge's and the nodes' alone."""
        self.secrets += [row["session"] for row in await self.scene.edge.sessions()]

    def text(self, where: object, said: str) -> None:
        found = [secret for secret in self.secrets if secret in said.lower()]
        assert not found, f"{where}: {found} in {said[:500]!r}"

    def answer(self, where: object, got: Got) -> Got:
        """What a node says in a body, of what it was told, is its own business."""
        self.statuses.add(got.status)
        strange = {name for name, _ in got.headers} - KNOWN
        assert not strange, f"{where}: {strange}"
        # Sealed tokens are noise, in which any word may come up.
        self.text(where, repr([(name, value) for name, value in got.headers if name not in SEALED]))
        if b'"told"' not in got.body:
            self.text(where, got.body.decode("latin-1"))
        return got

    async def close(self, where: object, client: ClientConnection) -> None:
        """How a WebSocket is closed by the edge."""
        with pytest.raises(ConnectionClosed):
            while True:
                await client.recv()
        assert client.close_code is not None
        self.codes.add(client.close_code)
        self.text(where, client.close_reason or "")


@pytest.fixture
async def looked(scene: Scene) -> AsyncIterator[Looked]:
    async with leaking() as node:
        keys = {"api_keys": {"keys": [{"name": "n0de-acme", "sha256": DIGEST}]}}
        routes = [("/", "opaque", "tutor", "default", {"header": "X-Chat"}),
                  ("/events", "sse", "tutor", "default", None),
                  ("/alone", "opaque", "tutor", "default", None), ("/mcp", "mcp", "tutor", "default", None),
                  ("/a2a", "a2a", "tutor", "default", None), ("/v1", "openai", "tutor", "default", None),
                  ("/auth", "opaque", "tutor", "auth", None), ("/shut", "opaque", "tutor", "shut", None),
                  ("/nobody", "opaque", "lonely", "default", None), ("/dead", "opaque", "dead", "default", None),
                  ("/few", "opaque", "tutor", "few", {"header": "X-Chat"})]
        changes: dict[str, Any] = {
            "edge": {"name": "n0de-edge"},
            "pools": {"tutors": {"nodes": [{"name": "n0de-name", "url": f"http://{node.place}", "zone": "n0de-zone"}]},
                      "n0de-empty": {}, "n0de-dead": {"nodes": [{"name": "n0de-x", "url": "http://127.0.0.1:9"}]}},
            "agents": {"tutor": {"migration": {"hold": "300ms"}}, "lonely": {"pool": "n0de-empty"},
                       "dead": {"pool": "n0de-dead"}},
            "policies": {"default": {"limits": {"head": "4KiB", "body": "4KiB", "message": "4KiB"}},
                         "auth": {"auth": keys},
                         "shut": {"access": {"methods": ["GET"], "origins": ["https://our.test"]}, "auth": keys},
                         "few": {"limits": {"sessions_per_principal": 1, "messages_per_second": 1, "burst": "1s"}}},
            "routes": [{"match": {"path": path, "host": None}, "protocol": protocol, "agent": agent, "policy": policy,
                        "session": key} for path, protocol, agent, policy, key in routes]}  # fmt: skip
        scene.edge.configure([], secure(scene, changes))
        scene.edge.start()
        await scene.edge.ready()

        async def up() -> bool:
            return (await scene.edge.nodes())["n0de-name"]["state"] == "up"
        await wait_until(up, "the node is up")
        yield Looked(scene, node)
    assert "Traceback" not in scene.edge.log()


async def test_everything_that_leaves(looked: Looked) -> None:
    for over in HTTP:
        await walk(looked, over)
    await no_heads_and_no_frames(looked)
    await closes(looked)
    assert looked.statuses >= {200, 302, 400, 401, 403, 404, 405, 413, 429, 431, 502, 503}, looked.statuses


async def walk(looked: Looked, over: str) -> None:
    """All that requests can be answered with."""
    async def get(path: str, headers: dict[str, str] | None = None, **how: Any) -> Got:
        return looked.answer((over, path, headers), await ask(over, looked.scene, path, headers, **how))

    chat = {"X-Chat": f"c{over}"}
    await get("/ask", chat)
    await looked.plain_ids()
    await get("/alone/x")
    await get("/events", {"Accept": "text/event-stream"})
    assert (await get("/moved?kind=node", chat)).header("location") == "/ask?a=1"
    assert (await get("/moved?kind=else", chat)).header("location") == "https://elsewhere.test/x"
    for path in ("/cut", "/cut?late=1", "/alone/cut"):
        for method in ("GET", "POST"):
            await get(path, chat, method=method)
    start = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
    rpc = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    for path, method, params in (("/mcp", "initialize", start), ("/mcp", "tools/list", {}), ("/a2a", "nothing", None),
                                 ("/a2a", "tasks/get", {"id": 1}), ("/v1/responses", "x", {})):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        await get(path, rpc, method="POST", body=body)
        await get(path, rpc, method="POST", body=b"{")
        await get(path, rpc | {"Mcp-Session-Id": "x"}, method="POST", body=body)
    card = json.loads((await get("/a2a/.well-known/agent-card.json")).body)
    assert card["url"].startswith("https://") and card["url"].endswith("/a2a")
    for headers, path, method, body in (
        ({"Session-Id": "k1.AAAA"}, "/ask", "GET", b""), ({"X_Forwarded_For": "x"}, "/ask", "GET", b""),
        ({"X-Big": "x" * 5000}, "/ask", "GET", b""), ({}, "/ask/%2e%2e/x", "GET", b""),
        ({}, "/ask", "POST", b"x" * 5000),
        ({}, "/auth", "GET", b""), ({"X-Api-Key": "wrong"}, "/auth", "GET", b""), (KEY, "/shut", "DELETE", b""),
        (KEY | {"Origin": "https://other.test"}, "/shut", "GET", b""), ({}, "/nobody", "GET", b""),
        ({}, "/dead", "GET", b""), ({"Received": "1", "Session-Received": "x"}, "/ask", "GET", b""),
    ):  # fmt: skip
        await get(path, headers, method=method, body=body)
    for number in range(4):
        await get("/few", {"X-Chat": str(number)})
    got = await get("/shut", {"Origin": "https://our.test"})
    assert (got.status, got.header("access-control-allow-origin")) == (401, "https://our.test"), "its page may read why"
    got = await get("/auth", {"Origin": "https://our.test"})
    assert got.header("access-control-allow-origin") == "", "nobody has said that pages may"


async def no_heads_and_no_frames(looked: Looked) -> None:
    """What is said to bytes that are none of HTTP."""
    scene = looked.scene
    for raw in (b"nonsense\r\n\r\n", b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
                b"GET /ask HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                b"GET /ask HTTP/1.1\r\nHost: a\r\nX-Big: " + b"x" * 70_000 + b"\r\n\r\n",
                b"GET /ask HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
                b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
                b"POST /ask HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", scene.edge.port, ssl=offering("http/1.1"), server_hostname="localhost")
        writer.write(raw)
        said = (await reader.read(65536)).decode("latin-1")
        assert said.startswith("HTTP/1.1 "), (raw[:40], said)
        looked.text(raw[:40], said)
        writer.transport.abort()
    for spoilt in (frame(0, 0, 1, b"x"), frame(1, 4, 1, b"\xff\xff\xff"), frame(8, 0, 0, b"\0\0\0\0"),
                   frame(4, 0, 1, b""), frame(6, 0, 0, b"x"), frame(9, 4, 1, b"x")):
        second = await H2Client.connect(scene.edge.port, tls=offering("h2"))
        raw_read = b""
        await second.raw(spoilt)
        while chunk := await second.reader.read(65536):
            raw_read += chunk
        looked.text(spoilt, raw_read.decode("latin-1"))
        second.drop()


def offering(protocol: str) -> ssl.SSLContext:
    """A client's context."""
    context = client_context()
    context.set_alpn_protocols([protocol])
    return context


async def closes(looked: Looked) -> None:
    """How WebSockets are refused, and how they end; the edge is stopped by it."""
    scene = looked.scene

    async def opened(path: str = "/ask", **headers: str) -> ClientConnection:
        client = await connect(f"wss://localhost:{scene.edge.port}{path}", ssl=client_context(), proxy=None,
                               compression=None, ping_interval=None,
                               additional_headers={name.replace("_", "-"): value for name, value in headers.items()})
        assert client.response is not None
        looked.answer(path, Got(101, [(k.lower(), v) for k, v in client.response.headers.raw_items()], b""))
        return client
    for path, headers in (("/auth", {}), ("/nobody", {}), ("/dead", {}), ("/ask", {"Session_Id": "k1.AA"}),
                          ("/ask", {"Session_Received": "x"}), ("/shut", {"Origin": "https://other.test"})):
        with pytest.raises(InvalidStatus) as why:
            await opened(path, **headers)
        answer = why.value.response
        looked.answer(path, Got(answer.status_code, [(k.lower(), v) for k, v in answer.headers.raw_items()],
                                answer.body or b""))  # fmt: skip
    for spoilt in (b"\xff\xff", ws_frame(1, b"\xff"), ws_frame(1, b"x" * 5000), ws_frame(3, b"")):
        client = await opened()
        client.transport.write(spoilt)
        await looked.close(spoilt[:4], client)
    first = await opened()
    assert first.response is not None
    token = first.response.headers["Session-Id"]
    second = await opened(Session_Id=token, Session_Received="0")
    await looked.close("taken over", first)
    await scene.edge.post("/api/v1/revocations", {"principal": "address:127.0.0.1", "seconds": 1})
    await looked.close("revoked", second)
    await scene.edge.get("/api/v1/revocations/principal/address:127.0.0.1", "DELETE")
    third = await opened()
    await third.send("x")
    await third.recv()
    last = [await opened()]
    await scene.edge.stop()
    await looked.close("stopped", third)
    await looked.close("stopped", last[0])
    assert looked.codes >= {1002, 1007, 1008, 1009, 1012, 4409}, looked.codes
