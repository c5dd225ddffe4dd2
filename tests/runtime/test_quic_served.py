"""QUIC from end to end: `sbc run` with real nodes, and clients of two libraries over UDP."""

import asyncio
import contextlib
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from cryptography import x509

from sbc.transports.sockets import bind, bind_datagrams
from tests.faults.test_http_p1 import numbers
from tests.support.asking import web
from tests.support.h3_client import H3Client
from tests.support.nursery import ROOT
from tests.support.raw import CLOSE, TEXT, RawClient, close_frame, frame, upgrade
from tests.support.scene import Scene
from tests.support.wait import PATIENCE, wait_until
from tests.wire.tls import AUTHORITY, client_context

TRUST = AUTHORITY.cert_pem.bytes()


def certificate(directory: Path, authority: trustme.CA = AUTHORITY, name: str = "edge") -> dict[str, str]:
    """Files with a certificate for localhost."""
    cert, key = directory / f"{name}.crt", directory / f"{name}.key"
    leaf = authority.issue_cert("localhost", "127.0.0.1")
    cert.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    key.write_bytes(leaf.private_key_pem.bytes())
    return {"cert": str(cert), "key": str(key)}


def secure(scene: Scene, directory: Path, *transports: str, **more: Any) -> list[dict[str, Any]]:
    """The one listener of a configuration."""
    served = list(transports) or ["http1", "http2", "websocket", "quic"]
    return [{"name": "secure", "listen": f"127.0.0.1:{scene.edge.port}", "transports": served,
             "tls": {"certificates": [certificate(directory)]}, **more}]


@contextlib.asynccontextmanager
async def knocking(scene: Scene, library: str = "aioquic", **how: Any) -> AsyncIterator[H3Client]:
    client = await H3Client.connect(scene.edge.port, library, trust=TRUST, **how)
    yield client
    client.close()


def frames(data: bytes) -> list[tuple[int, bytes]]:
    """Short frames of a server."""
    found, at = [], 0
    while at + 2 <= len(data) and at + 2 + data[at + 1] <= len(data):
        found.append((data[at] & 0x0F, data[at + 2 : at + 2 + data[at + 1]]))
        at += 2 + data[at + 1]
    return found


@pytest.mark.parametrize("engine", ["qh3", "aioquic"])
async def test_requests_events_and_websockets_and_a_client_that_moves(scene: Scene, tmp_path: Path,
                                                                      engine: str) -> None:
    scene.plain("a", "b", module="node_http")
    await scene.open(web(scene) | {"listeners": secure(scene, tmp_path), "edge": {"quic_engine": engine}})
    async with knocking(scene, "aioquic" if engine == "qh3" else "qh3") as client:
        answer = await client.get(b"/ask", more=[(b"x-chat", b"c")])
        said = json.loads(answer.body)
        assert answer.status == 200 and said["told"]["x-forwarded-proto"] == "https"
        assert said["told"]["x-forwarded-for"] == "127.0.0.1" and b"alt-svc" not in answer.fields
        stream = client.ask(b"/events?ids&count=60&every=0.02",
                            more=[(b"x-chat", b"s"), (b"accept", b"text/event-stream")])
        body = client.answers[stream]
        for moves in range(2):  # another port, in the middle of the answer; once under another id
            await client.until(lambda moves=moves: len(numbers(body.body)) >= 10 * (moves + 1), "events")
            client.rebind(change=moves == 1)
            client.ping()  # nobody can know where a client is that says nothing
        victim = scene.nodes[(await scene.edge.sessions())[0]["owner"].rpartition("/")[2]]
        victim.kill()
        assert (await client.answer(stream)).complete
        assert numbers(body.body) == list(range(1, 61))
        # The client is who it was: its session is its own there too.
        again = json.loads((await client.get(b"/ask", more=[(b"x-chat", b"c")])).body)
        assert again["told"]["session-id"] == said["told"]["session-id"]
        assert again["told"]["x-forwarded-for"] == "127.0.0.1"
    assert await scene.edge.metric("sbc_quic_moves_total") >= 2
    assert await scene.edge.metric("sbc_quic_handshakes_total") == 1
    assert "Traceback" not in scene.edge.log()


