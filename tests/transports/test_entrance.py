"""Which door a connection is led to: by ALPN, by its first bytes, or to none."""

import asyncio
import ssl
from pathlib import Path

import pytest

from sbc.transports.entrance import PREFACE
from tests.support.wait import PATIENCE, wait_until
from tests.transports.door import Client, Doorway, get, issued

SETTINGS = b"\0\0\0\4\0\0\0\0\0"
BOTH = ("http1", "http2")


async def speaks_http2(client: Client) -> bool:
    """Whether the edge's first frame is SETTINGS (RFC 9113 section 3.4)."""
    async with asyncio.timeout(PATIENCE):
        return (await client.reader.readexactly(9))[3] == 4


async def test_prior_knowledge() -> None:
    async with Doorway(None, *BOTH) as door:
        assert await speaks_http2(await door.client(PREFACE + SETTINGS))


async def test_prior_knowledge_in_single_bytes() -> None:
    async with Doorway(None, *BOTH) as door:
        client = await door.client()
        for at in range(len(PREFACE)):
            client.send(PREFACE[at : at + 1])
            await asyncio.sleep(0)
        client.send(SETTINGS)
        assert await speaks_http2(client)


@pytest.mark.parametrize("step", [1, 5, 1000])
async def test_all_else_is_http1(step: int) -> None:
    async with Doorway(None, *BOTH) as door:
        client = await door.client()
        whole = get("/a", method="PUT") + get("/b")  # it begins like the preface
        for at in range(0, len(whole), step):
            client.send(whole[at : at + step])
            await asyncio.sleep(0)
        assert (await client.answer()).body == b"/a"
        assert (await client.answer()).body == b"/b"


async def test_half_a_preface_is_no_request() -> None:
    async with Doorway(None, *BOTH) as door:
        client = await door.client(PREFACE[:-4] + b"XXXX\r\n\r\n")
        assert (await client.answer()).status in (400, 505)


async def test_no_http2_where_none_is_served() -> None:
    async with Doorway() as door:
        assert (await (await door.client(PREFACE + SETTINGS)).answer()).status in (400, 505)


async def test_nothing_but_http2() -> None:
    async with Doorway(None, "http2") as door:
        assert (await (await door.client(get())).answer()).status == 505
        assert await speaks_http2(await door.client(PREFACE + SETTINGS))


async def test_who_says_nothing_is_sent_away() -> None:
    async with Doorway(None, *BOTH) as door:
        door.script.head = (8192, 50, 0.2)
        assert (await (await door.client()).answer()).status == 408
        half = await door.client(PREFACE[:5])
        assert (await half.answer()).status == 408


async def test_who_leaves_at_once_is_counted_off() -> None:
    async with Doorway(None, *BOTH) as door:
        client = await door.client()
        await wait_until(lambda: door.script.standing == 1, "it has arrived")
        client.close()
        await wait_until(lambda: door.script.standing == 0, "it has left")


@pytest.mark.parametrize(("transports", "offered", "chosen"), [
    (BOTH, ["h2", "http/1.1"], "h2"), (BOTH, ["http/1.1"], "http/1.1"), (BOTH, None, None),
    (("websocket", "http1"), ["h2", "http/1.1"], "http/1.1"), (("http2",), ["h2", "http/1.1"], "h2"),
])  # fmt: skip
async def test_over_tls_it_was_settled(
    tmp_path: Path, transports: tuple[str, ...], offered: list[str] | None, chosen: str | None
) -> None:
    async with Doorway(None, *transports, certificate=issued(tmp_path)) as door:
        assert door.tls is not None
        if offered:
            door.tls.set_alpn_protocols(offered)
        client = await door.client()
        tls: ssl.SSLObject = client.writer.get_extra_info("ssl_object")
        assert tls.selected_alpn_protocol() == chosen
        if chosen == "h2":
            client.send(PREFACE, SETTINGS)
            assert await speaks_http2(client)
        else:
            client.send(get("/secure"))
            assert (await client.answer()).body == b"/secure"
