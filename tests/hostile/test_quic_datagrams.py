"""Datagrams that begin no honest connection: malformed, replayed, of unknown versions, from addresses that are not the
sender's, and handshakes that never end. The edge says next to nothing, holds next to nothing, and serves all others."""

import asyncio
import os
import random
from collections.abc import Callable

from tests.hostile.quic_ground import QuicGround, withstood
from tests.support.quic_forge import LEAST, SOURCE, Mouth, crypto, fresh, hello, initial, long_header, varint
from tests.support.wait import wait_until

RETRY, VERSION_NEGOTIATION = "retry", "version negotiation"
QUIET = 0.3
"""Seconds in which an answer would have come."""


def kind(datagram: bytes) -> str:
    """What an answer begins with."""
    if datagram[0] < 0x80:
        return "short"
    if datagram[1:5] == bytes(4):
        return VERSION_NEGOTIATION
    return ("initial", "0-rtt", "handshake", RETRY)[datagram[0] >> 4 & 3]


async def test_an_address_that_never_answers_gets_three_times_what_it_sent(quic: QuicGround) -> None:
    alone, repeated, pinging = (Mouth(quic.secure, f"127.0.3.{number}") for number in range(1, 4))
    async with withstood(quic, counted=False):
        first, target = fresh(), os.urandom(8)
        alone.say(fresh())
        for number in range(3):
            repeated.say(first)
            pinging.say(initial(crypto(hello()) if not number else b"\x01", target, number=number))
        await asyncio.sleep(2.5)  # it says its part again and again, until it may say no more
    for mouth in (alone, repeated, pinging):
        heard = sum(map(len, mouth.heard))
        assert 1000 < heard <= 3 * mouth.sent, f"{heard} bytes for {mouth.sent}"
        mouth.close()


async def test_a_flood_of_hellos(quic: QuicGround) -> None:
    """RFC 9000 section 8.1.2: when many handshakes are open, an address has to show that it is one."""
    mouths = [Mouth(quic.secure, f"127.0.1.{number}") for number in range(1, 101)]
    async with withstood(quic):
        for at in range(2000):
            mouths[at % 100].say(fresh())
            if at % 20 == 19:
                await asyncio.sleep(0.002)
            if at == 1500:
                newcomer = await quic.client()  # who answers the Retry is served
                assert (await newcomer.get()).status == 200
                newcomer.close()
        heard = [one for mouth in mouths for one in mouth.heard]
        assert sum(kind(one) == RETRY for one in heard) > 500
        assert sum(kind(one) == "initial" for one in heard) < 500, "connections were made of them"
        for mouth in mouths:
            assert sum(map(len, mouth.heard)) <= 3 * mouth.sent
    for mouth in mouths:
        mouth.close()


MALFORMED: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "one byte": lambda: b"\xc3",
    "noise": lambda: os.urandom(LEAST),
    "noise of a long header": lambda: b"\xc3" + os.urandom(LEAST),
    "noise of version 1": lambda: b"\xc3\0\0\0\1" + os.urandom(LEAST),
    "zeroes": lambda: bytes(LEAST),
    "a connection id too long": lambda: b"\xc3\0\0\0\1\x15" + bytes(LEAST),
    "a connection id beyond the end": lambda: b"\xc3\0\0\0\1\x14" + bytes(3),
    "a connection id too short": lambda: initial(crypto(hello()), b"short"),
    "a datagram too short": lambda: initial(crypto(hello()), os.urandom(8), size=1000),
    "a token beyond the end": lambda: (long_header(0xC3, os.urandom(8)) + varint(2**20)).ljust(LEAST, b"t"),
    "a token of the largest length": lambda: (long_header(0xC3, os.urandom(8)) + b"\xff" * 8).ljust(LEAST, b"t"),
    "a length beyond the end": lambda: (long_header(0xC3, os.urandom(8)) + b"\0\x7f\xff").ljust(LEAST, b"x"),
    "a length of nothing": lambda: (long_header(0xC3, os.urandom(8)) + b"\0\0").ljust(LEAST, b"x"),
    "the keys of another connection": lambda: initial(crypto(hello()), os.urandom(8), keys=os.urandom(8)),
    "without the fixed bit": lambda: initial(crypto(hello()), os.urandom(8), first=0x83),
    "a handshake that was never begun": lambda: long_header(0xE3, os.urandom(8)).ljust(LEAST, b"x"),
    "early data": lambda: long_header(0xD3, os.urandom(8)).ljust(LEAST, b"x"),
    "a Retry": lambda: long_header(0xF0, os.urandom(8)).ljust(LEAST, b"x"),
    "a version negotiation": lambda: long_header(0xC3, os.urandom(8), version=0).ljust(LEAST, b"\1"),
}


