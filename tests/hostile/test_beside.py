"""Attacks by many at once on a live edge, each beside an honest client whose service is held against a quiet moment.

The client comes by TLS and HTTP/1.1, now and then on a new connection, and holds a WebSocket: it is served without a
fault, its 99th percentile is bounded, the edge's memory too, each attack is counted, and nothing is thrown.
"""

import asyncio
import contextlib
import os
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from tests.hostile.quic_ground import QuicGround
from tests.hostile.test_http2_floods import FLOODS, OPEN
from tests.support.fair import fair_clock
from tests.support.raw import BINARY, CONTINUATION, PING, TEXT, RawClient, frame, upgrade
from tests.support.wait import PATIENCE, wait_until

pytestmark = pytest.mark.asyncio(loop_scope="session")

SPAN = 0.25
"""Seconds of each attack."""
GROWTH = 48 * 2**20
"""By how many bytes the edge may grow under one."""
FACTOR, FLOOR = 10.0, 0.5
"""By how much the 99th percentile may grow, and the seconds below which it is no matter."""
GET = b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Honest:
    """Asks again and again, and notes how long each answer took, by a clock of the edge's own."""

    def __init__(self, ground: "Ground", clock: Callable[[], float]) -> None:
        self._ground, self._clock = ground, clock
        self.waits: list[float] = []
        self._enough = False
        self._asking = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        client = await RawClient.connect(self._ground.secure, tls=self._ground.trust)
        while not self._enough:
            began = self._clock()
            if len(self.waits) % 8 == 7:
                client.abort()
                client = await RawClient.connect(self._ground.secure, tls=self._ground.trust)
            await client.send(GET)
            answer = await client.head()
            assert answer is not None and answer.status == 200, answer
            await client.reader.readexactly(int(answer.headers["content-length"]))
            self.waits.append(self._clock() - began)
            await self._ground.session.send(frame(TEXT, b"still there?"))
            heard = await self._ground.session.frame()
            assert heard is not None and heard.payload == b"still there?"
            await asyncio.sleep(0.01)
        client.abort()

    def p99(self) -> float:
        return sorted(self.waits)[int(len(self.waits) * 0.99)]

    async def done(self) -> float:
        """Wait until it is served once more; its 99th percentile. Raises what went wrong with it."""
        served = len(self.waits)
        await wait_until(lambda: len(self.waits) > served + 1 or self._asking.done(), "the honest client is served")
        self._enough = True
        await self._asking
        return self.p99()

    def end(self) -> None:
        self._asking.cancel()


@contextlib.asynccontextmanager
async def honest(ground: "Ground") -> AsyncIterator[Honest]:
    """A client that is served."""
    async with fair_clock(ground.edge.pid, ground.nodes["a"].pid) as clock:
        client = Honest(ground, clock)
        try:
            await wait_until(lambda: client.waits, "the honest client is served")
            yield client
        finally:
            client.end()


class Ground(QuicGround):
    trust: ssl.SSLContext
    session: RawClient
    """A WebSocket that is there from the first attack to the last."""
    quiet: float
    """The 99th percentile while nobody attacks."""

    async def flood(self, piece: Callable[[int], bytes], *, first: bytes = b"", tls: bool = False, read: bool = False,
                    offers: str = "", span: float = SPAN) -> None:
        """One connection that sends on and on, until it is cut or the time is over."""
        trust = None
        if tls:
            trust = ssl.create_default_context(cafile=str(self.ca))
            trust.set_alpn_protocols([offers] if offers else [])
        ends = time.monotonic() + span
        with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError):
            client = await RawClient.connect(self.secure if tls else self.edge.port, tls=trust)
            swallow = asyncio.create_task(client.reader.read()) if read else None
            client.writer.write(first)
            number = 0
            while time.monotonic() < ends and not client.reader.at_eof() and not client.writer.is_closing():
                client.writer.write(piece(number))
                await asyncio.wait_for(client.writer.drain(), SPAN)
                number += 1
                await asyncio.sleep(0.002)
            client.abort()
            if swallow is not None:
                swallow.cancel()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    stage = Ground(tmp_path_factory.mktemp("beside"))
    try:
        await stage.begin("auto")
        stage.trust = ssl.create_default_context(cafile=str(stage.ca))
        stage.session = await RawClient.opened(stage.edge.port, path="/ws")
        async with honest(stage) as client:
            await wait_until(lambda: len(client.waits) >= 40, "a quiet moment")
            stage.quiet = await client.done()
        yield stage
    finally:
        await stage.close()


def handshake(_number: int) -> bytes:
    """The beginning of a hello, in records of one byte."""
    return b"\x16\x03\x01\x00\x01\x01"


