"""TLS listeners of a running edge: certificates by name and by reload, resumption, new keys, and who speaks no TLS."""

import asyncio
import json
import re
import shutil
import socket
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Request, Response, Server, ServerConnection, serve
from websockets.exceptions import InvalidStatus

from tests.support.scene import Scene
from tests.support.wait import PATIENCE, wait_until
from tests.wire.tls import AUTHORITY, Caller, client_context

VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
NAMES = {"first": ("first.test", "localhost"), "second": ("second.test",), "wild": ("*.wild.test",)}


def issue(directory: Path, name: str) -> dict[str, str]:
    """Write a certificate for NAMES[name], in place of an older one if there is one."""
    cert, key = directory / f"{name}.crt", directory / f"{name}.key"
    issued = AUTHORITY.issue_cert(*NAMES[name])
    cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return {"cert": str(cert), "key": str(key)}


@pytest.fixture
async def secure(scene: Scene, tmp_path: Path) -> AsyncIterator[Scene]:
    """A scene whose one listener is a TLS listener, with a plain node behind it."""
    scene.plain("a")
    tls = {"certificates": [issue(tmp_path, name) for name in NAMES], "min_version": "1.2"}
    listener = {"name": "secure", "listen": f"127.0.0.1:{scene.edge.port}", "transports": ["websocket"], "tls": tls}
    await scene.open({"listeners": [listener]})
    yield scene
    assert "Traceback" not in scene.edge.log()


async def opened(scene: Scene, version: ssl.TLSVersion | None = None, **how: Any) -> ClientConnection:
    """A WebSocket client over TLS."""
    return await connect(f"wss://localhost:{scene.edge.port}/", ssl=client_context(version), max_size=None,
                         compression=None, proxy=None, ping_interval=None, **how)


async def asked(client: ClientConnection, n: int, pad: int = 0, ballast: int = 0) -> Any:
    """The answer to message `n`."""
    await client.send(json.dumps({"n": n, "say": 1, "pad": pad, "ballast": "x" * ballast}))
    return json.loads(await client.recv())


async def shown(scene: Scene, name: str | None) -> tuple[int, list[str]]:
    """Serial number and names of the certificate that a client is shown who asks for `name`."""
    context = client_context()
    context.check_hostname = name is not None
    caller = await Caller.connect(scene.edge.port, context, name)
    await caller.shake()
    leaf = x509.load_der_x509_certificate(caller.tls.getpeercert(binary_form=True) or b"")
    caller.sock.close()
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return leaf.serial_number, names.get_values_for_type(x509.DNSName)


async def failures(scene: Scene) -> int:
    """How many handshakes the edge says have failed."""
    _, text = await scene.edge.get("/metrics")
    found = re.search(r'sbc_refused_total\{code="tls_handshake"\} (\d+)', text)
    return int(found[1]) if found else 0


@VERSIONS
async def test_messages_short_and_long_both_ways(secure: Scene, version: ssl.TLSVersion) -> None:
    async with await opened(secure, version) as client:
        for n, pad in enumerate((0, 5_000, 20_000, 900_000), 1):
            answer = await asked(client, n, pad, pad)
            assert (answer["n"], len(answer.get("pad", ""))) == (n, pad)


async def test_certificates_by_name_and_new_ones_while_connections_live(secure: Scene, tmp_path: Path) -> None:
    assert (await shown(secure, "second.test"))[1] == ["second.test"]
    assert (await shown(secure, "any.wild.test"))[1] == ["*.wild.test"]
    assert (await shown(secure, None))[1] == ["first.test", "localhost"]
    before = await shown(secure, "second.test")
    async with await opened(secure) as client:
        assert (await asked(client, 1))["n"] == 1
        for name in NAMES:
            issue(tmp_path, name)
        assert (await secure.edge.post("/api/v1/reload"))[0] == 200
        after = await shown(secure, "second.test")
        assert after[1] == before[1] and after[0] != before[0]
        assert (await asked(client, 2))["n"] == 2


async def test_a_higher_version_is_asked_for_after_a_reload(secure: Scene) -> None:
    async with await opened(secure, ssl.TLSVersion.TLSv1_2) as client:
        file = secure.edge.file
        secure.edge.write(file.read_text().replace("min_version: '1.2'", "min_version: '1.3'"))
        assert (await secure.edge.post("/api/v1/reload"))[0] == 200
        with pytest.raises(ssl.SSLError):
            await opened(secure, ssl.TLSVersion.TLSv1_2)
        assert (await asked(client, 1))["n"] == 1


