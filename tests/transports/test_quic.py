"""HTTP/3 connections of clients: real sockets, independent clients, and a reception that answers by script."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sbc.model.http import Response
from sbc.wire.link import Link
from tests.support.h3_client import H3Client
from tests.support.wait import PATIENCE, wait_until
from tests.transports.desk import Catcher, Desk, Owner, Talk
from tests.transports.quic import BRIEF, Porch

NO_ERROR, INTERNAL_ERROR, EXCESSIVE_LOAD, REQUEST_CANCELLED = 0x100, 0x102, 0x107, 0x10C
"""RFC 9114 section 8.1."""

ENGINES = ["qh3", "aioquic"]


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest_asyncio.fixture(params=ENGINES)
async def porch(request: pytest.FixtureRequest, desk: Desk) -> AsyncIterator[Porch]:
    async with Porch(desk, request.param) as opened:
        yield opened


@pytest_asyncio.fixture
async def client(porch: Porch) -> H3Client:
    """By the other library than the door's."""
    return await porch.client("qh3" if porch.engine == "aioquic" else "aioquic")


async def talk(desk: Desk, path: bytes) -> Talk:
    return await wait_until(lambda: next((t for t in desk.talks if t.request.path == path), None), repr(path))


@pytest.mark.parametrize("library", ENGINES)
async def test_a_request_and_its_answer(porch: Porch, desk: Desk, library: str) -> None:
    client = await porch.client(library)
    answer = await client.get(b"/hello")
    assert answer.status == 200 and answer.body == b"hello" and answer.complete
    request = desk.talks[0].request
    assert (request.method, request.target, request.authority) == (b"GET", b"/hello", b"edge.test")
    assert request.version == "3" and request.client == "127.0.0.1" and not request.bodied
    assert request.listener == "test" and request.secure
    assert porch.tally.handshakes == 1 and not porch.tally.dropped


async def test_many_streams_at_a_time(client: H3Client) -> None:
    streams = [client.ask(b"/echo", method=b"POST", end=False) for _ in range(50)]
    for stream in reversed(streams):
        client.send(stream, b"%d" % stream, end=True)
    for stream in streams:
        assert (await client.answer(stream)).body == b"%d" % stream


async def test_trailers_and_a_large_body_both_ways(client: H3Client) -> None:
    stream = client.ask(b"/echo", method=b"POST", end=False)
    client.send(stream, b"x" * 1_000_000)
    client.trailers(stream, [(b"x-sum", b"1")])
    answer = await client.answer(stream)
    assert answer.trailers == {b"x-sum": b"1"} and len(answer.body) == 1_000_000 and answer.complete


async def test_interim_answers(client: H3Client, desk: Desk) -> None:
    stream = client.ask(b"/slow", method=b"POST", end=False, more=[(b"expect", b"100-continue")])
    asked = await talk(desk, b"/slow")
    asked.stream.resume()
    asked.stream.inform(103, [(b"link", b"</x>")])
    asked.answer(b"done")
    client.send(stream, b"", end=True)
    answer = await client.answer(stream)
    assert [dict(fields)[b":status"] for fields in answer.interims] == [b"100", b"103"] and answer.body == b"done"


async def test_an_answer_that_is_cut_short_is_never_complete(client: H3Client, desk: Desk) -> None:
    for spoil in (
        lambda talk: talk.stream.abort(),
        lambda talk: talk.stream.finish([]),  # before its time
        lambda talk: talk.stream.send(b"x" * 20),  # too much
    ):
        desk.talks.clear()
        stream = client.ask(b"/cut")
        asked = await talk(desk, b"/cut")
        asked.stream.respond(Response(200, length=10), end=False)
        asked.stream.send(b"12345")
        await client.until(lambda stream=stream: client.answers[stream].body == b"12345", "the beginning")
        spoil(asked)
        answer = await client.answer(stream)
        assert answer.reset == INTERNAL_ERROR and not answer.complete and not asked.gone
    assert (await client.get()).body == b"hello"


async def test_a_client_that_gives_up(client: H3Client, desk: Desk) -> None:
    first, second = client.ask(b"/first"), client.ask(b"/second")
    one, two = await talk(desk, b"/first"), await talk(desk, b"/second")
    client.reset(first)
    await wait_until(lambda: one.gone, "the exchange is told")
    assert not two.gone
    two.answer(b"here")
    assert (await client.answer(second)).body == b"here"
    client.ask(b"/third")
    three = await talk(desk, b"/third")
    client.close()
    await wait_until(lambda: three.gone, "the exchange is told")
    assert not two.gone and not desk.abuses


