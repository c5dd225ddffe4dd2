"""Floods on an open QUIC connection, in the very frames: each is cut and counted, or borne, and an honest client beside
the attacker does not notice."""

import asyncio
import os
from collections.abc import Callable, Iterator

import pytest

from tests.hostile.quic_ground import QuicGround, withstood
from tests.support.quic_forge import crypto, new_id, reset, stop, stream, varint
from tests.support.quic_rogue import CONTROL, DATA, GOAWAY, HEADERS, OPEN, REQUEST, UPLOAD, Rogue, block, frame
from tests.support.wait import wait_until

Pieces = Iterator[bytes]
MANY, SOME = 20_000, 3_000
BAD_REQUEST = frame(HEADERS, block([(b":method", b"GET"), (b"X", b"y")]))


def forever(make: Callable[[int], bytes], many: int = MANY) -> Pieces:
    return (make(n) for n in range(1, many))


def request(n: int, *, fin: bool = True, head: bytes = REQUEST) -> bytes:
    return stream(4 * n, head, fin=fin)


def on_stream(first: bytes, make: Callable[[int], bytes], number: int = 0) -> Pieces:
    """One stream: its beginning, and then always more."""
    offset = 0
    for n in range(MANY):
        piece = first if n == 0 else b"".join(make(n * 20 + k) for k in range(20))
        yield stream(number, piece, offset=offset)
        offset += len(piece)


def on_control(make: Callable[[int], bytes]) -> Pieces:
    return on_stream(varint(CONTROL) + frame(4), make, 2)


CUT: dict[str, Callable[[], Pieces]] = {
    "rapid reset": lambda: forever(lambda n: request(n, fin=False) + reset(4 * n, size=len(REQUEST)) + stop(4 * n)),
    "requests whose answers are stopped": lambda: forever(lambda n: request(n) + stop(4 * n)),
    "streams that are opened and reset": lambda: forever(lambda n: stream(4 * n, b"") + reset(4 * n) + stop(4 * n)),
    "malformed requests": lambda: forever(lambda n: request(n, head=BAD_REQUEST)),
    "uploads given up": lambda: forever(lambda n: request(n, fin=False, head=UPLOAD)
                                        + reset(4 * n, size=len(UPLOAD)) + stop(4 * n)),
    "more streams than allowed": lambda: forever(lambda n: request(1000 + n)),
    "connection ids without end": lambda: forever(new_id),
    "empty frames of data": lambda: on_stream(UPLOAD, lambda n: frame(DATA)),
    "unknown frames": lambda: on_stream(REQUEST, lambda n: frame(0x21)),
    "unknown frames of control": lambda: on_control(lambda n: frame(0x21 + 0x1F * (n % 8), b"x")),
    "goaways": lambda: on_control(lambda n: frame(GOAWAY, varint(0))),
    "priorities": lambda: on_control(lambda n: frame(0xF0700, varint(4 * (n % 90)) + b"u=3")),
    "one frame of control without end": lambda: iter(
        [stream(2, varint(CONTROL) + frame(4) + varint(0x21) + varint(2**40)),
         *(stream(2, bytes(1000), offset=20 + 1000 * n) for n in range(5000))]),
}
"""Each ends with the attacker's connection."""

BORNE: dict[str, Callable[[], Pieces]] = {
    "pings": lambda: forever(lambda n: b"\x01", SOME),
    "path challenges": lambda: forever(lambda n: 3 * (b"\x1a" + os.urandom(8)), SOME),
    "connection ids that retire the others": lambda: forever(lambda n: new_id(n, n), SOME),
    "ids of the edge retired": lambda: forever(lambda n: b"\x19" + varint(n), SOME),
    "windows opened": lambda: forever(lambda n: 100 * (b"\x10" + varint(2**30 + n)), SOME),
    "blocked, it says": lambda: forever(lambda n: 100 * (b"\x14" + varint(n)), SOME),
    "pieces of no length": lambda: forever(lambda n: 100 * stream(0), SOME),
    "pieces said again": lambda: forever(lambda n: stream(0, UPLOAD) + b"".join(
        stream(0, b"x" * 100, offset=len(UPLOAD) + k) for k in range(10)), SOME),
    "holes": lambda: (b"".join(stream(4 * (n % 50), b"x", offset=n // 50 * 400 + 2 * k) for k in range(150))
                      for n in range(SOME)),
    "crypto behind the handshake": lambda: forever(lambda n: crypto(bytes(1000), 2000 * n), SOME),
    "acknowledgements of nothing": lambda: forever(lambda n: 20 * (b"\x02" + varint(n) + b"\0\0\0"), SOME),
    "noise for a packet": lambda: iter(()),
}
"""Each may end so, or be taken for what it is; it does no harm either way."""


@pytest.mark.parametrize("flood", CUT)
async def test_a_flood_is_cut(quic: QuicGround, flood: str) -> None:
    async with withstood(quic):
        rogue = await Rogue.connect(quic.secure)
        rogue.say(*([] if "control" in flood or flood in ("goaways", "priorities") else [OPEN]))
        took = await rogue.flood(CUT[flood]())
        await wait_until(lambda: rogue.closed, f"{flood} is cut")
        assert took < MANY - 1, "it went on to the end"
        rogue.drop()


@pytest.mark.parametrize("flood", BORNE)
async def test_a_flood_does_no_harm(quic: QuicGround, flood: str) -> None:
    number = await quic.counted()
    async with withstood(quic, counted=False):
        rogue = await Rogue.connect(quic.secure)
        rogue.say(OPEN)
        if flood == "noise for a packet":
            for _ in range(SOME):
                rogue.raw(rogue.packet(b"\x01")[:20] + os.urandom(1000))
        await rogue.flood(BORNE[flood]())
        rogue.say(request(60))
        if "retire" not in flood:  # else its own library knows no more where answers come to
            await wait_until(lambda: 240 in rogue.answers or rogue.closed, "it is served still, or cut")
        if rogue.closed:
            async def seen() -> bool:
                return await quic.counted() > number
            await wait_until(seen, "it is counted")
        rogue.drop()


async def test_many_attackers_at_once(quic: QuicGround) -> None:
    async with withstood(quic):
        rogues = [await Rogue.connect(quic.secure) for _ in range(10)]
        await asyncio.gather(*(rogue.flood(CUT["rapid reset"](), 10) for rogue in rogues))
        await wait_until(lambda: all(rogue.closed for rogue in rogues), "all are cut")
        for rogue in rogues:
            rogue.drop()
