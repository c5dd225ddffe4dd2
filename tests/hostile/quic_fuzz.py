"""Mutated datagrams for a door of QUIC: `python -m tests.hostile.quic_fuzz --engine qh3 --seconds 600 --seed 7`.

Four ways, in turn: Initials whose plain text or header is spoilt before they are sealed; connections whose datagrams
are spoilt on their way, handshake and all; frames spoilt within sealed packets; HTTP/3 spoilt within good frames. The
edge is a process of its own with a node behind it; an honest client has to be served now and then, and in the end the
edge's memory has to be what it was. A round is made by a number alone, so that what it found can be said again.
"""

import argparse
import asyncio
import contextlib
import os
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.hostile.quic_ground import QuicGround
from tests.hostile.test_quic_http3 import BROKEN
from tests.support.h3_client import H3Client
from tests.support.quic_forge import Mouth, crypto, hello, initial, new_id, reset, stop, stream, varint
from tests.support.quic_rogue import OPEN, REQUEST, UPLOAD, Rogue
from tests.support.wait import wait_until

FRAMES = [
    b"\x01", b"\x02\x05\0\0\x05", b"\x03\x05\0\0\x05\1\1\1", reset(0), stop(0), crypto(b"x" * 20), b"\x07\x04abcd",
    stream(0, REQUEST, fin=True), stream(4, UPLOAD), stream(4, b"x" * 50, offset=40), b"\x10" + varint(2**20),
    b"\x11\0" + varint(2**20), b"\x12" + varint(200), b"\x14" + varint(5), b"\x15\0" + varint(5),
    b"\x16" + varint(9), new_id(1), b"\x19\0", b"\x1a12345678", b"\x1b12345678", b"\x1c\0\0\0", b"\x1d\0\0", b"\x1e",
    b"\x30x", b"\x31\x02\0x",
]
HTTP3 = [frames for frames, _ in BROKEN.values()]


def spoilt(chance: random.Random, data: bytes) -> bytes:
    """`data` with one to four things wrong with it."""
    octets = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(octets) + 1)
        match chance.randrange(8):
            case 0 if octets:
                octets[at % len(octets)] ^= 1 << chance.randrange(8)
            case 1 if octets:
                octets[at % len(octets)] = chance.choice((0, 1, 0x3F, 0x40, 0x7F, 0x80, 0xBF, 0xC0, 0xFF))
            case 2:
                del octets[at:]
            case 3:
                del octets[at:at + chance.randint(1, 8)]
            case 4:
                octets[at:at] = chance.randbytes(chance.randint(1, 8))
            case 5:
                octets[at:at + 8] = varint(chance.choice((0, 2**6, 2**14, 2**30, 2**62 - 1)))
            case 6:
                octets += octets[at:at + 64]
            case _:
                octets[at:at] = chance.choice(FRAMES)
    return bytes(octets[:1400])


async def first_flights(ground: QuicGround, chance: random.Random) -> int:
    """Initials, sealed after they were spoilt, and spoilt after they were sealed."""
    mouth, target = Mouth(ground.secure), chance.randbytes(chance.choice((8, 8, 8, 0, 20)))
    for number in range(10):
        frames = spoilt(chance, crypto(hello())) if chance.random() < 0.5 else chance.choice(FRAMES) + crypto(hello())
        made = initial(frames[:1100], target, number=number, token=chance.randbytes(chance.choice((0, 0, 16, 100))),
                       first=chance.choice((0xC3, 0xC3, 0xC3, 0xD3, 0xE3, 0xF3, 0xCF)))
        mouth.say(spoilt(chance, made) if chance.random() < 0.5 else made)
    await asyncio.sleep(0.002)
    mouth.close()
    return 10


async def on_the_way(ground: QuicGround, chance: random.Random) -> int:
    """A connection that would be honest, on a bad network."""
    client = H3Client(chance.choice(("aioquic", "qh3")))
    sent, rate = 0, chance.choice((0.05, 0.3))

    def mangle(datagram: bytes) -> list[bytes]:
        nonlocal sent
        sent += 1
        if chance.random() > rate:
            return [datagram]
        bad = spoilt(chance, datagram)
        return chance.choice(([], [datagram, datagram], [bad], [bad, datagram], [datagram + bad[:200]]))
    client.mangle = mangle
    client.begin(ground.secure)
    with contextlib.suppress(AssertionError):
        await wait_until(lambda: client.closed or client.shaken, "the handshake", 0.3)
    for _ in range(5):
        if client.shaken and not client.closed:
            client.send(client.ask(b"/echo", method=b"POST", end=False), b"x" * chance.randrange(5000), end=True)
            await asyncio.sleep(0.002)
    client.drop()
    return sent


async def sealed(ground: QuicGround, chance: random.Random, seeds: list[bytes]) -> int:
    """Good packets with spoilt frames in them."""
    rogue = await Rogue.connect(ground.secure)
    if chance.random() < 0.7:
        rogue.say(OPEN)
    sent = 0
    while sent < 20 and not rogue.closed:
        frames = b"".join(chance.choice(seeds) for _ in range(chance.randint(1, 4)))
        rogue.say(spoilt(chance, frames) if chance.random() < 0.8 else frames[:1300])
        sent += 1
        if sent % 5 == 0:
            await asyncio.sleep(0.001)
    rogue.drop()
    return sent


async def round_of(ground: QuicGround, number: int) -> tuple[str, int]:
    """One round: its way, and how many datagrams it took."""
    chance = random.Random(number)
    match number % 4:
        case 0:
            return "first flights", await first_flights(ground, chance)
        case 1:
            return "on the way", await on_the_way(ground, chance)
        case 2:
            return "frames", await sealed(ground, chance, FRAMES)
        case _:
            return "HTTP/3", await sealed(ground, chance, HTTP3)


async def served(ground: QuicGround, number: int) -> None:
    """An honest client is."""
    assert ground.edge.running, f"round {number}: the edge is gone:\n{ground.edge.log()}"
    client = await ground.client()
    assert (await client.get()).status == 200, f"round {number}"
    client.close()
    assert "Traceback" not in ground.edge.log(), f"round {number}:\n{ground.edge.log()}"


async def fuzz(ground: QuicGround, first: int, seconds: float, rounds: int = 2**62) -> Counter[str]:
    """Rounds from the first number on, for so long: how many datagrams each way took. Raises AssertionError."""
    took: Counter[str] = Counter()
    until, number = time.monotonic() + seconds, first
    while time.monotonic() < until and number < first + rounds:
        way, sent = await round_of(ground, number)
        took[way] += sent
        number += 1
        if number % 50 == 0:
            await served(ground, number)
    await served(ground, number)
    took["rounds"] = number - first
    return took


async def empty(ground: QuicGround) -> bool:
    return await ground.edge.metric("sbc_quic_connections") == 0


async def main(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as place:
        ground = QuicGround(Path(place))
        try:
            await ground.begin(options.engine)
            print(await fuzz(ground, options.seed * 1_000_000, 5))
            before = ground.rss()
            print(await fuzz(ground, options.seed * 1_000_000 + 100_000, options.seconds))
            print(f"{await ground.counted():g} counted; now the idle time of connections that were left open")
            await wait_until(lambda: empty(ground), "no connection is left", 120)
            print(f"memory grew by {(ground.rss() - before) / 2**20:.1f} MiB")
        finally:
            ground.edge.kill()
            for node in ground.nodes.values():
                node.kill()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", default="qh3")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(2), "big"))
    asyncio.run(main(parser.parse_args()))