BAD = {
    "two hosts": ([(b"host", b"other.test")], 400),
    "expectation": ([(b"expect", b"200-maybe")], 417),
    "long head": ([(b"x%d" % n, b"y" * 7000) for n in range(5)], 431),
    "many fields": ([(b"x%d" % n, b"y") for n in range(110)], 431),
}


@pytest.mark.parametrize("what", BAD)
async def test_a_bad_head_is_refused(porch: Porch, desk: Desk, what: str) -> None:
    more, status = BAD[what]
    client = await porch.client("aioquic")  # qh3 would not write all of them
    answer = await client.answer(client.ask(more=more))
    assert answer.status == status and not desk.talks
    assert (await client.get()).complete, "the connection lives on"


# Flow control.

async def test_a_paused_body_waits_and_slows_no_other(porch: Porch, client: H3Client, desk: Desk) -> None:
    stream = client.ask(b"/paused", method=b"POST", end=False)
    asked = await talk(desk, b"/paused")
    asked.stream.pause()
    client.send(stream, b"x" * 600_000, end=True)
    other = client.ask(b"/echo", method=b"POST", end=False)
    client.send(other, b"quick", end=True)
    assert (await client.answer(other)).body == b"quick" and asked.received == b""
    asked.stream.resume()
    await wait_until(lambda: asked.trailers is not None, "the end")
    assert len(asked.received) == 600_000


async def test_a_client_that_takes_nothing_slows_no_other(porch: Porch, desk: Desk) -> None:
    client = await porch.client(take=False, max_stream_data=65536)
    stream = client.ask(b"/big")
    asked = await talk(desk, b"/big")
    asked.stream.respond(Response(200), end=False)
    for _ in range(20):
        asked.stream.send(b"x" * 10_000)
    await wait_until(lambda: asked.pressure == ["slow"], "the exchange is told")
    assert asked.stream.congested
    await client.until(lambda: len(client.answers[stream].body) > 65000, "a window full")
    assert (await client.get()).body == b"hello"


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_stalled_stream_is_reset(desk: Desk, engine: str) -> None:
    async with Porch(desk, engine, times=BRIEF) as porch:
        client = await porch.client(take=False, max_stream_data=4096)
        stream = client.ask(b"/stalled")
        asked = await talk(desk, b"/stalled")
        asked.stream.respond(Response(200), end=False)
        asked.stream.send(b"x" * 10_000)
        answer = await client.answer(stream)
        assert answer.reset == REQUEST_CANCELLED and asked.gone and desk.abuses == {"h3_stalled_stream": 1}


# Leaving.

async def test_it_leaves_in_two_phases(porch: Porch, client: H3Client, desk: Desk) -> None:
    stream = client.ask(b"/long")
    asked = await talk(desk, b"/long")
    porch.door.retire()
    await client.until(lambda: len(client.goaways) == 2, "both phases")
    assert client.goaways == [2**62 - 4, stream + 4]
    late = client.ask(b"/late")
    asked.answer(b"to the end" * 10_000)
    answer = await client.answer(stream)
    assert answer.complete and len(answer.body) == 100_000
    assert await client.end() == (NO_ERROR, "")
    assert not client.answers[late].complete and len(desk.talks) == 1


async def test_an_idle_connection_that_retires_is_closed(porch: Porch, client: H3Client) -> None:
    await client.get()
    porch.door.retire()
    assert await client.end() == (NO_ERROR, "") and len(client.goaways) == 2


@pytest.mark.parametrize("engine", ENGINES)
async def test_an_idle_connection_is_left(desk: Desk, engine: str) -> None:
    async with Porch(desk, engine, times=BRIEF) as porch:
        client = await porch.client()
        await client.get()
        await client.end()
        assert not desk.abuses


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_client_that_falls_silent_is_given_up(desk: Desk, engine: str) -> None:
    async with Porch(desk, engine, times=BRIEF) as porch:
        client, mute = await porch.client(), await porch.client()
        client.ask(b"/alive")
        mute.ask(b"/mute")
        alive, lost = await talk(desk, b"/alive"), await talk(desk, b"/mute")
        mute.mangle = lambda datagram: []
        await wait_until(lambda: lost.gone, "it is given up")
        assert not alive.gone, "who answers pings is there"


async def test_a_door_that_closes_says_so(porch: Porch, client: H3Client, desk: Desk) -> None:
    client.ask(b"/long")
    asked = await talk(desk, b"/long")
    porch.door.close()
    assert (await client.end())[0] == NO_ERROR and asked.gone and desk.here == 0


# Other networks.

