"""Hostile upgrades: each is refused with an honest status, and no node hears of it."""

import asyncio
import time

import pytest

from tests.hostile.conftest import Ground
from tests.support.raw import TEXT, RawClient, frame, upgrade

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def refused(edge: Ground, *parts: bytes) -> int | None:
    """The status that these bytes are answered with; None if the edge just hangs up."""
    legs = edge.stub.legs
    client = await RawClient.connect(edge.edge.port)
    await client.send(*parts)
    answer = await client.head()
    assert await client.ended(), "a refused connection is closed"
    assert edge.stub.legs == legs, "a node heard of it"
    client.abort()
    return answer.status if answer else None


def spoilt(old: bytes, new: bytes) -> bytes:
    """An honest upgrade to the stub with one thing replaced."""
    head = upgrade("/stub")
    assert old in head
    return head.replace(old, new, 1)


BAD = {
    "no key": (upgrade("/stub", without="sec-websocket-key"), {400}),
    "empty key": (upgrade("/stub", "Sec-WebSocket-Key:", without="sec-websocket-key"), {400}),
    "short key": (upgrade("/stub", "Sec-WebSocket-Key: c2hvcnQ=", without="sec-websocket-key"), {400}),
    "key that is no base64": (upgrade("/stub", "Sec-WebSocket-Key: " + "!" * 24, without="sec-websocket-key"), {400}),
    "two keys": (upgrade("/stub", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), {400}),
    "no version": (upgrade("/stub", without="sec-websocket-version"), {400, 426}),
    "version 8": (spoilt(b"Version: 13", b"Version: 8"), {400, 426}),
    "no host": (upgrade("/stub", without="host"), {400}),
    "two hosts": (upgrade("/stub", "Host: other.test"), {400}),
    "host with userinfo": (upgrade("/stub", host="a@edge.test"), {400}),
    "host with a space": (upgrade("/stub", host="edge test"), {400}),
    "no upgrade": (upgrade("/stub", without="upgrade"), {400, 426, 404, 405}),
    "no connection": (upgrade("/stub", without="connection"), {400, 426}),
    "upgrade to something else": (spoilt(b"Upgrade: websocket", b"Upgrade: h2c"), {400, 426, 501}),
    "method POST": (spoilt(b"GET ", b"POST "), {400, 405}),
    "method that is no token": (spoilt(b"GET ", b"G@T "), {400, 405, 501}),
    "lower-case method": (spoilt(b"GET ", b"get "), {400, 405, 501}),
    "HTTP/1.0": (spoilt(b"HTTP/1.1", b"HTTP/1.0"), {400, 426, 505}),
    "HTTP/2.0": (spoilt(b"HTTP/1.1", b"HTTP/2.0"), {400, 505}),
    "HTTP/1.32": (spoilt(b"HTTP/1.1", b"HTTP/1.32"), {400, 505}),
    "HTTP/0.9": (b"GET /stub\r\n\r\n", {400, 505}),
    "lower-case version": (spoilt(b"HTTP/1.1", b"http/1.1"), {400, 505}),
    "no version at all": (spoilt(b" HTTP/1.1", b""), {400, 505}),
    "two spaces": (spoilt(b"GET /stub ", b"GET  /stub "), {400}),
    "space in the target": (spoilt(b"/stub", b"/stub x"), {400}),
    "fragment in the target": (spoilt(b"/stub", b"/stub#x"), {400}),
    "control byte in the target": (spoilt(b"/stub", b"/stub\x01"), {400}),
    "8-bit target": (spoilt(b"/stub", b"/stub\xff"), {400}),
    "target without a slash": (spoilt(b"/stub", b"stub"), {400}),
    "target of dots": (spoilt(b"/stub", b"/x/../stub"), {400, 404}),
    "encoded slash": (spoilt(b"/stub", b"/stub%2f"), {400}),
    "encoded NUL": (spoilt(b"/stub", b"/stub%00"), {400}),
    "bare LF": (upgrade("/stub").replace(b"\r\n", b"\n"), {400}),
    "one bare LF": (spoilt(b"websocket\r\n", b"websocket\n"), {400}),
    "bare CR": (spoilt(b"Upgrade: websocket", b"Upgrade: web\rsocket"), {400}),
    "NUL in a value": (upgrade("/stub", "X: a\0b"), {400}),
    "control byte in a value": (upgrade("/stub", "X: a\x07b"), {400}),
    "obs-fold": (upgrade("/stub", "X: a\r\n b"), {400}),
    "obs-fold first": (spoilt(b"Host:", b" Host:"), {400}),
    "no colon": (upgrade("/stub", "nonsense"), {400}),
    "empty name": (upgrade("/stub", ": x"), {400}),
    "space before the colon": (upgrade("/stub", "X : y"), {400}),
    "space in a name": (upgrade("/stub", "X Y: z"), {400}),
    "8-bit name": (upgrade("/stub", "X\xfc: z"), {400}),
    "CR CR LF": (spoilt(b"websocket\r\n", b"websocket\r\r\n"), {400}),
    "look-alike of a header of ours": (upgrade("/stub", "Session_Id: x"), {400}),
    "look-alike of a proxy header": (upgrade("/stub", "X_Forwarded_For: 10.0.0.1"), {400}),
    "a body": (upgrade("/stub", "Content-Length: 5") + b"hello", {400}),
    "a chunked body": (upgrade("/stub", "Transfer-Encoding: chunked") + b"0\r\n\r\n", {400, 501}),
    "length and chunks": (upgrade("/stub", "Content-Length: 4", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
                          {400, 501}),
    "two lengths": (upgrade("/stub", "Content-Length: 0", "Content-Length: 5"), {400}),
    "length with a sign": (upgrade("/stub", "Content-Length: +0"), {400}),
    "length in a list": (upgrade("/stub", "Content-Length: 0, 0"), {400}),
    "unknown transfer coding": (upgrade("/stub", "Transfer-Encoding: xchunked"), {400, 501}),
    "transfer coding with VT": (upgrade("/stub", "Transfer-Encoding: \x0bchunked"), {400, 501}),
    "expectation": (upgrade("/stub", "Expect: 200-maybe"), {400, 417}),
    "long line": (upgrade("/stub?" + "x" * 20_000), {414, 431}),
    "long head": (upgrade("/stub", "X: " + "x" * 20_000), {431}),
    "many headers": (upgrade("/stub", *[f"X{n}: y" for n in range(60)]), {431}),
    "head without end": (b"GET /stub HTTP/1.1\r\n" + b"X: y\r\n" * 20_000, {431}),
    "TLS on a plain port": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), {400}),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), {400, 505}),
    "noise": (bytes(range(256)) * 4 + b"\r\n\r\n", {400}),
    "nothing but line ends": (b"\r\n" * 5000, {400, 431}),
    "an unknown route": (upgrade("/stub", "Host: x", without="host").replace(b"/stub", b"*"), {400, 404}),
}


