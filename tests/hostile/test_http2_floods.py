"""Floods over HTTP/2, in the very bytes: each is ended within its limit and counted, and an honest client beside the
attacker does not notice."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio
from hpack import Encoder

from sbc.transports.watch import Times
from tests.support.h2_client import PREFACE, H2Client, frame
from tests.support.wait import PATIENCE, wait_until
from tests.transports.desk import Desk, Door

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS = 1, 4
HEAD = Encoder().encode([(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"edge.test"), (b":path", b"/x")])
OPEN = PREFACE + frame(SETTINGS, 0, 0)
PATIENT = Times(stall=1.0, look=0.2, parting=0.1)


def request(stream: int, *, end: bool = True, block: bytes = HEAD) -> bytes:
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, block)


def forever(make: Callable[[int], bytes]) -> Iterator[bytes]:
    """Pieces of many frames each; the number counts on."""
    return (b"".join(make(n) for n in range(at, at + 200)) for at in range(0, 200_000, 200))


def odd(n: int) -> int:
    return 2 * n + 1


def bomb() -> bytes:
    """CVE-2016-6581: one long entry of the table, and thousands of references to it."""
    block = HEAD + b"\x40" + b"\x01x" + b"\x7f\x81\x1d" + b"a" * 3840 + b"\xbe" * 8000
    return request(1, block=block[:16384])


def nameless(n: int) -> bytes:
    """CVE-2019-9516: fields of no length."""
    return request(odd(n), block=HEAD + b"\x00\x00\x00" * 1000)


FLOODS: dict[str, Callable[[], Iterator[bytes]]] = {
    "rapid reset": lambda: forever(lambda n: request(odd(n)) + frame(RST, 0, odd(n), b"\0\0\0\x08")),
    "made you reset: window of zero": lambda: forever(lambda n: request(odd(n)) + frame(WINDOW, 0, odd(n), bytes(4))),
    "made you reset: window too large": lambda: forever(
        lambda n: request(odd(n)) + 2 * frame(WINDOW, 0, odd(n), b"\x7f\xff\xff\xff")),
    "made you reset: bad priority": lambda: forever(lambda n: request(odd(n)) + frame(PRIORITY, 0, odd(n), bytes(4))),
    "made you reset: depends on itself": lambda: forever(
        lambda n: request(odd(n)) + frame(PRIORITY, 0, odd(n), odd(n).to_bytes(4, "big") + b"\0")),
    "made you reset: data behind the end": lambda: forever(lambda n: request(odd(n)) + frame(DATA, 0, odd(n), b"x")),
    "made you reset: head behind the end": lambda: forever(lambda n: request(odd(n)) + request(odd(n))),
    "malformed requests": lambda: forever(lambda n: request(odd(n), block=HEAD + b"\x00\x01X\x01y")),
    "continuations": lambda: iter([frame(HEADERS, 1, 1, HEAD), *forever(lambda n: frame(CONTINUATION, 0, 1, b"\x82"))]),
    "empty continuations": lambda: iter(
        [frame(HEADERS, 1, 1, HEAD), *forever(lambda n: frame(CONTINUATION, 0, 1))]),
    "long continuations": lambda: iter(
        [frame(HEADERS, 1, 1, HEAD), *[frame(CONTINUATION, 0, 1, bytes(16384)) for _ in range(8)]]),
    "pings": lambda: forever(lambda n: frame(PING, 0, 0, bytes(8))),
    "acknowledged pings": lambda: forever(lambda n: frame(PING, 1, 0, bytes(8))),
    "settings": lambda: forever(lambda n: frame(SETTINGS, 0, 0)),
    "long settings": lambda: iter([frame(SETTINGS, 0, 0, b"\x00\x99\0\0\0\0" * 2000)]),
    "empty data": lambda: iter([request(1, end=False), *forever(lambda n: frame(DATA, 0, 1))]),
    "padding alone": lambda: iter([request(1, end=False), *forever(lambda n: frame(DATA, 8, 1, b"\0"))]),
    "priorities": lambda: forever(lambda n: frame(PRIORITY, 0, odd(n % 50), b"\0\0\0\0\x10")),
    "window updates": lambda: forever(lambda n: frame(WINDOW, 0, 0, b"\0\0\0\x01")),
    "unknown frames": lambda: forever(lambda n: frame(0x77, 0, 0, b"x")),
    "goaways": lambda: forever(lambda n: frame(GOAWAY, 0, 0, bytes(8))),
    "more streams than allowed": lambda: forever(lambda n: request(odd(n), end=False)),
    "streams that go backwards": lambda: iter([request(9), request(7), *forever(lambda n: request(5))]),
    "data on a stream that was reset for it": lambda: iter(
        [request(1), *forever(lambda n: frame(DATA, 0, 1, bytes(50)))]),
    "heads on a stream that was reset for them": lambda: iter([request(1), *forever(lambda n: request(1))]),
    "resets of a stream that is over": lambda: iter([request(1), *forever(lambda n: frame(RST, 0, 1, bytes(4)))]),
    "resets of streams that never were": lambda: forever(lambda n: frame(RST, 0, odd(n), bytes(4))),
    "cookie crumbs": lambda: forever(lambda n: request(odd(n), block=HEAD + b"\x60\x01a" * 4000)),
    "a priority of the connection": lambda: iter([request(1), frame(PRIORITY, 0, 0, b"\0\0\0\0\x10")]),
    "even streams": lambda: iter([request(2)]),
    "a push": lambda: iter([request(1), frame(PUSH, 4, 1, b"\0\0\0\x02" + HEAD)]),
    "a frame too long": lambda: iter([frame(DATA, 0, 1, b"", length=2**24 - 1), bytes(16384)]),
    "header bomb": lambda: iter([bomb()]),
    "fields of no length": lambda: forever(nameless),
    "no HTTP/2 at all": lambda: iter([bytes(range(256)) * 100]),
}


@pytest_asyncio.fixture(params=["ngh2", "h2"])
async def door(request: pytest.FixtureRequest) -> AsyncIterator[Door]:
    async with Door(Desk(), request.param, times=PATIENT) as opened:
        yield opened


class Witness:
    """An honest client: asks again and again, and notes the longest wait, in seconds of this process's processor: the
    edge and its attacker are in it, and what else the machine does is none of theirs."""

    def __init__(self, client: H2Client) -> None:
        self.client = client
        self.served = 0
        self.longest = 0.0
        self._task = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        while True:
            began = time.process_time()
            answer = await self.client.get()
            assert answer.complete and answer.body == b"hello"
            self.longest = max(self.longest, time.process_time() - began)
            self.served += 1
            await asyncio.sleep(0.01)

    async def done(self) -> None:
        served = self.served
        await wait_until(lambda: self.served > served + 2 or self._task.done(), "the honest client is served")
        self._task.cancel()
        if self._task.done() and not self._task.cancelled():
            self._task.result()
        self.client.drop()


async def attack(door: Door, pieces: Iterator[bytes]) -> int:
    """Send until the edge has had enough: how many bytes it took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    swallow = asyncio.create_task(reader.read())
    sent = 0
    try:
        writer.write(OPEN)
        for piece in pieces:
            if swallow.done():
                break
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
            sent += len(piece)
        await asyncio.wait_for(swallow, PATIENCE)
    except ConnectionError:
        pass
    finally:
        swallow.cancel()
        writer.transport.abort()
    return sent