@pytest.mark.parametrize("library", ENGINES)
async def test_a_client_that_moves_keeps_its_connection(porch: Porch, desk: Desk, library: str) -> None:
    client = await porch.client(library)
    stream = client.ask(b"/long")
    asked = await talk(desk, b"/long")
    asked.stream.respond(Response(200), end=False)
    moves = 3
    for number in range(moves):
        client.rebind("127.0.0.2" if number % 2 else None, change=number == 2)
        client.ping()
        asked.stream.send(b"%d" % number)
        await client.until(lambda number=number: client.answers[stream].body.endswith(b"%d" % number), "what is sent")
        if number + 1 == moves and porch.engine == "qh3":
            # It takes no fourth: in good time the client is told to ask by another connection.
            await client.until(lambda: client.goaways, "GOAWAY")
        else:
            assert (await client.get()).complete
    asked.stream.finish([])
    assert (await client.answer(stream)).body == b"012"
    assert {talk.request.client for talk in desk.talks} == {"127.0.0.1"}, "it is the client that it was"
    assert porch.tally.moves >= 3 and porch.tally.handshakes == 1


# WebSocket (RFC 9220).

async def admitted(client: H3Client, desk: Desk) -> tuple[int, Link, Owner]:
    stream = client.tunnel(b"/chat?x=1", more=[(b"sec-websocket-protocol", b"a, b")])
    link, owner = await desk.admit()
    await client.until(lambda: client.answers[stream].fields, "the 200")
    return stream, link, owner


async def test_a_websocket_over_a_stream(client: H3Client, desk: Desk) -> None:
    stream, link, _owner = await admitted(client, desk)
    door, hello = desk.doors[0]
    assert door.protocols == ["a", "b"] and hello.target == "/chat?x=1" and hello.host == "edge.test" and hello.secure
    answer = client.answers[stream]
    assert answer.status == 200 and answer.fields[b"sec-websocket-protocol"] == b"b"
    link.write(b"down")
    await client.until(lambda: answer.body == b"down", "a message")
    heard: list[bytes] = []
    link.transport.set_protocol(Catcher(heard))  # type: ignore[arg-type]
    client.send(stream, b"up")
    await wait_until(lambda: heard == [b"up"], "a message")
    link.transport.set_protocol(link)  # type: ignore[arg-type]
    link.close(1001, "bye")
    await client.until(lambda: answer.complete and answer.body.endswith(b"bye"), "the close frame")
    client.send(stream, b"\x88\x80abcd", end=True)
    assert (await client.get()).complete and not desk.abuses


async def test_a_websocket_that_is_reset_or_aborted(client: H3Client, desk: Desk) -> None:
    stream, link, owner = await admitted(client, desk)
    client.reset(stream)
    await asyncio.wait_for(owner.lost.wait(), PATIENCE)
    assert link.transport.is_closing()
    desk.doors.clear()
    stream, link, owner = await admitted(client, desk)
    link.abort()
    assert (await client.answer(stream)).reset == REQUEST_CANCELLED
    assert not desk.abuses and (await client.get()).complete


async def test_a_hello_that_is_refused_or_given_up(client: H3Client, desk: Desk) -> None:
    answer = await client.answer(client.tunnel(b"/nowhere"))
    assert answer.status == 404 and b"no_route" in answer.body and desk.refusals == ["no_route"]
    assert (await client.answer(client.tunnel(b"/", b"chess"))).status == 501
    stream = client.tunnel(b"/")
    await wait_until(lambda: desk.doors, "the hello")
    gone = asyncio.Event()
    desk.doors[0][0].gone = gone.set
    client.reset(stream)
    await asyncio.wait_for(gone.wait(), PATIENCE)


# Floods.

async def test_a_rapid_reset_is_cut_and_others_are_not(porch: Porch, desk: Desk) -> None:
    client, honest = await porch.client(), await porch.client()
    for _ in range(600):
        if client.closing:
            break
        client.reset(client.ask(b"/wait"))
        await asyncio.sleep(0)
    await client.end()
    assert client.closed is not None and client.closed[0] == EXCESSIVE_LOAD
    assert desk.abuses == {"h3_rapid_reset": 1} and len(desk.talks) < 300
    assert all(talk.gone for talk in desk.talks) and (await honest.get()).complete


async def test_datagrams_that_lead_to_nothing_are_cut_in_the_end(porch: Porch, client: H3Client, desk: Desk) -> None:
    honest = await porch.client()
    while not client.closing:
        client.ping()
        await asyncio.sleep(0)
    assert (await client.end())[0] == EXCESSIVE_LOAD and desk.abuses == {"h3_datagrams": 1}
    assert (await honest.get()).complete


async def test_frames_that_carry_nothing_are_cut_as_a_flood(porch: Porch, client: H3Client, desk: Desk) -> None:
    stream = client.ask(b"/wait", end=False)
    client.quic.send_stream_data(stream, bytes(2) * 1000)  # DATA frames of no length
    client.flush()
    assert (await client.end())[0] == EXCESSIVE_LOAD and desk.abuses == {"h3_glitches": 1}
