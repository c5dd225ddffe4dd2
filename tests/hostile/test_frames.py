"""Hostile frames (RFC 6455): each ends its own session with the right close code, and nobody else's."""

import asyncio
import struct

import psutil
import pytest

from tests.hostile.conftest import Ground
from tests.support.raw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawClient, close_frame, frame
from tests.support.wait import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="session")

OPEN = frame(TEXT, b"half", fin=False)

BAD = {
    "unmasked": (frame(TEXT, b"x", masked=False), 1002),
    "unmasked ping": (frame(PING, b"x", masked=False), 1002),
    "RSV1 without an extension": (frame(TEXT, b"x", rsv=4), 1002),
    "RSV2": (frame(TEXT, b"x", rsv=2), 1002),
    "RSV3": (frame(BINARY, b"x", rsv=1), 1002),
    "RSV1 on a ping": (frame(PING, rsv=4), 1002),
    **{f"reserved opcode {code}": (frame(code, b"x"), 1002) for code in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "continuation of nothing": (frame(CONTINUATION, b"x"), 1002),
    "unfinished continuation of nothing": (frame(CONTINUATION, b"x", fin=False), 1002),
    "text inside a message": (OPEN + frame(TEXT, b"x"), 1002),
    "binary inside a message": (OPEN + frame(BINARY, b"x", fin=False), 1002),
    "fragmented ping": (frame(PING, b"x", fin=False), 1002),
    "fragmented pong": (frame(PONG, b"x", fin=False), 1002),
    "fragmented close": (frame(CLOSE, struct.pack("!H", 1000), fin=False), 1002),
    "ping of 126 bytes": (frame(PING, b"x" * 126), 1002),
    "pong of 126 bytes": (frame(PONG, b"x" * 126), 1002),
    "close of 126 bytes": (close_frame(1000, b"x" * 124), 1002),
    "ping with a 16-bit length": (frame(PING, b"x", width=16), 1002),
    "64-bit length with its highest bit": (frame(TEXT, b"", length=2**63, width=64), (1002, 1009)),
    "5 bytes in a 16-bit length": (frame(TEXT, b"hello", width=16), 1002),
    "5 bytes in a 64-bit length": (frame(TEXT, b"hello", width=64), 1002),
    "300 bytes in a 64-bit length": (frame(TEXT, b"h" * 300, width=64), 1002),
    "close with one byte": (frame(CLOSE, b"\x03"), 1002),
    **{f"close code {code}": (close_frame(code), 1002)
       for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)},
    "close reason that is no UTF-8": (close_frame(1000, b"\xff\xfe"), (1002, 1007)),
    "text that is no UTF-8": (frame(TEXT, b"\xce\xba\xff"), 1007),
    "overlong UTF-8": (frame(TEXT, b"\xc0\xaf"), 1007),
    "surrogate in UTF-8": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "beyond Unicode": (frame(TEXT, b"\xf4\x90\x80\x80"), 1007),
    "text that ends inside a character": (frame(TEXT, b"\xe2\x82"), 1007),
    "fragments that end inside a character": (frame(TEXT, b"\xe2", fin=False) + frame(CONTINUATION, b"\x82"), 1007),
    "bad UTF-8 in a later fragment": (frame(TEXT, b"ok", fin=False) + frame(CONTINUATION, b"\xff"), 1007),
    "message over the limit": (frame(TEXT, b"x" * 70_000), 1009),
    "claim of a message over the limit": (frame(TEXT, b"", length=2**40, width=64), 1009),
    "fragments over the limit": (frame(TEXT, b"x" * 40_000, fin=False) + frame(CONTINUATION, b"x" * 40_000), 1009),
    "many small fragments over the limit":
        (frame(BINARY, b"", fin=False) + frame(CONTINUATION, b"x" * 700, fin=False) * 200, 1009),
}


@pytest.mark.parametrize("what", BAD)
async def test_it_ends_the_session_with_the_right_code(edge: Ground, what: str) -> None:
    frames, wanted = BAD[what]
    client = await RawClient.opened(edge.edge.port)
    await client.send(frame(TEXT, b"honest"), frames)
    first = await client.frame()
    if first is not None and first.opcode == TEXT:
        assert first.payload == b"honest"
        code = await client.close_code()
    else:  # the echo was still on its way
        code = first.code if first is not None else None
    assert code in (wanted if isinstance(wanted, tuple) else (wanted,)), what
    assert await client.ended(), "the connection is closed after the close frame"
    client.abort()


