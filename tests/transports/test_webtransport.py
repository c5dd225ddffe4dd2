"""WebTransport sessions as WebSocket connections: real sockets, independent clients, a reception that is scripted."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sbc.core.frames import Opcode, build, close_payload, payload_of, read_close, read_frame
from sbc.core.octets import unmasked
from sbc.transports.quic import webtransport
from sbc.wire.http3.capsules import Capsules, close_capsule
from sbc.wire.link import Link
from tests.support.h3_client import H3Client
from tests.support.wait import PATIENCE, wait_until
from tests.transports.desk import Desk, Owner
from tests.transports.quic import BRIEF, Porch

PAIRS = [("qh3", "aioquic"), ("qh3", "qh3"), ("aioquic", "qh3"), ("aioquic", "aioquic")]


class Tape(asyncio.Protocol):
    """In a Link's place: what comes as frames, and what is told of the writing."""

    def __init__(self) -> None:
        self.octets = b""
        self.pressure: list[str] = []
        self.lost = False

    def data_received(self, data: bytes) -> None:
        self.octets += data

    def pause_writing(self) -> None:
        self.pressure.append("slow")

    def resume_writing(self) -> None:
        self.pressure.append("ready")

    def connection_lost(self, _error: Exception | None) -> None:
        self.lost = True

    @property
    def frames(self) -> list[tuple[int, bytes]]:
        """Opcode and payload of each; all of them are masked and whole."""
        found, at = [], 0
        while (frame := read_frame(self.octets, at, masked=True, deflate=False, limit=1 << 30)) is not None:
            assert frame.fin and frame.end <= len(self.octets)
            found.append((frame.opcode, unmasked(self.octets, frame.body, frame.end, frame.mask_at)))
            at = frame.end
        return found

    @property
    def messages(self) -> list[bytes]:
        return [payload for _, payload in self.frames]


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest_asyncio.fixture(params=PAIRS, ids="-".join)
async def client(request: pytest.FixtureRequest, desk: Desk) -> AsyncIterator[H3Client]:
    async with Porch(desk, request.param[0]) as porch:
        yield await porch.client(request.param[1], webtransport=True)


async def admitted(client: H3Client, desk: Desk, path: bytes = b"/chat") -> tuple[int, Link, Owner]:
    stream = client.tunnel(path, b"webtransport")
    await wait_until(lambda: desk.doors, "the hello")
    owner = Owner()
    link, early = desk.doors.pop()[0].admit([("Session-Id", "t")], owner)
    assert early == b""
    await client.until(lambda: client.answers[stream].fields, "the 200")
    return stream, link, owner


async def taped(client: H3Client, desk: Desk, path: bytes = b"/chat") -> tuple[int, Link, Tape]:
    stream, link, _owner = await admitted(client, desk, path)
    tape = Tape()
    link.transport.set_protocol(tape)
    return stream, link, tape


def said(client: H3Client) -> list[bytes]:
    """The messages that the client was sent on streams, in order."""
    return [bytes(client.streams[stream]) for stream in sorted(client.streams) if stream in client.ended]


async def test_the_hello(client: H3Client, desk: Desk) -> None:
    stream = client.tunnel(b"/chat?session=abc&received=4", b"webtransport")
    await wait_until(lambda: desk.doors, "the hello")
    door, hello = desk.doors.pop()
    assert hello.target == "/chat?session=abc&received=4" and hello.secure and door.protocols == []
    link, _ = door.admit([("Session-Id", "t")], Owner())
    answer = client.answers[stream]
    await client.until(lambda: answer.fields, "the 200")
    assert answer.status == 200 and answer.fields[b"session-id"] == b"t"
    assert answer.fields[b"sec-webtransport-http3-draft"] == b"draft02"
    link.abort()


async def test_a_hello_that_is_refused(client: H3Client, desk: Desk) -> None:
    answer = await client.answer(client.tunnel(b"/nowhere", b"webtransport"))
    assert answer.status == 404 and desk.refusals == ["no_route"]


async def test_messages_of_the_client_in_order(client: H3Client, desk: Desk) -> None:
    session, _link, tape = await taped(client, desk)
    first = client.open_stream(session, b"on", end=False)
    client.open_stream(session, b"two")
    client.open_stream(session, b"three")
    await client.get()  # a request between them, which takes a stream's number
    client.open_stream(session, b"")
    assert tape.messages == [], "the first is not whole"
    client.quic.send_stream_data(first, b"e", True)
    client.flush()
    await wait_until(lambda: len(tape.frames) == 4, "the messages")
    assert tape.frames == [(Opcode.TEXT, each) for each in (b"one", b"two", b"three", b"")]
    client.open_stream(session, b"one way", both_ways=False)
    await wait_until(lambda: tape.messages[4:] == [b"one way"], "a message")
    assert not desk.abuses