@pytest.mark.parametrize("flood", FLOODS)
async def test_a_flood_is_ended_and_nobody_else_notices(door: Door, flood: str) -> None:
    desk = door.desk
    witness = Witness(await H2Client.connect(door.port))
    await wait_until(lambda: witness.served, "the honest client is served")
    sent = await attack(door, FLOODS[flood]())
    await wait_until(lambda: desk.abuses, "it is counted")
    await witness.done()
    await wait_until(lambda: desk.here == 0, "the attacker's connection is gone")
    assert sent < 5_000_000
    assert witness.longest < 0.25, f"the honest client waited {witness.longest:.3f} s"
    left = [talk for talk in desk.talks if talk.request.path == b"/x" and not talk.gone]
    assert not left, "work goes on for streams that are dead"


async def test_what_honest_clients_do_is_no_flood(door: Door) -> None:
    client = await H2Client.connect(door.port)
    for _ in range(15):
        client.h2.ping(bytes(8))
    for _ in range(5):
        client.h2.update_settings({4: 65535})
    await client.flush()
    for _ in range(60):  # cancels, with requests that are served in between
        client.h2.reset_stream(await client.ask(b"/x"), 8)
        assert (await client.get()).complete
    streams = [await client.ask(b"/echo", method=b"POST", end=False) for _ in range(90)]
    for stream in streams:
        await client.send(stream, b"x" * 700)
        await client.send(stream, b"", end=True)
    for stream in streams:
        assert (await client.answer(stream)).complete
    assert not door.desk.abuses and not client.goaways
    client.drop()


async def test_a_table_that_is_huge_is_not_filled(door: Door) -> None:
    """The other side may allow any table: ours stays at 4 KiB (RFC 7541 section 4.2)."""
    client = await H2Client.connect(door.port, settings={1: 2**20})
    await client.get()
    client.h2.decoder.max_allowed_table_size = 2**20
    for _ in range(3):
        assert (await client.get()).complete
    assert client.h2.decoder.header_table_size <= 4096
    client.drop()


async def test_a_body_that_nobody_takes_is_held_within_the_window(door: Door) -> None:
    client = await H2Client.connect(door.port)
    await client.get()
    door.desk.script = lambda talk: talk.stream.pause()
    sent = 0
    for _ in range(20):
        stream = await client.ask(b"/x", method=b"POST", end=False)
        while (room := min(client.h2.local_flow_control_window(stream), 16384)) > 0:
            await client.send(stream, bytes(room))
            sent += room
    assert sent == 1024 * 1024, "one connection holds no more than its window"
    client.drop()