async def test_what_begins_nothing_is_passed_over(quic: QuicGround) -> None:
    async with withstood(quic):
        for _ in range(10):
            for make in MALFORMED.values():
                mouth = Mouth(quic.secure)
                mouth.say(make())
                mouth.close()
            await asyncio.sleep(0)
        mouths = {name: Mouth(quic.secure) for name in MALFORMED}
        for name, mouth in mouths.items():
            mouth.say(MALFORMED[name]())
        await asyncio.sleep(QUIET)
    for name, mouth in mouths.items():
        answered = sum(map(len, mouth.heard))
        assert answered <= mouth.sent, name
        mouth.close()


BAD_FIRST_FLIGHTS: dict[str, bytes] = {
    "no hello": b"\x01",
    "half a hello": crypto(hello()[:100]),
    "a hello with a hole": crypto(hello()[100:], 100),
    "a hello far away": crypto(hello(), 2**30),
    "noise for a hello": crypto(bytes(range(256))),
    "a hello of 16 MiB": crypto(b"\x01\xff\xff\xff" + bytes(800)),
    "a stream": b"\x08\0" + b"x" * 100,
    "acknowledgements of what was never sent": b"\x02" + varint(2**40) + b"\0\0\0" + crypto(hello()),
    "a close": b"\x1c\0\0\0",
    "a frame that does not exist": b"\x40\xff",
    "a frame without its end": b"\x06\0\x7f\xff",
    "done already": b"\x1e",
}


async def test_first_flights_that_make_no_sense_hold_nothing(quic: QuicGround) -> None:
    async with withstood(quic):
        for _ in range(20):
            for frames in BAD_FIRST_FLIGHTS.values():
                mouth = Mouth(quic.secure)
                mouth.say(initial(frames, os.urandom(8)))
                mouth.close()
            await asyncio.sleep(0.005)


async def test_replayed_hellos_are_one_connection(quic: QuicGround) -> None:
    datagram = fresh()
    mouths = [Mouth(quic.secure, f"127.0.0.{number}") for number in range(1, 9)]
    async with withstood(quic):
        for _ in range(100):
            for mouth in mouths:
                mouth.say(datagram)
            await asyncio.sleep(0)
        await asyncio.sleep(QUIET)
    for mouth in mouths:
        assert sum(map(len, mouth.heard)) <= 3 * mouth.sent
    senders = {bytes(one[6 + one[5]:][1:9]) for mouth in mouths for one in mouth.heard if kind(one) == "initial"}
    assert len(senders) <= len(mouths), "a connection for each of the datagrams"
    assert sum(len(one) for mouth in mouths for one in mouth.heard) < 100_000, "each of them was answered anew"
    for mouth in mouths:
        mouth.close()


async def test_a_flood_of_versions(quic: QuicGround) -> None:
    long, short = Mouth(quic.secure), Mouth(quic.secure)
    async with withstood(quic):
        for at in range(3000):
            version = random.randrange(2, 2**32)
            long.say(long_header(0xC3, os.urandom(8), version=version).ljust(LEAST, b"v"))
            short.say(long_header(0xC3, os.urandom(8), version=version).ljust(200, b"v"))
            if at % 20 == 0:
                long.heard.count(b"")
                await asyncio.sleep(0.001)
        await asyncio.sleep(QUIET)
    assert {kind(one) for one in long.heard} == {VERSION_NEGOTIATION}
    answer = long.heard[0]
    assert answer[5:15] == bytes([8]) + SOURCE + bytes([8]), "the ids are exchanged (RFC 9000 section 17.2.1)"
    assert sum(map(len, long.heard)) < long.sent / 10
    assert not short.heard, "a short one is not answered: it may be an attempt to make more of little"
    long.close()
    short.close()


async def test_handshakes_that_nobody_goes_on_with_are_given_up(quic: QuicGround) -> None:
    """Those of all tests above."""
    async def none() -> bool:
        return await quic.edge.metric("sbc_quic_half_open") == 0
    await wait_until(none, "no handshake is half done")
    mouth = Mouth(quic.secure, "127.0.2.1")
    mouth.say(fresh())
    await wait_until(lambda: mouth.heard, "a hello is answered")
    assert kind(mouth.heard[0]) == "initial"
    mouth.close()