async def test_messages_of_the_node_in_order(client: H3Client, desk: Desk) -> None:
    _session, link, tape = await taped(client, desk)
    texts = [b"%d" % number * number for number in range(250)]
    for text in texts:
        link.transport.write(build(Opcode.TEXT, text, None))
    await client.until(lambda: len(said(client)) == 250, "the messages")
    assert said(client) == texts and tape.pressure in ([], ["slow", "ready"])
    link.transport.write(b"\x02\x03abc\x80\x02de")
    await client.until(lambda: said(client)[250:] == [b"abcde"], "a message in fragments")


async def test_binary_messages(client: H3Client, desk: Desk) -> None:
    session, _link, tape = await taped(client, desk, b"/chat?messages=binary")
    body = bytes(range(256)) * 2000
    client.open_stream(session, body)
    await wait_until(lambda: tape.frames == [(Opcode.BINARY, body)], "the message")


async def test_datagrams(client: H3Client, desk: Desk) -> None:
    session, link, tape = await taped(client, desk, b"/chat?datagrams=1")
    client.send_datagram(session, b"unreliable")
    await wait_until(lambda: tape.frames == [(Opcode.TEXT, b"unreliable")], "the message")
    link.transport.write(build(Opcode.TEXT, b"short", None) + build(Opcode.TEXT, b"l" * 5000, None))
    await client.until(lambda: client.datagrams and said(client), "both")
    assert client.datagrams == [(session, b"short")] and said(client) == [b"l" * 5000]


async def test_without_a_wish_nothing_is_a_datagram(client: H3Client, desk: Desk) -> None:
    _session, link, _tape = await taped(client, desk)
    link.transport.write(build(Opcode.TEXT, b"short", None))
    await client.until(lambda: said(client) == [b"short"], "the message")
    assert not client.datagrams


async def test_pings_are_answered_at_once(client: H3Client, desk: Desk) -> None:
    _session, link, tape = await taped(client, desk)
    link.transport.write(build(Opcode.PING, b"p", None))
    await wait_until(lambda: tape.frames == [(Opcode.PONG, b"p")], "the pong")


async def test_reading_is_paused(client: H3Client, desk: Desk) -> None:
    session, link, tape = await taped(client, desk)
    link.transport.pause_reading()
    client.open_stream(session, b"one")
    client.send_datagram(session, b"dropped")
    await client.get()
    assert tape.octets == b""
    link.transport.resume_reading()
    await wait_until(lambda: tape.messages == [b"one"], "the message")


async def test_the_edge_says_goodbye_behind_its_messages(client: H3Client, desk: Desk) -> None:
    session, link, _owner = await admitted(client, desk)
    link.write(build(Opcode.TEXT, b"last words", None))
    link.close(1012, "retry_after=2")
    answer = client.answers[session]
    await client.until(lambda: answer.complete and said(client), "the end of the session, and of a stream of its own")
    assert Capsules().feed(answer.body) == (1012, "retry_after=2") and said(client) == [b"last words"]
    client.send(session, b"", end=True)
    await wait_until(link.transport.is_closing, "the end")
    assert (await client.get()).complete and not desk.abuses


@pytest.mark.parametrize(("code", "told"), [(0, 1000), (4001, 4001), (1001, 1001), (1006, 1000), (70_000, 1000)])
async def test_the_client_says_goodbye(client: H3Client, desk: Desk, code: int, told: int) -> None:
    session, link, tape = await taped(client, desk)
    client.send(session, close_capsule(code, "bye"), end=True)
    await wait_until(lambda: tape.frames, "a close frame")
    opcode, payload = tape.frames[0]
    assert opcode == Opcode.CLOSE and read_close(payload) == (told, "bye")
    link.transport.write(build(Opcode.CLOSE, close_payload(told, ""), None))
    link.transport.close()
    answer = await client.answer(session)
    assert answer.body == b"" and answer.complete
    await wait_until(lambda: tape.lost, "the end")


async def test_the_client_ends_without_a_word(client: H3Client, desk: Desk) -> None:
    session, _link, tape = await taped(client, desk)
    client.send(session, b"", end=True)
    await wait_until(lambda: tape.frames == [(Opcode.CLOSE, close_payload(1000, ""))], "a close frame")


