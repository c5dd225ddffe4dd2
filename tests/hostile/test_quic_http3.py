"""HTTP/3 that breaks its rules (RFC 9114, RFC 9204): the connection ends with the right code and is counted, and what
would fill memory does not."""

import asyncio
import os
from collections.abc import Callable

import pytest

from tests.hostile.quic_ground import QuicGround, withstood
from tests.support.quic_forge import reset, stop, stream, varint
from tests.support.quic_rogue import (
    CANCEL_PUSH,
    CONTROL,
    DATA,
    DECODER,
    ENCODER,
    GOAWAY,
    HEAD,
    HEADERS,
    MAX_PUSH_ID,
    OPEN,
    PUSH,
    PUSH_PROMISE,
    REQUEST,
    SETTINGS,
    UPLOAD,
    Rogue,
    block,
    frame,
)
from tests.support.wait import wait_until

# RFC 9114 section 8.1, RFC 9204 section 6, RFC 9000 section 20.1.
CREATION, CRITICAL, UNEXPECTED, FRAME, LOAD, ID, SETTING, MISSING = range(0x103, 0x10B)
DECOMPRESSION, ENCODING, DECODING = 0x200, 0x201, 0x202
PROTOCOL, STREAM_STATE, FLOW, LIMIT, ENCODED = 0x0A, 0x05, 0x03, 0x04, 0x07


def control(*frames: bytes, fin: bool = False) -> bytes:
    return stream(2, varint(CONTROL) + b"".join(frames), fin=fin)


GOOD = frame(SETTINGS)
BROKEN: dict[str, tuple[bytes, set[int]]] = {
    "no settings first": (control(frame(GOAWAY, b"\0")), {MISSING}),
    "settings twice": (control(GOOD, GOOD), {UNEXPECTED}),
    "settings of HTTP/2": (control(frame(SETTINGS, varint(4) + varint(100))), {SETTING}),
    "a setting twice": (control(frame(SETTINGS, 2 * (varint(6) + varint(100)))), {SETTING}),
    "half a setting": (control(frame(SETTINGS, b"\x06\x80")), {FRAME, SETTING}),
    "a setting that is no boolean": (control(frame(SETTINGS, varint(8) + varint(7))), {SETTING}),
    "very long settings": (control(varint(SETTINGS) + varint(2**20)), {LOAD, FRAME, SETTING}),
    "two streams of control": (OPEN + stream(6, varint(CONTROL) + GOOD), {CREATION}),
    "control at its end": (control(GOOD, fin=True), {CRITICAL}),
    "control reset": (control(GOOD) + reset(2, size=len(GOOD) + 1), {CRITICAL}),
    "data for control": (control(GOOD, frame(DATA, b"x")), {UNEXPECTED}),
    "a head for control": (control(GOOD, REQUEST), {UNEXPECTED}),
    "a promise for control": (control(GOOD, frame(PUSH_PROMISE, b"\0")), {UNEXPECTED, ID}),
    "frames of HTTP/2": (control(GOOD, frame(0x6, bytes(8))), {UNEXPECTED}),
    "a smaller push id": (control(GOOD, frame(MAX_PUSH_ID, b"\x09"), frame(MAX_PUSH_ID, b"\x03")), {ID}),
    "a push that never was": (control(GOOD, frame(CANCEL_PUSH, b"\x09")), {ID}),
    "a goaway without a number": (control(GOOD, frame(GOAWAY)), {FRAME}),
    "a push of the client's": (OPEN + stream(6, varint(PUSH) + b"\0"), {CREATION}),
    "two encoders": (OPEN + stream(6, varint(ENCODER)) + stream(10, varint(ENCODER)), {CREATION}),
    "two decoders": (OPEN + stream(6, varint(DECODER)) + stream(10, varint(DECODER)), {CREATION}),
    "encoder at its end": (OPEN + stream(6, varint(ENCODER), fin=True), {CRITICAL}),
    "a table that is too large": (OPEN + stream(6, varint(ENCODER) + b"\x3f\xe1\xff\xff\x03"), {ENCODING}),
    "an entry for no table": (OPEN + stream(6, varint(ENCODER) + b"\x43abc\x03abc"), {ENCODING}),
    "an increment of nothing": (OPEN + stream(6, varint(DECODER) + b"\0"), {DECODING}),
    "an increment beyond all": (OPEN + stream(6, varint(DECODER) + b"\x3f\xff\xff\x7f"), {DECODING}),
    "an acknowledgement of no head": (OPEN + stream(6, varint(DECODER) + b"\xff\x00"), {DECODING}),
    "a head that waits for the table": (OPEN + stream(0, frame(HEADERS, b"\x05\x00\x80"), fin=True), {DECOMPRESSION}),
    "a head of noise": (OPEN + stream(0, frame(HEADERS, b"\0\0" + b"\xff" * 30), fin=True), {DECOMPRESSION}),
    "an entry beyond the table": (OPEN + stream(0, frame(HEADERS, b"\0\0\xff\xff\x03"), fin=True), {DECOMPRESSION}),
    "data before the head": (OPEN + stream(0, frame(DATA, b"x")), {UNEXPECTED}),
    "settings in a request": (OPEN + stream(0, GOOD), {UNEXPECTED}),
    "a promise in a request": (OPEN + stream(0, frame(PUSH_PROMISE, b"\0\0\0")), {UNEXPECTED}),
    "frames of HTTP/2 in a request": (OPEN + stream(0, frame(0x9)), {UNEXPECTED}),
    "data behind the trailers": (OPEN + stream(0, UPLOAD + frame(HEADERS, block([(b"a", b"b")])) + frame(DATA, b"x")),
                                 {UNEXPECTED}),
    "a request without its end": (OPEN + stream(0, varint(HEADERS) + varint(100) + b"\0\0", fin=True), {FRAME}),
    "a request cut in a frame": (OPEN + stream(0, UPLOAD + varint(DATA) + varint(100) + b"x", fin=True), {FRAME}),
    "a stream of the edge's": (OPEN + stream(1, b"x"), {STREAM_STATE, LIMIT}),
    "data on what the edge sends": (OPEN + stream(3, b"x"), {STREAM_STATE}),
    "a stop for what it cannot stop": (OPEN + stop(2), {STREAM_STATE}),
    "bytes behind the end": (OPEN + stream(0, REQUEST, fin=True) + stream(0, b"x", offset=500), {0x06}),
    "two ends": (OPEN + stream(0, REQUEST, fin=True) + stream(0, REQUEST[:3], fin=True), {0x06}),
    "beyond the window": (OPEN + stream(0, b"x", offset=2**40), {FLOW}),
    "beyond all numbers": (OPEN + stream(0, b"x", offset=2**62 - 1), {FLOW, ENCODED}),
    "a frame that does not exist": (OPEN + b"\x40\xff", {ENCODED}),
    "half a frame": (OPEN + b"\x0e\0", {ENCODED}),
    "a token for the edge": (OPEN + b"\x07\x01x", {PROTOCOL}),
    "done, says the client": (OPEN + b"\x1e", {PROTOCOL}),
    "an id of 21 bytes": (OPEN + b"\x18\x01\0\x15" + bytes(21 + 16), {ENCODED}),
    "an id that retires itself": (OPEN + b"\x18\x01\x05\x08" + bytes(8 + 16), {ENCODED, PROTOCOL}),
    "an id of the edge's that never was": (OPEN + b"\x19" + varint(10**6), {PROTOCOL}),
    "more streams than there are": (OPEN + b"\x12" + varint(2**61), {ENCODED}),
}