def deflated(octets: int) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return (packer.compress(bytes(octets)) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


BOMB = frame(BINARY, deflated(32 * 2**20), rsv=4)
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover"
LONG = b"GET /prey/big?size=4000000 HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /prey/take HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
SMUGGLED = GET.replace(b"Host", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\nHost")
CHUNKS = POST.replace(b"Content-Length: 1000000", b"Transfer-Encoding: chunked")


def h2(name: str) -> Callable[[Ground], Awaitable[None]]:
    async def attack(ground: Ground) -> None:
        pieces, ends = [piece for _, piece in zip(range(40), FLOODS[name](), strict=False)], time.monotonic() + SPAN
        while time.monotonic() < ends:  # who is cut comes back
            await asyncio.gather(*(
                ground.flood(lambda n: pieces[min(n, len(pieces) - 1)], first=OPEN, tls=True, offers="h2")
                for _ in range(3)))
    return attack


def many(count: int, piece: Callable[[int], bytes], *, first: bytes = b"", tls: bool = False,
         read: bool = False, span: float = SPAN) -> Callable[[Ground], Awaitable[None]]:  # fmt: skip
    async def attack(ground: Ground) -> None:
        await asyncio.gather(*(ground.flood(piece, first=first, tls=tls, read=read, span=span) for _ in range(count)))
    return attack


async def churn(ground: Ground) -> None:
    """Connections that are opened and reset, on both ports."""
    async def one(number: int) -> None:
        client = await RawClient.connect((ground.edge.port, ground.secure)[number % 2])
        if number % 3:
            await client.send(GET[: number % len(GET)])
        client.abort()
    for at in range(0, 400, 50):
        await asyncio.gather(*(one(number) for number in range(at, at + 50)))


async def sessions(ground: Ground) -> None:
    """WebSockets that are opened, say a word, and are gone."""
    async def one() -> None:
        client = await RawClient.opened(ground.edge.port, path="/prey/ws")
        await client.send(frame(TEXT, b"x"))
        client.abort()
    for _ in range(6):
        await asyncio.gather(*(one() for _ in range(20)))


async def guesses(ground: Ground) -> None:
    """Tokens of sessions, made up."""
    async def one(number: int) -> None:
        client = await RawClient.connect(ground.edge.port)
        await client.send(upgrade("/ws", f"Session-Id: k1.{os.urandom(60).hex()}", f"Session-Received: {number}"))
        answer = await client.head()
        assert answer is not None and answer.status in (400, 403), answer
        client.abort()
    for at in range(0, 200, 40):
        await asyncio.gather(*(one(number) for number in range(at, at + 40)))


ATTACKS: dict[str, tuple[Callable[[Ground], Awaitable[None]], str]] = {
    "heads that trickle": (many(100, lambda n: b"X" if n else b"GET / HTTP/1.1\r\nX-", span=1.2), "head_timeout"),
    "silence on a plain port": (many(100, lambda _n: b"", span=1.2), "head_timeout"),
    "one long answer each": (many(40, lambda _n: b"", first=LONG), ""),
    "hellos in single bytes": (many(60, handshake), ""),
    "hellos of TLS that are none": (many(60, handshake, tls=False, first=b"\x16\x03\x01\x02\x00"), ""),
    "bodies that trickle": (many(60, lambda _n: b"x", first=POST), ""),
    "chunks of one byte": (many(20, lambda _n: b"1\r\nx\r\n" * 200, first=CHUNKS, read=True), ""),
    "answers that nobody reads": (many(40, lambda _n: b"", first=LONG * 5), ""),
    "smuggled heads": (many(30, lambda _n: SMUGGLED), "malformed"),
    "pipelined requests that nobody reads": (many(20, lambda _n: GET * 50), ""),
    "connections that come and go": (churn, ""),
    "sessions that come and go": (sessions, ""),
    "guessed tokens": (guesses, "bad_token"),
    "websocket: pings that nobody reads": (
        many(20, lambda _n: frame(PING, b"x" * 125) * 50, first=upgrade("/prey/ws")), ""),
    "websocket: fragments": (
        many(10, lambda n: frame(CONTINUATION if n else BINARY, b"x", fin=False) * (200 if n else 1),
             first=upgrade("/prey/ws"), read=True), ""),
    "websocket: bombs": (many(10, lambda _n: BOMB, first=upgrade("/prey/ws", DEFLATE), read=True), ""),
    "websocket: broken frames": (many(10, lambda _n: frame(TEXT, b"\xff"), first=upgrade("/prey/ws"), read=True),
                                 "client_invalid_text"),
    **{f"http2: {name}": (h2(name), kind) for name, kind in {
        "rapid reset": "h2_rapid_reset", "continuations": "h2_continuation_flood", "settings": "h2_settings_flood",
        "pings": "h2_ping_flood", "empty data": "h2_empty_frames", "window updates": "h2_window_update_flood",
        "made you reset: window of zero": "", "header bomb": "", "fields of no length": "", "priorities": "",
    }.items()},
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
async def test_an_honest_client_beside_it_is_served_as_ever(ground: Ground, attack: str) -> None:
    run, kind = ATTACKS[attack]
    before, counted = ground.rss(), await count(ground, kind)
    ground.forget_peak()
    async with honest(ground) as client:
        await run(ground)
        p99 = await client.done()
    assert ground.edge.running and "Traceback" not in ground.edge.log(), ground.edge.log()
    assert p99 < FACTOR * ground.quiet + FLOOR, f"{p99:.3f} s, quiet {ground.quiet:.3f} s"
    assert ground.peak() - before < GROWTH, f"the edge grew by {(ground.peak() - before) / 2**20:.1f} MiB"
    if kind:
        async def seen() -> bool:
            return await count(ground, kind) > counted
        await wait_until(seen, f"{kind} is counted", PATIENCE)


async def count(ground: Ground, kind: str) -> float:
    return await ground.edge.metric("sbc_abuse_total", kind=kind) + await ground.edge.metric(
        "sbc_refused_total", code=kind)
