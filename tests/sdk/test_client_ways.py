"""Which transport a session takes: what TLS agrees on, what turns out to be unfit, what is quicker, what was told."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sbc.sdk.client import Refused, Transport, Unreachable, connect
from sbc.sdk.client.contract import Unreachable as Nowhere
from sbc.sdk.client.race import race
from sbc.sdk.client.stream import Connection, Origin, read_url
from sbc.sdk.client.ways import Lore, lore_of
from tests.support.raw import unmasked_payload
from tests.support.stubs import accepted
from tests.wire.tls import AUTHORITY

NO_SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"


class Stub:
    """A server that speaks TLS, and WebSocket over HTTP/1.1; its HTTP/2 offers no extended CONNECT."""

    def __init__(self) -> None:
        self.port = 0
        self.agreed: list[str | None] = []
        self.head = ("Session-Id: t",)
        self._server: asyncio.Server | None = None

    async def start(self, *alpn: str) -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        AUTHORITY.issue_cert("localhost").configure_cert(tls)
        tls.set_alpn_protocols(list(alpn))
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        agreed = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        self.agreed.append(agreed)
        try:
            if agreed == "h2":
                writer.write(NO_SETTINGS)
                await reader.read()
                return
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            writer.write(accepted(head, *self.head))
            while (payload := await unmasked_payload(reader)) is not None:
                writer.write(bytes([0x81, len(payload)]) + payload)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    server = Stub()
    yield server
    server.stop()


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return str(tmp_path / "ca.pem")


async def test_http2_without_extended_connect_is_left_for_http1_and_not_tried_again(stub: Stub, ca_file: str) -> None:
    await stub.start("h2", "http/1.1")
    for _ in range(2):
        async with connect(f"https://localhost:{stub.port}/", ca_file=ca_file) as session:
            assert session.transport is Transport.HTTP1
            await session.send("hello")
            assert await anext(session) == "hello"
    assert stub.agreed == ["h2", "http/1.1", "http/1.1"]


async def test_http3_that_nobody_answers_costs_no_more_than_its_head_start(stub: Stub, ca_file: str) -> None:
    await stub.start("http/1.1")
    began = asyncio.get_running_loop().time()
    async with connect(f"https://localhost:{stub.port}/", ca_file=ca_file, transports=list(Transport)) as session:
        assert session.transport is Transport.HTTP1
    assert asyncio.get_running_loop().time() - began < 2
    assert lore_of(Origin(True, "localhost", stub.port)).shuns(Transport.HTTP3)


async def test_certificates_of_strangers_are_not_believed(stub: Stub) -> None:
    await stub.start("http/1.1")
    with pytest.raises(Unreachable, match="certificate"):
        async with connect(f"https://localhost:{stub.port}/"):
            raise AssertionError("it came in")


async def test_a_server_that_is_no_edge_is_refused(stub: Stub, ca_file: str) -> None:
    stub.head = ()
    await stub.start("http/1.1")
    with pytest.raises(Refused, match="not the answer of an edge"):
        async with connect(f"https://localhost:{stub.port}/", ca_file=ca_file):
            raise AssertionError("it came in")


def test_what_an_edge_says_of_http3_is_learnt() -> None:
    lore = Lore()
    lore.learn({"alt-svc": 'h3=":8443"; ma=3600'})
    assert lore.http3_port == 8443 and lore.http3_until > 0
    lore.learn({})
    assert lore.http3_until > 0
    lore.learn({"alt-svc": "clear"})
    assert lore.http3_until == 0
    lore.learn({"alt-svc": 'h3="elsewhere:8443", h2=":1"'})
    assert lore.http3_until == 0


@pytest.mark.parametrize(("url", "origin", "path"), [
    ("https://edge.example/tutor?a=1", Origin(True, "edge.example", 443), "/tutor?a=1"),
    ("ws://[::1]:8080", Origin(False, "::1", 8080), "/"),
])
def test_urls(url: str, origin: Origin, path: str) -> None:
    assert read_url(url) == (origin, path)


@pytest.mark.parametrize(("url", "authority"), [
    ("https://edge.example", "edge.example"), ("http://edge.example:443", "edge.example:443"),
    ("wss://[::1]:8080", "[::1]:8080")])
def test_authorities(url: str, authority: str) -> None:
    assert read_url(url)[0].authority == authority


@pytest.mark.parametrize("url", ["edge.example", "ftp://edge.example", "https://", "https://edge.example:port/"])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ValueError):
        connect(url)


class Fake:
    """A connection that tells whether it was dropped."""

    transport = Transport.HTTP1

    def __init__(self) -> None:
        self.dropped = False

    async def open(self, path: str, fields: object) -> None:
        raise AssertionError

    def abort(self) -> None:
        self.dropped = True


async def after(delay: float, outcome: "Fake | None") -> Connection:
    await asyncio.sleep(delay)
    if outcome is None:
        raise Nowhere("no")
    return outcome  # type: ignore[return-value]


async def test_a_race_is_won_by_the_first_that_stands() -> None:
    early, late = Fake(), Fake()
    assert await race(after(0.0, early), after(0.0, late)) is early
    assert await race(after(9.0, early), after(0.0, late)) is late
    assert await race(after(0.3, early), after(9.0, late)) is early
    assert await race(after(0.0, None), after(0.0, late)) is late
    with pytest.raises(Nowhere):
        await race(after(0.0, None), after(0.01, None))


async def test_what_was_not_asked_for_is_not_spoken(stub: Stub, ca_file: str) -> None:
    await stub.start("http/1.1")
    with pytest.raises(Unreachable):
        async with connect(f"https://localhost:{stub.port}/", ca_file=ca_file, transports=[Transport.HTTP2]):
            raise AssertionError("it came in")
    with pytest.raises(Unreachable, match="no transport"):
        async with connect(f"http://localhost:{stub.port}/", transports=[Transport.HTTP3]):
            raise AssertionError("it came in")
    with pytest.raises(OSError):
        connect("https://localhost/", ca_file="/nowhere")