async def test_a_websocket_whose_owner_dies_and_whose_client_moves(scene: Scene, tmp_path: Path) -> None:
    scene.trunk("a", "b", checkpoint="message")
    await scene.open({"listeners": secure(scene, tmp_path)})
    plain = await RawClient.connect(scene.edge.port, tls=client_context())
    await plain.send(upgrade())
    told = await plain.head()
    assert told is not None and told.status == 101
    assert told.headers["alt-svc"] == f'h3=":{scene.edge.port}"; ma=86400'
    plain.abort()
    async with knocking(scene) as client:
        stream = client.tunnel(b"/")
        answer = client.answers[stream]
        await client.until(lambda: answer.fields, "the answer")
        assert answer.status == 200 and answer.fields[b"session-id"]
        said = 0

        async def ask(count: int) -> None:
            nonlocal said
            client.send(stream, frame(TEXT, json.dumps({"n": said + 1, "say": count, "every": 0.005}).encode()))
            said += 1

        def heard() -> list[dict[str, Any]]:
            return [json.loads(text) for opcode, text in frames(answer.body) if opcode == TEXT]
        await ask(40)
        await client.until(lambda: len(heard()) >= 5, "messages")
        client.rebind()
        client.ping()
        await client.until(lambda: len(heard()) >= 15, "messages at the new address")
        scene.nodes[heard()[0]["node"]].kill()
        await ask(3)
        await client.until(lambda: len(heard()) == 43, "all messages")
        assert len({message["node"] for message in heard()}) == 2
        client.send(stream, close_frame(1000))
        await client.until(lambda: answer.complete, "the end")
        assert frames(answer.body)[-1][0] == CLOSE
    await wait_until(lambda: _states(scene, "parked"), "only the other client's session is left")


async def _states(scene: Scene, *expected: str) -> bool:
    return [row["state"] for row in await scene.edge.sessions()] == list(expected)


async def test_it_is_advertised_and_withdrawn_and_drained_when_the_edge_stops(scene: Scene, tmp_path: Path) -> None:
    scene.plain("a", module="node_http")
    await scene.open(web(scene) | {"listeners": secure(scene, tmp_path)})
    here = f"https://localhost:{scene.edge.port}"
    trusting = client_context()
    async with knocking(scene) as client, aiohttp.ClientSession() as http:
        async with http.get(f"{here}/ask", ssl=trusting) as answer:
            assert answer.headers["Alt-Svc"] == f'h3=":{scene.edge.port}"; ma=86400'
        async with http.get(f"{here}/ask", ssl=trusting) as answer:
            assert "Alt-Svc" not in answer.headers, "once a connection is enough"
        await client.get(b"/ask")
        slow = client.ask(b"/ask?after=0.6")
        late = asyncio.create_task(_header(http, f"{here}/ask?after=0.6", trusting))
        await wait_until(lambda: len(scene.nodes["a"].history("heard")) >= 5, "both requests are under way")
        stopping = asyncio.create_task(scene.edge.stop())
        await client.until(lambda: client.goaways, "GOAWAY")
        assert (await client.answer(slow)).status == 200 and await late == "clear"
        assert await client.end() == (0x100, "")
        assert client.goaways[0] == 2**62 - 4 and client.goaways[-1] > slow
        assert await stopping == 0


async def _header(http: aiohttp.ClientSession, url: str, trusting: ssl.SSLContext) -> str:
    async with http.get(url, ssl=trusting) as answer:
        return answer.headers.get("Alt-Svc", "")