async def test_a_session_that_is_cut_is_lost(client: H3Client, desk: Desk) -> None:
    session, _link, owner = await admitted(client, desk)
    half = client.open_stream(session, b"half", end=False)
    client.reset(session)
    await asyncio.wait_for(owner.lost.wait(), PATIENCE)
    await client.until(lambda: client.answers[half].stopped is not None, "its stream is not wanted")
    assert not desk.abuses
    session, link, owner = await admitted(client, desk)
    client.close()
    await asyncio.wait_for(owner.lost.wait(), PATIENCE)
    assert link.transport.is_closing()


async def test_a_session_that_the_edge_cuts(client: H3Client, desk: Desk) -> None:
    session, link, _owner = await admitted(client, desk)
    link.abort()
    assert (await client.answer(session)).reset is not None
    assert (await client.get()).complete


async def test_a_message_that_is_given_up_is_none(client: H3Client, desk: Desk) -> None:
    session, _link, tape = await taped(client, desk)
    first = client.open_stream(session, b"half of it", end=False)
    client.open_stream(session, b"next")
    client.quic.reset_stream(first, 0x52E4A40FA8DB)
    client.flush()
    await wait_until(lambda: tape.messages == [b"next"], "the next one")


async def test_messages_far_ahead_are_not_taken(client: H3Client, desk: Desk) -> None:
    session, _link, tape = await taped(client, desk)
    first = client.open_stream(session, b"a", end=False)
    client.open_stream(session, b"b" * 200_000)
    client.open_stream(session, b"c" * 200_000)
    await client.get()
    client.quic.send_stream_data(first, b"a" * 600_000, True)
    client.flush()
    await wait_until(lambda: len(tape.messages) == 3, "the messages", 20)
    assert [len(message) for message in tape.messages] == [600_001, 200_000, 200_000]


async def test_messages_behind_one_that_never_ends(client: H3Client, desk: Desk) -> None:
    session, _link, owner = await admitted(client, desk)
    client.open_stream(session, b"", both_ways=False, end=False)
    while not owner.lost.is_set():
        try:
            client.open_stream(session, b"", both_ways=False)
        except ValueError:  # as many as may be at the moment
            await asyncio.sleep(0.01)
        if client.quic.get_next_available_stream_id(is_unidirectional=True) % 200 < 4:
            await client.get()
        assert client.quic.get_next_available_stream_id(is_unidirectional=True) < 4 * 3000
    assert client.answers[session].reset is not None or await client.answer(session)


async def test_a_message_without_end(client: H3Client, desk: Desk) -> None:
    session, link, tape = await taped(client, desk)
    stream = client.open_stream(session, b"x" * 4_300_000, end=False)
    await wait_until(lambda: tape.frames, "a close frame", 30)
    assert tape.frames == [(Opcode.CLOSE, close_payload(1009, "message too long"))] and stream
    link.transport.close()


@pytest.mark.parametrize("library", ["aioquic"])
async def test_a_client_that_does_not_take_its_messages_loses_the_session(desk: Desk, library: str) -> None:
    """Not one message in the middle: it comes back and is told all of them."""
    async with Porch(desk, "qh3", times=BRIEF) as porch:
        client = await porch.client(library, webtransport=True, take=False, max_stream_data=2000)
        _session, link, owner = await admitted(client, desk)
        for _ in range(3):
            link.transport.write(build(Opcode.BINARY, b"x" * 50_000, None))
        await asyncio.wait_for(owner.lost.wait(), PATIENCE)
        assert link.transport.is_closing() and desk.abuses["h3_stalled_stream"]


async def test_a_client_that_lets_no_streams_be_opened_loses_the_session(
        desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webtransport, "PATIENCE", 0.3)
    async with Porch(desk, "qh3") as porch:
        client = await porch.client("aioquic", webtransport=True, take=False)
        _session, link, owner = await admitted(client, desk)
        for _ in range(300):
            link.transport.write(build(Opcode.TEXT, b"x", None))
        await asyncio.wait_for(owner.lost.wait(), PATIENCE)
        assert link.transport.is_closing()


async def test_noise_on_the_sessions_stream(client: H3Client, desk: Desk) -> None:
    session, _link, owner = await admitted(client, desk)
    client.send(session, b"\x68\x43\x03abc")
    await asyncio.wait_for(owner.lost.wait(), PATIENCE)
    assert (await client.answer(session)).reset is not None and (await client.get()).complete


def test_the_frames_are_those_of_a_client() -> None:
    assert payload_of(build(Opcode.TEXT, b"abc", b"1234"), 10) == (True, b"abc")
