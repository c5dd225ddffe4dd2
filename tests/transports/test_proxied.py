"""Connections that a TCP proxy makes for others: who may say for whom, and that nothing else changes."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest

from sbc.transports.entrance import PREFACE, DoorTerms
from sbc.transports.proxied import Proxies
from tests.support.raw import upgrade
from tests.support.wait import PATIENCE
from tests.transports.door import Client, Doorway, get, issued
from tests.transports.test_entrance import SETTINGS, speaks_http2
from tests.wire.tls import client_context

V1 = b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 443\r\n"
V2 = (b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", 0x21, 0x21, 36) + bytes.fromhex("20010db8" + 23 * "0" + "1")
      + bytes(20))
HERE, ELSEWHERE = ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8")


@asynccontextmanager
async def doorway(required: bool, source: object = HERE, certificate: tuple[str, str] | None = None,
                  *transports: str) -> AsyncIterator[Doorway]:  # fmt: skip
    door = Doorway(None, *transports, certificate=certificate)
    terms = door.listener.terms
    door.listener.terms = DoorTerms(terms.transports, terms.engine, Proxies(required, (source,)))  # type: ignore[arg-type]
    door.tls = None  # what comes first is never encrypted
    async with door:
        yield door


async def shut(client: Client) -> bool:
    """Whether the connection is closed unanswered."""
    try:
        return await client.ended() == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize(("header", "address"), [
    (V1, "192.0.2.1"), (V2, "2001:db8::1"), (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    (V2[:12] + b"\x20\0\0\0", "127.0.0.1"),
])  # fmt: skip
async def test_the_client_is_whom_the_proxy_names(required: bool, header: bytes, address: str) -> None:
    async with doorway(required) as door:
        client = await door.client(header + get("/a"))
        assert (await client.answer()).body == b"/a"
        client.send(get("/b"))
        assert (await client.answer()).body == b"/b"
        assert [taken.request.client for taken in door.script.taken] == [address] * 2


@pytest.mark.parametrize("header", [V1, V2])
async def test_it_may_come_in_single_bytes(header: bytes) -> None:
    async with doorway(True) as door:
        client = await door.client()
        for at in range(len(header)):
            client.send(header[at : at + 1])
            await asyncio.sleep(0)
        client.send(get("/a"))
        assert (await client.answer()).body == b"/a"
        assert door.script.taken[0].request.client in ("192.0.2.1", "2001:db8::1")


async def test_it_comes_before_tls(tmp_path: Path) -> None:
    async with doorway(True, HERE, issued(tmp_path)) as door:
        client = await door.client(V1)
        async with asyncio.timeout(PATIENCE):
            await client.writer.start_tls(client_context(), server_hostname="localhost")
        client.send(get("/secure"))
        assert (await client.answer()).body == b"/secure"
        request = door.script.taken[0].request
        assert (request.client, request.secure) == ("192.0.2.1", True)


async def test_within_tls_it_is_no_http(tmp_path: Path) -> None:
    async with doorway(False, HERE, issued(tmp_path)) as door:
        context: ssl.SSLContext = client_context()
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port, ssl=context, server_hostname="localhost")
        client = Client(reader, writer)
        door.clients.append(client)
        client.send(V1 + get())
        assert (await client.answer()).status in (400, 501)


async def test_http2_and_websockets_come_behind_it_too() -> None:
    async with doorway(True, HERE, None, "http1", "http2", "websocket") as door:
        assert await speaks_http2(await door.client(V2 + PREFACE + SETTINGS))
        greeted = await door.client(V1 + upgrade("/ws"))
        assert (await greeted.answer()).status == 503
        assert [hello.client for hello in door.script.greeted] == ["192.0.2.1"]


@pytest.mark.parametrize("first", [
    get(), b"\x16\x03\x01\x02\0", PREFACE, b"PROXY TCP4 192.0.2.256 10.0.0.1 1 2\r\n" + get(), b"PROXY " + b"x" * 200,
    V2[:14] + b"\xff\xff", V1[:-2] + b"\n" + get(),
])  # fmt: skip
async def test_without_a_proper_header_nobody_comes_in_where_it_is_required(first: bytes) -> None:
    async with doorway(True, HERE, None, "http1", "http2") as door:
        assert await shut(await door.client(first))
        assert [refusal.code for refusal in door.script.refusals] == ["proxy_protocol"]
        assert (door.script.taken, door.script.standing) == ([], 0)


@pytest.mark.parametrize("first", [V1 + get(), V2 + get(), get(), b""])
async def test_where_it_is_required_nobody_comes_in_from_elsewhere(first: bytes) -> None:
    async with doorway(True, ELSEWHERE) as door:
        assert await shut(await door.client(first))
        assert [refusal.code for refusal in door.script.refusals] == ["proxy_protocol"]
        assert door.script.taken == []


async def test_where_it_is_accepted_a_broken_header_is_refused() -> None:
    async with doorway(False) as door:
        assert await shut(await door.client(b"PROXY TCP4 192.0.2.1 10.0.0.1 1 999999\r\n" + get()))
        assert [refusal.code for refusal in door.script.refusals] == ["proxy_protocol"]


@pytest.mark.parametrize("first", [b"", b"P"])
async def test_where_it_is_accepted_it_may_be_missing(first: bytes) -> None:
    async with doorway(False, HERE, None, "http1", "http2") as door:
        client = await door.client(first)
        await asyncio.sleep(0)
        client.send(get("/a", method="POST")[len(first) :])
        assert (await client.answer()).body == b"/a"
        assert await speaks_http2(await door.client(PREFACE + SETTINGS))
        assert door.script.taken[0].request.client == "127.0.0.1"


async def test_where_it_is_accepted_clients_from_elsewhere_are_like_any_other() -> None:
    async with doorway(False, ELSEWHERE) as door:
        assert (await (await door.client(get("/a"))).answer()).body == b"/a"
        assert (await (await door.client(V1 + get("/a"))).answer()).status in (400, 501)
        assert (await (await door.client(V2 + get("/a"))).answer()).status == 400
        assert [taken.request.client for taken in door.script.taken] == ["127.0.0.1"]


@pytest.mark.parametrize("first", [b"", V1[:20], V2[:20]])
async def test_it_has_to_come_in_time(first: bytes) -> None:
    async with doorway(True) as door:
        door.script.head = (8192, 50, 0.2)
        assert await shut(await door.client(first))
        assert [refusal.code for refusal in door.script.refusals] == ["proxy_protocol"]


async def test_who_leaves_before_is_no_matter() -> None:
    async with doorway(True) as door:
        door.script.head = (8192, 50, 0.2)
        (await door.client(V1[:5])).close()
        later = await door.client(V1 + get("/a"))
        assert (await later.answer()).body == b"/a"
        assert door.script.refusals == []


async def test_one_too_many_is_told_so() -> None:
    async with doorway(True) as door:
        door.script.most = 0
        assert (await (await door.client(V1 + get())).answer()).status == 503
        assert [refusal.code for refusal in door.script.refusals] == ["connections"]