@pytest.mark.parametrize("what", BAD)
async def test_it_is_refused(edge: Ground, what: str) -> None:
    head, statuses = BAD[what]
    status = await refused(edge, head)
    assert status in statuses, f"{what}: {status}"


async def test_a_wrong_version_is_told_the_right_one(edge: Ground) -> None:
    client = await RawClient.connect(edge.edge.port)
    await client.send(spoilt(b"Version: 13", b"Version: 99"))
    answer = await client.head()
    assert answer is not None and answer.status in (400, 426)
    assert answer.headers.get("sec-websocket-version") == "13"  # RFC 6455 4.4
    client.abort()


async def test_frames_that_come_with_the_head_are_refused_or_heard_but_not_lost(edge: Ground) -> None:
    client = await RawClient.connect(edge.edge.port)
    await client.send(upgrade(), frame(TEXT, b"early bird"), frame(TEXT, b"and the worm"))
    answer = await client.head()
    assert answer is not None
    if answer.status == 400:  # RFC 6455 4.1: a client has to wait for the answer
        return
    assert answer.status == 101
    for said in (b"early bird", b"and the worm"):
        echo = await client.frame()
        assert echo is not None and echo.payload == said
    client.abort()


async def test_a_broken_frame_that_comes_with_the_head_ends_the_session(edge: Ground) -> None:
    client = await RawClient.connect(edge.edge.port)
    await client.send(upgrade("/stub") + frame(TEXT, b"\xff"))
    answer = await client.head()
    assert answer is not None and answer.status == 101
    assert await client.close_code() == 1007
    await edge.no_sessions("?agent=stub")