async def test_a_reload_brings_certificates_and_quic_itself_and_takes_it_away(scene: Scene, tmp_path: Path) -> None:
    scene.plain("a", module="node_http")
    tree = web(scene) | {"listeners": secure(scene, tmp_path, "http1", "http2")}
    await scene.open(tree)
    with pytest.raises((ConnectionError, AssertionError)):
        await asyncio.wait_for(H3Client.connect(scene.edge.port, trust=TRUST, idle=0.2), PATIENCE)

    async def reload(expected: int, *transports: str) -> Any:
        tree["listeners"][0]["transports"] = list(transports)
        scene.edge.configure(list(scene.nodes.values()), tree)
        status, said = await scene.edge.post("/api/v1/reload")
        assert status == expected, said
        return said

    await reload(200, "http1", "http2", "quic")
    other = trustme.CA()
    async with knocking(scene) as first:
        assert (await first.get(b"/ask")).status == 200
        certificate(tmp_path, other)
        await reload(200, "http1", "http2", "quic")
        second = await H3Client.connect(scene.edge.port, "qh3", trust=other.cert_pem.bytes())
        assert (await second.get(b"/ask")).status == (await first.get(b"/ask")).status == 200
        (tmp_path / "edge.key").write_text("no key")
        await reload(422, "http1", "http2", "quic")
        certificate(tmp_path)
        slow = first.ask(b"/ask?after=0.5")
        await wait_until(lambda: len(scene.nodes["a"].history("heard")) == 4, "it is under way")
        await reload(200, "http1", "http2")
        assert (await first.answer(slow)).status == 200
        assert await first.end() == await second.end() == (0x100, "")
        await reload(200, "http1", "http2", "quic")  # the port is free again
        async with knocking(scene) as third:
            assert (await third.get(b"/ask")).status == 200
    assert x509.load_pem_x509_certificate((tmp_path / "edge.crt").read_bytes())


async def test_quic_alone_takes_no_tcp_port(scene: Scene, tmp_path: Path) -> None:
    scene.plain("a", module="node_http")
    await scene.open(web(scene) | {"listeners": secure(scene, tmp_path, "quic", quic_retry="always")})
    with socket.socket() as sock, pytest.raises(ConnectionRefusedError):
        sock.connect(("127.0.0.1", scene.edge.port))
    async with knocking(scene) as client:
        assert (await client.get(b"/ask")).status == 200
        refused = await client.answer(client.tunnel(b"/"))
        assert refused.status == 501 or refused.reset is not None
    assert await scene.edge.metric("sbc_quic_retries_total") == 1


async def test_sockets_that_the_service_manager_holds(scene: Scene, tmp_path: Path) -> None:
    scene.plain("a", module="node_http")
    scene.edge.configure(list(scene.nodes.values()), web(scene) | {"listeners": secure(scene, tmp_path)})
    with bind("127.0.0.1", scene.edge.port) as tcp, bind_datagrams("127.0.0.1", scene.edge.port) as udp:
        _start_with(scene, udp.fileno(), tcp.fileno())
    await scene.edge.ready()
    async with knocking(scene) as client, aiohttp.ClientSession() as http:
        assert (await client.get(b"/ask")).status == 200
        async with http.get(f"https://localhost:{scene.edge.port}/ask", ssl=client_context()) as answer:
            assert answer.status == 200 and "Alt-Svc" in answer.headers


ACTIVATED = """
import fcntl, os, sys
high = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 50) for fd in sys.argv[1:3]]
for number, fd in enumerate(high):
    os.dup2(fd, 3 + number)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2", "LISTEN_FDNAMES": "secure:secure"}
os.execv(sys.executable, [sys.executable, "-m", "sbc", "run", "-c", sys.argv[3]])
"""


def _start_with(scene: Scene, *handed: int) -> None:
    """Start the edge as the service manager does, with sockets of its own."""
    with scene.edge.log_file.open("ab") as log:
        scene.edge._process = subprocess.Popen(
            [sys.executable, "-c", ACTIVATED, *map(str, handed), str(scene.edge.file)], cwd=ROOT, pass_fds=handed,
            stdout=log, stderr=log)
