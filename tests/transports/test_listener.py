"""One listener, by TCP and by UDP on the same port."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sbc.telemetry.metrics import QuicTally
from sbc.transports.entrance import DoorTerms, protocols
from sbc.transports.listener import Listener, Security
from sbc.transports.sockets import Sockets, bind, bind_all, bind_datagrams
from tests.support.h2_client import H2Client
from tests.support.h3_client import H3Client
from tests.support.wait import wait_until
from tests.transports.desk import Desk, Owner
from tests.transports.door import issued
from tests.transports.quic import TRUST
from tests.transports.test_http2 import CONNECT
from tests.wire.tls import client_context

ALL = frozenset({"http1", "http2", "websocket", "quic"})


def opened(directory: Path, desk: Desk, transports: frozenset[str] = ALL) -> Listener:
    security = Security((issued(directory),), "1.2", tuple(protocols(transports)))
    return Listener("door", desk, security, DoorTerms(transports), QuicTally())


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest_asyncio.fixture
async def served(tmp_path: Path, desk: Desk) -> AsyncIterator[tuple[Listener, int]]:
    """A listener, and its port."""
    listener = opened(tmp_path, desk)
    yield listener, await listener.start(bind_all("127.0.0.1", 0, listener.terms, Sockets()))
    listener.close()
    listener.retire()
    listener.end()
    await wait_until(lambda: desk.here == 0, "every connection is counted off")


async def http2(port: int) -> H2Client:
    context = client_context()
    context.set_alpn_protocols(["h2"])
    client = H2Client()
    client.reader, client.writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="localhost")
    client.h2.initiate_connection()
    await client.flush()
    return client


async def test_the_first_answer_over_http2_tells_of_quic_and_the_last_takes_it_back(
        served: tuple[Listener, int], desk: Desk) -> None:
    listener, port = served
    client = await http2(port)
    told = b'h3=":%d"; ma=86400' % port
    assert (await client.get()).fields[b"alt-svc"] == told
    assert b"alt-svc" not in (await client.get()).fields
    stream = await client.ask(b"/wait")
    await wait_until(lambda: len(desk.talks) == 3, "a request")
    listener.close_quic()
    desk.talks[-1].answer(b"done")
    assert (await client.answer(stream)).fields[b"alt-svc"] == b"clear"
    client.drop()
    newcomer = await http2(port)
    assert b"alt-svc" not in (await newcomer.get()).fields
    newcomer.drop()


async def test_a_websocket_over_http2_tells_of_quic(served: tuple[Listener, int], desk: Desk) -> None:
    client = await http2(served[1])
    stream = await client.ask(fields=CONNECT, end=False)
    await wait_until(lambda: desk.doors, "the hello")
    link, _ = desk.doors[0][0].admit([], Owner())
    await client.until(lambda: client.answers[stream].fields, "the 200")
    assert client.answers[stream].fields[b"alt-svc"].startswith(b"h3=")
    link.abort()
    client.drop()


async def test_sockets_that_are_given_are_served(tmp_path: Path, desk: Desk) -> None:
    given = Sockets(bind("127.0.0.1", 0), bind_datagrams("127.0.0.1", 0))
    assert given.stream is not None and given.datagrams is not None
    tcp, udp = given.stream.getsockname()[1], given.datagrams.getsockname()[1]
    listener = opened(tmp_path, desk)
    await listener.start(given)
    by_tcp, by_udp = await http2(tcp), await H3Client.connect(udp, trust=TRUST)
    assert (await by_tcp.get()).fields[b"alt-svc"] == b'h3=":%d"; ma=86400' % udp
    assert (await by_udp.get()).complete
    by_tcp.drop()
    by_udp.close()
    listener.close()
    listener.end()
    await wait_until(lambda: desk.here == 0, "every connection is counted off")


def test_both_have_one_port_or_there_is_none() -> None:
    bound = bind_all("127.0.0.1", 0, DoorTerms(ALL), Sockets())
    assert bound.stream is not None and bound.datagrams is not None
    port = bound.stream.getsockname()[1]
    assert bound.datagrams.getsockname()[1] == port
    bound.stream.close()
    with pytest.raises(OSError, match=rf"cannot listen on 127.0.0.1:{port} \(UDP\)"):
        bind_all("127.0.0.1", port, DoorTerms(ALL), Sockets())
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port))
    bound.close()
    alone = bind_all("127.0.0.1", 0, DoorTerms(frozenset({"quic"})), Sockets())
    assert alone.stream is None and alone.datagrams is not None
    alone.close()