async def test_a_head_in_single_bytes_is_a_head(edge: Ground) -> None:
    client = await RawClient.connect(edge.edge.port)
    for at in range(0, len(head := upgrade()), 1):
        client.writer.write(head[at:at + 1])
        if at % 16 == 0:
            await client.writer.drain()
            await asyncio.sleep(0)
    answer = await client.head()
    assert answer is not None and answer.status == 101
    client.abort()


async def test_a_slow_head_is_given_up(edge: Ground) -> None:
    slow = [await RawClient.connect(edge.edge.port) for _ in range(10)]
    began = time.monotonic()
    for client in slow[:5]:
        await client.send(b"GET / HTTP/1.1\r\nHost: e")
    answers = [await client.head() for client in slow]
    assert all(answer is None or answer.status == 408 for answer in answers)
    assert 0.5 < time.monotonic() - began < 5, "head_timeout is 1 s"


async def test_a_head_that_trickles_is_given_up(edge: Ground) -> None:
    client = await RawClient.connect(edge.edge.port)
    began = time.monotonic()
    answer = asyncio.create_task(client.head())
    for byte in upgrade():
        await client.send(bytes([byte]))
        if (await asyncio.wait([answer], timeout=0.05))[0]:
            break
    else:
        raise AssertionError("the whole head was heard out")
    assert answer.result() is None or answer.result().status == 408
    assert await client.ended()
    assert time.monotonic() - began < 5


async def test_what_a_client_says_about_itself_is_not_believed(edge: Ground) -> None:
    forged = ["Session-Epoch: 99", "Session-Role: owner", "Session-Principal: admin", "Session-Class: synchronous",
              "Session-Agent: root", "Session-Resume: received=1, sent=1, delivered=1", "X-Forwarded-For: 10.9.9.9",
              "X-Real-IP: 10.9.9.9", "Forwarded: for=10.9.9.9", "X-Forwarded-Proto: https", "Connection: X-Secret",
              "X-Secret: hop", "Keep-Alive: 5", "Proxy-Authorization: Basic x", "Cookie: kept=1", "X-Kept: 1"]
    client = await RawClient.opened(edge.edge.port, *forged, path="/stub?kept=1")
    lines = edge.stub.heads[-1].split("\r\n")
    assert lines[0] == "GET /stub?kept=1 HTTP/1.1"
    sent = "\r\n".join(lines)
    for false in ("10.9.9.9", "Session-Epoch: 99", "admin", "root", "received=1", "hop", "Proxy-Auth", "Keep-Alive"):
        assert false.lower() not in sent.lower(), false
    assert "x-kept: 1" in sent.lower() and "kept=1" in sent
    names = [line.partition(":")[0].lower() for line in lines[1:] if line]
    for once in ("host", "session-id", "session-epoch", "session-role", "sec-websocket-key", "upgrade", "connection"):
        assert names.count(once) == 1, once
    client.abort()


async def test_many_bad_hellos_leave_nothing_behind(edge: Ground) -> None:
    before = (await edge.edge.sessions(), await edge.edge.metric("sbc_dialogs"))
    for _ in range(5):
        await asyncio.gather(*(refused(edge, head) for head, _ in list(BAD.values())[:20]))
    after = (await edge.edge.sessions(), await edge.edge.metric("sbc_dialogs"))
    assert len(after[0]) == len(before[0]) and after[1] == before[1]
