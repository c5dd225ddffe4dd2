"""Servers of others as nodes: nghttpd (HTTP/2 without TLS), nginx. And a WebSocket over HTTP/2 by a client on h2."""

import json
import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from websockets.frames import Frame, Opcode

from tests.support.edge import free_port
from tests.support.h2_client import H2Client
from tests.support.scene import Scene
from tests.thirdparty.http_stage import WebScene, run

pytestmark = pytest.mark.asyncio(loop_scope="module")

NGINX = """
daemon off; master_process off; pid {place}/nginx.pid; error_log stderr; events {{ }}
http {{
    access_log off; default_type application/octet-stream; gzip on; gzip_min_length 1; gzip_types text/plain;
    client_body_temp_path {place}/body; proxy_temp_path {place}/p; fastcgi_temp_path {place}/f;
    uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;
    server {{ listen 127.0.0.1:{port}; root {place}/files; types {{ text/plain txt; }} }}
}}
"""
BIG = bytes(range(256)) * 8000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def files(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WebScene]:
    """/h2 leads to nghttpd, /nginx to nginx; both serve the same files."""
    for program in ("nghttpd", "nginx", "curl"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    scene = WebScene(tmp_path_factory.mktemp("files"))
    for route in ("h2", "nginx"):
        place = scene.directory / "files" / route
        place.mkdir(parents=True)
        (place / "big").write_bytes(BIG)
        (place / "short.txt").write_text("short " * 100)
    configuration = scene.directory / "nginx.conf"
    h2 = scene.program("h2", "nghttpd", "--no-tls", "--no-content-length", "--trailer", "after: all",
                       "-d", "{place}/files", "{port}")
    port = free_port()
    configuration.write_text(NGINX.format(place=scene.directory, port=port))
    scene.program("nginx", "nginx", "-p", "{place}", "-c", str(configuration), port=port)
    pools = {"h2": [{"name": "h2", "url": f"h2c://127.0.0.1:{h2.port}"}],
             "nginx": [{"name": "nginx", "url": f"http://127.0.0.1:{port}"}]}
    await scene.open(scene.tree({
        "pools": {"tutors": None} | {name: {"nodes": nodes, "probe": {"path": None}} for name, nodes in pools.items()},
        "agents": {"tutor": None} | {name: {"pool": name} for name in pools},
        "routes": [{"match": {"path": f"/{name}"}, "agent": name} for name in pools]}))
    yield scene
    await scene.close()


@pytest.fixture(params=["--http1.1", "--http2"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("route", ["h2", "nginx"])
async def test_files(files: WebScene, route: str, version: str) -> None:
    options = ["curl", "-sS", version, "--cacert", str(files.ca)]
    got = files.directory / "got"
    await run(*options, files.url(f"/{route}/big", tls=True), "-o", str(got))
    assert got.read_bytes() == BIG
    head = await run(*options, "-I", files.url(f"/{route}/big", tls=True))
    assert " 200" in head and (f"content-length: {len(BIG)}" in head.lower()) is (route == "nginx")
    said = await run(*options, "-o", "/dev/null", "-w", "%{http_code}", files.url(f"/{route}/none", tls=True))
    assert said == "404"


async def test_parts_and_compression_of_nginx(files: WebScene, version: str) -> None:
    options = ["curl", "-sS", version, "--cacert", str(files.ca)]
    got = files.directory / "part"
    said = await run(*options, "-r", "1000-1999", "-w", "%{http_code}", "-o", str(got),
                     files.url("/nginx/big", tls=True))
    assert said == "206" and got.read_bytes() == BIG[1000:2000]
    said = await run(*options, "--compressed", "-D", "-", files.url("/nginx/short.txt", tls=True))
    assert "content-encoding: gzip" in said.lower() and "short short" in said
    tag = next(line.split()[1] for line in said.splitlines() if line.lower().startswith("etag:"))
    told = await run(*options, "-H", f"If-None-Match: {tag}", "-o", "/dev/null", "-w", "%{http_code}",
                     files.url("/nginx/short.txt", tls=True))
    assert told == "304"


async def test_trailers_of_nghttpd(files: WebScene, version: str) -> None:
    url = files.url("/h2/short.txt", tls=True)
    said = await run("curl", "-sS", "--raw", "-v", version, "-H", "TE: trailers", "--cacert", str(files.ca), url)
    assert "after: all" in said
    if version == "--http2":
        assert "after: all" in await run("nghttp", "-v", "--no-verify-peer", url)


@pytest.mark.parametrize("route", ["h2", "nginx"])
async def test_load(files: WebScene, route: str) -> None:
    said = await run("h2load", "-n300", "-c2", "-m16", files.url(f"/{route}/short.txt", tls=True))
    assert "300 succeeded, 0 failed, 0 errored" in said and "300 2xx" in said


class Socket:
    """A WebSocket on a stream of an HTTP/2 connection, by the frames of `websockets` and the HTTP/2 of `h2`."""

    def __init__(self, client: H2Client, stream: int) -> None:
        self.client = client
        self.stream = stream
        self.heard: list[Any] = []

    async def say(self, **message: Any) -> None:
        frame = Frame(Opcode.TEXT, json.dumps(message).encode())
        await self.client.send(self.stream, frame.serialize(mask=True))

    async def hears(self, count: int) -> dict[str, Any]:
        """The last of so many messages; each is shorter than 126 bytes."""
        def texts() -> list[bytes]:
            data, found = self.client.answers[self.stream].body, []
            while len(data) > 1 and len(data) >= 2 + data[1]:
                found.append(data[2:2 + data[1]])
                data = data[2 + data[1]:]
            return found
        await self.client.until(lambda: len(texts()) >= count, f"{count} messages")
        return dict(json.loads(texts()[count - 1]))


async def test_the_owner_of_a_websocket_over_http2_is_killed(tmp_path_factory: pytest.TempPathFactory) -> None:
    """RFC 8441; and another socket on the same connection does not notice."""
    scene = Scene(tmp_path_factory.mktemp("rfc8441"))
    try:
        scene.plain("a", "b")
        await scene.open({"listeners": [{"name": "plain", "listen": f"127.0.0.1:{scene.edge.port}",
                                         "transports": ["http2", "websocket"]}]}, replay="all", output="regenerate")
        client = await H2Client.connect(scene.edge.port)
        await client.until(lambda: client.settings.get(8) == 1, "the edge takes extended CONNECT")
        head = [(b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"http"),
                (b":authority", b"edge.test"), (b":path", b"/"), (b"sec-websocket-version", b"13")]
        sockets = [Socket(client, await client.ask(fields=list(head), end=False)) for _ in range(4)]
        for socket in sockets:
            await client.until(lambda socket=socket: client.answers[socket.stream].status == 200, "the socket is open")
            await socket.say(n=1)
        owners = [(await socket.hears(1))["node"] for socket in sockets]
        dead = scene.nodes[owners[0]]
        dead.kill()
        for turn in range(2, 5):
            for socket in sockets:
                await socket.say(n=turn)
                said = await socket.hears(turn)
                assert (said["m"], said["sum"]) == (turn, turn * (turn + 1) // 2)
                assert said["node"] != dead.name
        assert not any(client.answers[socket.stream].over for socket in sockets)
        client.drop()
    finally:
        await scene.close()