async def test_nothing_of_a_bad_message_reaches_the_node(edge: Ground) -> None:
    client = await RawClient.opened(edge.edge.port)
    before = len(edge.nodes["a"].history("heard"))
    await client.send(frame(TEXT, b"fine", fin=False), frame(CONTINUATION, b"\xff"))
    assert await client.close_code() == 1007
    await wait_until(lambda: edge.nodes["a"].history("closed"), "the node leg is closed")
    assert len(edge.nodes["a"].history("heard")) == before


async def test_control_frames_may_stand_inside_a_message(edge: Ground) -> None:
    client = await RawClient.opened(edge.edge.port)
    await client.send(OPEN, frame(PING, b"now"), frame(PONG, b"unasked"), frame(CONTINUATION, b"", fin=False),
                      frame(CONTINUATION, b" done"))
    pong, echo = await client.frame(), await client.frame()
    assert pong is not None and (pong.opcode, pong.payload) == (PONG, b"now")
    assert echo is not None and echo.payload == b"half done"
    client.abort()


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_every_width_of_length_passes_through(edge: Ground, size: int, opcode: int) -> None:
    client = await RawClient.opened(edge.edge.port)
    await client.send(frame(opcode, b"x" * size))
    echo = await client.frame()
    assert echo is not None and (echo.opcode, len(echo.payload), echo.fin) == (opcode, size, True)
    client.abort()


async def test_a_message_in_single_bytes_is_a_message(edge: Ground) -> None:
    client = await RawClient.opened(edge.edge.port)
    whole = frame(TEXT, "gemächlich: κόσμε".encode(), fin=False) + frame(PING) + frame(CONTINUATION, b"!")
    for at in range(len(whole)):
        client.writer.write(whole[at:at + 1])
        await client.writer.drain()
        await asyncio.sleep(0)
    assert (await client.frame()) is not None
    echo = await client.frame()
    assert echo is not None and echo.payload.decode() == "gemächlich: κόσμε!"
    client.abort()


@pytest.mark.parametrize("code", [1000, 1003, 1007, 1011, 3000, 3999, 4000, 4999])
async def test_a_goodbye_is_answered_in_kind_and_passed_on(edge: Ground, code: int) -> None:
    client = await RawClient.opened(edge.edge.port)
    before = len(edge.nodes["a"].history("closed"))
    await client.send(close_frame(code, b"bye"))
    got = await client.frame()
    assert got is not None and got.opcode == CLOSE and got.code == code
    assert await client.ended()
    await wait_until(lambda: len(edge.nodes["a"].history("closed")) > before, "the node leg is closed")


async def test_a_goodbye_without_a_code_is_answered(edge: Ground) -> None:
    client = await RawClient.opened(edge.edge.port)
    await client.send(close_frame(None))
    got = await client.frame()
    assert got is not None and got.opcode == CLOSE and got.code in (None, 1000)
    assert await client.ended()


async def test_what_comes_after_a_goodbye_is_not_heard(edge: Ground) -> None:
    client = await RawClient.opened(edge.edge.port)
    before = len(edge.nodes["a"].history("heard"))
    await client.send(close_frame(1000), frame(TEXT, b"too late"), frame(15, b"nonsense"))
    assert await client.close_code() == 1000
    assert len(edge.nodes["a"].history("heard")) == before


async def test_a_flood_of_pings_disturbs_nobody(edge: Ground) -> None:
    client = await RawClient.opened(edge.edge.port)
    await client.send(frame(PING, b"x" * 100) * 20_000, frame(TEXT, b"after"))
    pongs = 0
    while (got := await client.frame()) is not None and got.opcode == PONG:
        pongs += 1
    assert got is None or (got.opcode, got.payload) == (TEXT, b"after") or got.opcode == CLOSE
    client.abort()


async def test_pings_of_a_client_that_does_not_read_fill_no_memory(edge: Ground) -> None:
    client = await RawClient.opened(edge.edge.port)
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    before = psutil.Process(edge.edge.pid).memory_info().rss
    try:
        async with asyncio.timeout(2):
            for _ in range(400):
                await client.send(frame(PING, b"x" * 125) * 500)
    except TimeoutError:
        pass
    assert psutil.Process(edge.edge.pid).memory_info().rss - before < 8 * 1024 * 1024
    client.abort()


async def test_connections_that_are_reset_at_any_point_leave_nothing_behind(edge: Ground) -> None:
    for cut in (b"", b"GET", OPEN, frame(TEXT, b"x")[:3], frame(BINARY, b"x" * 60_000)[:30_000], close_frame(1000)):
        client = await RawClient.opened(edge.edge.port) if cut != b"GET" else await RawClient.connect(edge.edge.port)
        await client.send(cut)
        client.abort()

    async def settled() -> bool:
        return not [row for row in await edge.edge.sessions() if row["state"] not in ("confirmed", "parked")]
    await wait_until(settled, "no session is left in between")