async def test_rules_broken_end_the_connection(quic: QuicGround) -> None:
    wrong, number = {}, await quic.counted()
    async with withstood(quic):
        for name, (frames, codes) in BROKEN.items():
            rogue = await Rogue.connect(quic.secure)
            rogue.say(frames)
            try:
                await wait_until(lambda rogue=rogue: rogue.closed, name, 2)
            except AssertionError:
                wrong[name] = "goes on"
            else:
                assert rogue.closed is not None
                if rogue.closed[0] not in codes:
                    wrong[name] = f"{rogue.closed[0]:#x} {rogue.closed[1]}"
            rogue.drop()
    assert not wrong, "\n".join(f"{name}: {what}" for name, what in wrong.items())
    assert await quic.counted() - number >= len(BROKEN)


BOMBS: dict[str, Callable[[], bytes]] = {
    "long names out of the table": lambda: b"\0\0" + b"\xff\x1c" * 3000,
    "one field of 16 KiB": lambda: block([*HEAD, (b"x", b"y" * 16384)]),
    "fields without end": lambda: block([*HEAD, *((b"x-%d" % n, b"") for n in range(1000))]),
    "names of nothing": lambda: block(HEAD) + b"\x20\0" * 2000,
}


@pytest.mark.parametrize("bomb", BOMBS)
async def test_heads_that_are_too_long_are_refused(quic: QuicGround, bomb: str) -> None:
    """RFC 9114 section 4.2.2; CVE-2016-6581 has no twin in QPACK without a table."""
    head = frame(HEADERS, BOMBS[bomb]())
    async with withstood(quic, counted=False):
        rogue = await Rogue.connect(quic.secure)
        rogue.say(OPEN)
        for number in range(0, 80, 4):
            for at in range(0, len(head), 1000):
                rogue.say(stream(number, head[at:at + 1000], offset=at, fin=at + 1000 >= len(head)))
            await asyncio.sleep(0.002)
        await wait_until(lambda: rogue.closed or rogue.answers.keys() - {3, 7, 11} or rogue.resets, "it is refused")
        assert b"hello\n" not in b"".join(rogue.answers.values())
        rogue.drop()


async def test_heads_that_never_end_are_given_up(quic: QuicGround) -> None:
    async with withstood(quic, counted=False):
        rogue = await Rogue.connect(quic.secure)
        rogue.say(OPEN)
        for number in range(0, 400, 4):
            rogue.say(stream(number, varint(HEADERS) + varint(2**30) + os.urandom(500)))
        await wait_until(lambda: rogue.closed or len(rogue.resets) >= 90, "they are given up")
        rogue.drop()


async def test_a_body_that_nobody_takes_stops_its_sender(quic: QuicGround) -> None:
    """The client reads nothing of what is echoed to it: so the edge takes no more of the upload than it can hold."""
    async with withstood(quic, counted=False):
        client = await quic.client("aioquic", take=False)
        uploads = [client.ask(b"/echo", method=b"POST", end=False) for _ in range(20)]
        for number in uploads:
            for _ in range(15):
                client.send(number, bytes(65536))
            await asyncio.sleep(0.01)
        await asyncio.sleep(1)
        client.drop()


async def test_unreliable_messages_without_end(quic: QuicGround) -> None:
    """RFC 9221: to no session, to one that never was, of the largest numbers, and many."""
    async with withstood(quic, counted=False):
        rogue = await Rogue.connect(quic.secure)
        rogue.say(OPEN)
        payloads = (b"", b"\0", b"\0x" * 500, varint(2**60) + b"x", b"\xff", varint(5) + bytes(1000))
        await rogue.flood(b"\x31" + varint(len(payload)) + payload for _ in range(500) for payload in payloads)
        rogue.drop()