async def test_who_speaks_no_proper_tls_is_counted_and_fills_no_log(secure: Scene) -> None:
    old = client_context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    before = len(secure.edge.log())
    caller = await Caller.connect(secure.edge.port, old)
    with pytest.raises(ssl.SSLError):
        await caller.shake()
    odd = await Caller.connect(secure.edge.port, client_context(), "oddname.test")
    with pytest.raises(ssl.SSLWantReadError):
        odd.tls.do_handshake()
    misnamed = odd.outgoing.read().replace(b"oddname", b"\xff\xfedname")
    for each in (misnamed, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", bytes(999)):
        with socket.create_connection(("127.0.0.1", secure.edge.port)) as sock:
            sock.sendall(each)
            while await asyncio.to_thread(sock.recv, 4096):
                pass

    async def counted() -> bool:
        return await failures(secure) == 4
    await wait_until(counted, "four failures")
    assert len(secure.edge.log()) == before
    caller.sock.close()
    odd.sock.close()


async def test_a_refusal_is_read_by_who_is_still_sending(secure: Scene) -> None:
    caller = await Caller.connect(secure.edge.port, client_context())
    await caller.shake()
    await caller.send_raw(caller.records(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 200_000))
    answer = await caller.read(100_000)
    assert answer.startswith(b"HTTP/1.1 431 ")
    caller.sock.close()


async def test_a_session_is_resumed_under_the_same_certificates(secure: Scene) -> None:
    first = await Caller.connect(secure.edge.port, client_context())
    await first.shake()
    await first.send_raw(first.records(b"GET / HTTP/1.0\r\n\r\n"))
    assert (await first.read(12)).startswith(b"HTTP/1.1 ")
    again = await Caller.connect(secure.edge.port, first.context, session=first.tls.session)
    await again.shake()
    assert again.tls.session_reused
    first.sock.close()
    again.sock.close()


async def test_a_slow_reader_costs_the_edge_no_more_than_its_buffers(secure: Scene) -> None:
    client = await opened(secure, max_queue=1)
    before = rss(secure.edge.pid)
    total, size = 200, 200_000
    client.transport.pause_reading()
    await client.send(json.dumps({"n": 1, "say": total, "pad": size}))
    node = secure.nodes["a"]
    await wait_until(node.numbers, "the node to have begun")
    most = 0
    for _ in range(20):
        await secure.edge.get("/healthz")
        most = max(most, rss(secure.edge.pid) - before)
    assert most < 10_000_000, f"{most} bytes more of {total * size}"
    client.transport.resume_reading()
    for m in range(1, total + 1):
        assert json.loads(await client.recv())["m"] == m
    await client.close()


def rss(pid: int) -> int:
    """Resident memory in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
async def test_new_keys_are_answered(secure: Scene, tmp_path: Path) -> None:
    authority = tmp_path / "ca.crt"
    AUTHORITY.cert_pem.write_to_path(str(authority))
    process = await asyncio.create_subprocess_exec(
        "openssl", "s_client", "-connect", f"127.0.0.1:{secure.edge.port}", "-CAfile", str(authority), "-tls1_3",
        "-msg", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    assert process.stdin is not None and process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            # s_client takes a line K for an order, and keeps it with the next line that is sent
            for line, sign in ((b"GET / HTTP/1.1\r\n", b">>> TLS 1.2, InnerContent [length 0001]\n    17"),
                               (b"K\n", b"KEYUPDATE"), (b"\r\n", b"<<< TLS 1.3, Handshake [length 0005], KeyUpdate")):
                process.stdin.write(line)
                await process.stdin.drain()
                await process.stdout.readuntil(sign)
            await process.stdout.readuntil(b"HTTP/1.1 400 ")
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_a_node_leg_over_tls_and_one_whose_certificate_is_not_trusted(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))

    async def echo(leg: ServerConnection) -> None:
        async for message in leg:
            await leg.send(message)

    def healthy(leg: ServerConnection, request: Request) -> Response | None:
        return leg.respond(HTTPStatus.OK, "well") if request.path == "/healthz" else None

    async def nodes(authority: trustme.CA) -> Server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        return await serve(echo, "127.0.0.1", 0, ssl=context, process_request=healthy, max_size=None)

    async with await nodes(AUTHORITY) as trusted, await nodes(trustme.CA()) as strange:
        pools = {name: {"nodes": [{"name": "a", "url": f"https://localhost:{node.sockets[0].getsockname()[1]}"}],
                        "probe": {"path": "/healthz", "every": "100ms"}}
                 for name, node in (("tutors", trusted), ("strangers", strange))}
        agents = {"tutor": {"pool": "tutors"}, "stranger": {"pool": "strangers", "migration": {"hold": "1s"}}}
        route = {"protocol": "opaque", "policy": "default"}
        await scene.open({"pools": pools, "agents": agents, "routes": [
            {"match": {"path": "/"}, "agent": "tutor", **route},
            {"match": {"path": "/strange"}, "agent": "stranger", **route}]})

        async def up() -> bool:
            return bool((await scene.edge.nodes())["a"]["state"] == "up")
        await wait_until(up, "the node to be up")
        async with connect(scene.edge.url, compression=None, proxy=None, max_size=None) as client:
            for size in (10, 5_000, 900_000):
                await client.send("x" * size)
                assert await client.recv() == "x" * size
        with pytest.raises(InvalidStatus):
            await connect(scene.edge.url + "strange", compression=None, proxy=None)
    assert "Traceback" not in scene.edge.log()
