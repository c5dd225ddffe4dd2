"""Client certificates on a listener: who is let in, and whom requests and hellos say that it is."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import trustme

from sbc.telemetry.metrics import QuicTally
from sbc.tls import Vouching
from sbc.transports.entrance import DoorTerms, protocols
from sbc.transports.listener import Listener, Security
from sbc.transports.sockets import Sockets, bind_all
from tests.support.h2_client import H2Client
from tests.support.wait import wait_until
from tests.transports.desk import Desk
from tests.transports.door import issued
from tests.transports.test_http2 import CONNECT
from tests.wire.tls import client_context

TRANSPORTS = frozenset({"http1", "http2", "websocket"})
CLIENTS, STRANGERS = trustme.CA(), trustme.CA()

GET = b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n"
UPGRADE = (b"GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest_asyncio.fixture(params=[True, False], ids=["required", "optional"])
async def port(request: pytest.FixtureRequest, tmp_path: Path, desk: Desk) -> AsyncIterator[int]:
    ca = tmp_path / "clients.pem"
    CLIENTS.cert_pem.write_to_path(ca)
    security = Security((issued(tmp_path),), "1.2", tuple(protocols(TRANSPORTS)), Vouching(str(ca), request.param))
    listener = Listener("door", desk, security, DoorTerms(TRANSPORTS), QuicTally())
    yield await listener.start(bind_all("127.0.0.1", 0, listener.terms, Sockets()))
    listener.close()
    listener.retire()
    listener.end()
    await wait_until(lambda: desk.here == 0, "every connection is counted off")


def bearing(authority: trustme.CA | None, version: ssl.TLSVersion | None = None, alpn: str = "http/1.1"
            ) -> ssl.SSLContext:
    context = client_context(version)
    context.set_alpn_protocols([alpn])
    if authority is not None:
        authority.issue_cert("robot.test").configure_cert(context)
    return context


async def dialled(port: int, context: ssl.SSLContext) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
async def test_a_request_says_whose_certificate_came(port: int, desk: Desk, version: ssl.TLSVersion) -> None:
    _, writer = await dialled(port, bearing(CLIENTS, version))
    writer.write(GET)
    await wait_until(lambda: desk.talks, "the request")
    assert desk.talks[0].request.certificate == "dns:robot.test"
    writer.transport.abort()


async def test_a_hello_says_it_too(port: int, desk: Desk) -> None:
    _, writer = await dialled(port, bearing(CLIENTS))
    writer.write(UPGRADE)
    await wait_until(lambda: desk.doors, "the hello")
    assert desk.doors[0][1].certificate == "dns:robot.test"
    writer.transport.abort()


async def test_over_http2(port: int, desk: Desk) -> None:
    client = H2Client()
    client.reader, client.writer = await dialled(port, bearing(CLIENTS, alpn="h2"))
    client.h2.initiate_connection()
    await client.flush()
    await client.ask(b"/wait")
    await client.ask(fields=CONNECT, end=False)
    await wait_until(lambda: desk.talks and desk.doors, "the request and the hello")
    assert desk.talks[0].request.certificate == desk.doors[0][1].certificate == "dns:robot.test"
    client.drop()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
async def test_a_certificate_that_nobody_vouches_for_ends_the_handshake(
        port: int, desk: Desk, version: ssl.TLSVersion) -> None:
    with pytest.raises(OSError):  # of TLS, or a reset: it depends on the version
        reader, writer = await dialled(port, bearing(STRANGERS, version))
        writer.write(GET)
        if not await reader.read():
            raise ConnectionResetError
    assert not desk.talks


async def test_without_a_certificate(port: int, desk: Desk, request: pytest.FixtureRequest) -> None:
    required = request.node.callspec.params["port"]
    try:
        reader, writer = await dialled(port, bearing(None))
        writer.write(GET)
        if required:
            assert not await reader.read()
        else:
            await wait_until(lambda: desk.talks, "the request")
            assert desk.talks[0].request.certificate == ""
            writer.transport.abort()
    except OSError:
        assert required
    assert bool(desk.talks) is not required


async def test_nobody_resumes_a_session_without_the_certificate_being_looked_at(port: int, desk: Desk) -> None:
    context = bearing(CLIENTS, ssl.TLSVersion.TLSv1_3)
    reader, writer = await dialled(port, context)
    writer.write(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.read(1)
    assert not writer.get_extra_info("ssl_object").session.has_ticket
    writer.transport.abort()
