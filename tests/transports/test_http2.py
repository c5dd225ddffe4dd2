"""HTTP/2 connections of clients: real sockets, an independent client, and a reception that answers by script."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import pytest_asyncio

from sbc.model.http import Response
from sbc.wire.http2.engine import H2Error
from sbc.wire.link import Link
from tests.support.h2_client import H2Client, frame
from tests.support.wait import PATIENCE, wait_until
from tests.transports.desk import Catcher, Desk, Door, Owner, Talk


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest_asyncio.fixture(params=["ngh2", "h2"])
async def door(request: pytest.FixtureRequest, desk: Desk) -> AsyncIterator[Door]:
    async with Door(desk, request.param) as opened:
        yield opened


@pytest_asyncio.fixture
async def client(door: Door) -> AsyncIterator[H2Client]:
    connected = await H2Client.connect(door.port)
    yield connected
    connected.drop()
    await wait_until(lambda: door.desk.here == 0, "the connection is gone")


async def talk(desk: Desk, path: bytes) -> Talk:
    return await wait_until(lambda: next((t for t in desk.talks if t.request.path == path), None), repr(path))


async def test_a_request_and_its_answer(client: H2Client, desk: Desk) -> None:
    answer = await client.get()
    assert answer.status == 200 and answer.body == b"hello" and answer.complete
    request = desk.talks[0].request
    assert (request.method, request.target, request.authority) == (b"GET", b"/hello", b"edge.test")
    assert request.version == "2" and request.client == "127.0.0.1" and not request.bodied
    assert request.listener == "test" and not request.secure
    assert client.settings[3] == 100 and client.settings[8] == 1 and client.settings[4] == 64 * 1024


async def test_many_streams_at_a_time(client: H2Client) -> None:
    streams = [await client.ask(b"/echo", method=b"POST", end=False) for _ in range(50)]
    for stream in reversed(streams):
        await client.send(stream, b"%d" % stream, end=True)
    for stream in streams:
        assert (await client.answer(stream)).body == b"%d" % stream


async def test_fields_of_a_request(client: H2Client, desk: Desk) -> None:
    stream = await client.ask(b"/hello?q=1", method=b"PUT", end=False, more=[
        (b"host", b"edge.test"), (b"cookie", b"a=1"), (b"content-length", b"3"), (b"x", b"y"), (b"cookie", b"b=2"),
        (b"te", b"trailers")])
    await client.send(stream, b"abc", end=True)
    await client.answer(stream)
    request = desk.talks[0].request
    assert request.fields == [(b"x", b"y"), (b"te", b"trailers"), (b"cookie", b"a=1; b=2")]
    assert request.length == 3 and request.bodied and request.target == b"/hello?q=1"


async def test_trailers_both_ways(client: H2Client, desk: Desk) -> None:
    stream = await client.ask(b"/echo", method=b"POST", end=False)
    await client.send(stream, b"x")
    client.h2.send_headers(stream, [(b"x-sum", b"1")], end_stream=True)
    await client.flush()
    answer = await client.answer(stream)
    assert answer.trailers == {b"x-sum": b"1"} and answer.body == b"x" and answer.complete


async def test_interim_answers(client: H2Client, desk: Desk) -> None:
    stream = await client.ask(b"/slow", method=b"POST", end=False, more=[(b"expect", b"100-continue")])
    asked = await talk(desk, b"/slow")
    assert asked.request.first(b"expect") is None
    asked.stream.resume()
    asked.stream.inform(103, [(b"link", b"</x>")])
    asked.stream.resume()
    asked.answer(b"done")
    await client.send(stream, b"", end=True)
    answer = await client.answer(stream)
    assert [dict(fields)[b":status"] for fields in answer.interims] == [b"100", b"103"]


async def test_answers_without_a_body(client: H2Client, desk: Desk) -> None:
    desk.script = lambda talk: (
        talk.stream.respond(Response(304, length=7), end=False), talk.stream.send(b"nobody"), talk.stream.finish([]))
    answer = await client.get(b"/same")
    assert answer.status == 304 and answer.body == b"" and answer.complete and answer.fields[b"content-length"] == b"7"
    desk.script = lambda talk: talk.stream.respond(Response(204), end=True)
    assert (await client.get(b"/none")).status == 204
    desk.script = lambda talk: (talk.stream.respond(Response(200, length=7), end=False), talk.stream.finish([]))
    stream = await client.ask(b"/head", method=b"HEAD")
    answer = await client.answer(stream)
    assert answer.complete and answer.fields[b"content-length"] == b"7" and answer.body == b""


async def test_an_answer_that_is_cut_short_is_never_complete(client: H2Client, desk: Desk) -> None:
    for spoil in (
        lambda talk: talk.stream.abort(),
        lambda talk: talk.stream.finish([]),  # before its time
        lambda talk: talk.stream.send(b"x" * 20),  # too much
    ):
        desk.talks.clear()
        stream = await client.ask(b"/cut")
        asked = await talk(desk, b"/cut")
        asked.stream.respond(Response(200, length=10), end=False)
        asked.stream.send(b"12345")
        await client.until(lambda stream=stream: client.answers[stream].body == b"12345")
        spoil(asked)
        answer = await client.answer(stream)
        assert answer.reset == H2Error.INTERNAL_ERROR and not answer.complete
        asked.stream.send(b"late")
        asked.stream.finish([])
        assert not asked.gone
    assert (await client.get()).body == b"hello"


async def test_a_client_that_gives_up(client: H2Client, desk: Desk) -> None:
    first, second = await client.ask(b"/first"), await client.ask(b"/second")
    one, two = await talk(desk, b"/first"), await talk(desk, b"/second")
    client.h2.reset_stream(first, 8)
    await client.flush()
    await wait_until(lambda: one.gone, "the exchange is told")
    assert not two.gone
    two.answer(b"here")
    assert (await client.answer(second)).body == b"here"
    await client.ask(b"/third")
    three = await talk(desk, b"/third")
    client.drop()
    await wait_until(lambda: three.gone, "the exchange is told")
    assert not two.gone


async def test_what_a_request_sends_after_its_answer_is_dropped_and_then_reset(client: H2Client, desk: Desk) -> None:
    stream = await client.ask(b"/early", method=b"POST", end=False)
    asked = await talk(desk, b"/early")
    asked.answer(b"enough", status=413)
    answer = await client.answer(stream)
    assert answer.status == 413 and answer.complete
    await client.send(stream, b"x" * 1000)
    await client.until(lambda: answer.reset is not None, "the reset")
    assert answer.reset == H2Error.NO_ERROR and asked.received == b"" and not asked.gone
    assert not desk.abuses and (await client.get()).complete


# Flow control.

async def test_a_paused_body_is_not_credited_and_slows_no_other(client: H2Client, desk: Desk) -> None:
    await client.get()  # by now the windows are known
    stream = await client.ask(b"/paused", method=b"POST", end=False)
    asked = await talk(desk, b"/paused")
    asked.stream.pause()
    for _ in range(4):
        await client.send(stream, b"x" * 16384)
    assert client.h2.local_flow_control_window(stream) == 0
    other = await client.ask(b"/echo", method=b"POST", end=False)
    await client.send(other, b"quick", end=True)
    assert (await client.answer(other)).body == b"quick"
    assert client.h2.local_flow_control_window(stream) == 0 and asked.received == b""
    asked.stream.resume()
    await client.until(lambda: client.h2.local_flow_control_window(stream) >= 16384, "credit")
    await client.send(stream, b"end", end=True)
    await wait_until(lambda: asked.trailers is not None, "the end")
    assert len(asked.received) == 4 * 16384 + 3


async def test_a_slow_client_is_told_of_and_slows_no_other(door: Door, desk: Desk) -> None:
    client = await H2Client.connect(door.port, take=False)
    stream = await client.ask(b"/big")
    asked = await talk(desk, b"/big")
    asked.stream.respond(Response(200), end=False)
    for _ in range(16):
        asked.stream.send(b"x" * 10_000)
    await wait_until(lambda: asked.pressure == ["slow"], "the exchange is told")
    assert asked.stream.congested
    await client.until(lambda: len(client.answers[stream].body) == 65535, "a window full")
    client.h2.increment_flow_control_window(100_000)
    other = await client.ask(b"/echo", method=b"POST", end=False)
    await client.send(other, b"quick", end=True)
    assert (await client.answer(other)).body == b"quick"
    client.h2.increment_flow_control_window(100_000, stream)
    await client.flush()
    await wait_until(lambda: not asked.stream.congested, "the exchange is told")
    asked.stream.finish([])
    assert len((await client.answer(stream)).body) == 160_000
    assert asked.pressure == ["slow", "ready"] and asked.stream.congested is False
    client.drop()


async def test_a_connection_that_tcp_does_not_take(door: Door, desk: Desk) -> None:
    wide = {4: 2**30}
    client = await H2Client.connect(door.port, settings=wide, limit=1024)
    client.h2.increment_flow_control_window(2**30)
    stream = await client.ask(b"/flood")
    asked = await talk(desk, b"/flood")
    asked.stream.respond(Response(200), end=False)
    sent = 0
    while not asked.stream.congested:
        asked.stream.send(b"x" * 100_000)
        sent += 100_000
        await asyncio.sleep(0)
        assert sent < 100_000_000
    assert asked.pressure == ["slow"]
    asked.stream.send(b"y")
    asked.stream.finish([])
    assert len((await client.answer(stream)).body) == sent + 1
    client.drop()


@pytest.mark.parametrize("window", [0, 1])
async def test_a_stalled_stream_is_reset(door: Door, desk: Desk, window: int) -> None:
    client = await H2Client.connect(door.port, take=False, settings={4: window})
    stream = await client.ask(b"/stalled")
    asked = await talk(desk, b"/stalled")
    asked.stream.respond(Response(200), end=False)
    asked.stream.send(b"x" * 100)
    quick = asyncio.get_running_loop().time()
    answer = await client.answer(stream)
    assert answer.reset == H2Error.CANCEL and asked.gone and desk.abuses == {"h2_stalled_stream": 1}
    assert asyncio.get_running_loop().time() - quick < 5
    client.drop()


async def test_a_body_that_does_not_come_is_not_waited_for(door: Door, desk: Desk) -> None:
    client = await H2Client.connect(door.port)
    slow = await client.ask(b"/slow", method=b"POST", end=False)
    waits = {}
    for path, more in ((b"/grpc", [(b"content-type", b"application/grpc+proto")]), (b"/answered", []),
                       (b"/continue", [(b"expect", b"100-continue")]), (b"/paused", [])):
        waits[path] = await client.ask(path, method=b"POST", end=False, more=more)
    (await talk(desk, b"/answered")).stream.respond(Response(200), end=False)
    (await talk(desk, b"/paused")).stream.pause()
    await client.send(slow, b"some")
    answer = await client.answer(slow)
    assert answer.status == 408 and b"body_timeout" in answer.body and desk.refusals == ["body_timeout"]
    assert (await talk(desk, b"/slow")).gone and (await talk(desk, b"/slow")).received == b"some"
    (await talk(desk, b"/paused")).stream.resume()
    await asyncio.sleep(0.3)  # less than is waited, more than a look
    for path, stream in waits.items():
        asked = await talk(desk, path)
        if path == b"/answered":
            asked.stream.finish([])
        else:
            asked.answer(b"done")
        assert (await client.answer(stream)).status == 200
    client.drop()


# Refusals.

BAD = {
    "two hosts": ([(b"host", b"other.test")], 400),
    "length that is no number": ([(b"content-length", b"+0")], 400),
    "expectation": ([(b"expect", b"200-maybe")], 417),
    "long head": ([(b"x", b"y" * 33_000)], 431),
    "many fields": ([(b"x%d" % n, b"y") for n in range(110)], 431),
}


@pytest.mark.parametrize("what", BAD)
async def test_a_bad_head_is_refused(door: Door, desk: Desk, what: str) -> None:
    client = await H2Client.connect(door.port)
    more, status = BAD[what]
    stream = await client.ask(more=more)
    await client.until(lambda: client.goaways or client.answers[stream].over)
    answer = client.answers[stream]
    assert client.goaways or answer.status == status or answer.reset == H2Error.PROTOCOL_ERROR
    assert not desk.talks
    if door.engine == "ngh2" or status != 400:  # h2 ends the connection of whoever sends a malformed request
        assert (await client.get()).complete, "the connection lives on"
    client.drop()


def head(**changed: bytes | None) -> list[tuple[bytes, bytes]]:
    fields = {"method": b"GET", "scheme": b"http", "authority": b"edge.test", "path": b"/hello"}
    return [(b":" + name.encode(), value) for name, value in (fields | changed).items() if value is not None]


BAD_TARGETS = [b"hello", b"/a b", b"/a#b", b"/a\x7f", b"/a\xff", b"/../x", b"/%2e%2e/x", b"/a%2Fb", b"/a%00", b"/a\\b",
               b"http://edge.test/", b"", b"*", b"/" + b"x" * 9000]


@pytest.mark.parametrize("target", BAD_TARGETS, ids=lambda target: repr(target[:12]))
async def test_a_bad_target_comes_to_no_node(door: Door, desk: Desk, target: bytes) -> None:
    client = await H2Client.connect(door.port)
    stream = await client.ask(fields=head(path=target))
    await client.until(lambda: client.closed or client.goaways or client.answers[stream].over)
    answer = client.answers[stream]
    assert client.goaways or answer.reset == H2Error.PROTOCOL_ERROR or answer.status in (400, 414)
    assert not desk.talks
    client.drop()


@pytest.mark.parametrize("changed", [
    {"method": b"GE T"}, {"method": b""}, {"scheme": b"ftp"}, {"authority": b"a@edge.test"},
    {"authority": b"edge test"}, {"authority": b""}, {"authority": None}, {"method": None}, {"scheme": None},
    {"path": None}, {"method": b"CONNECT", "scheme": None, "path": None}], ids=repr)
async def test_a_bad_pseudo_header_comes_to_no_node(door: Door, desk: Desk, changed: dict[str, bytes | None]) -> None:
    client = await H2Client.connect(door.port)
    stream = await client.ask(fields=head(**changed))
    await client.until(lambda: client.closed or client.goaways or client.answers[stream].over)
    answer = client.answers[stream]
    assert client.goaways or answer.reset == H2Error.PROTOCOL_ERROR or answer.status in (400, 405)
    assert not desk.talks
    client.drop()


async def test_options_of_the_whole_server(client: H2Client, desk: Desk) -> None:
    desk.script = lambda talk: talk.answer(b"all")
    answer = await client.answer(await client.ask(fields=head(method=b"OPTIONS", path=b"*")))
    assert answer.body == b"all" and desk.talks[0].request.target == b"*"


# Leaving.

async def test_it_leaves_in_two_phases(door: Door, desk: Desk, client: H2Client) -> None:
    stream = await client.ask(b"/long")
    asked = await talk(desk, b"/long")
    door.connections[0].retire()
    door.connections[0].retire()
    await client.until(lambda: len(client.goaways) == 2, "both phases")
    assert client.goaways == [(2**31 - 1, 0), (stream, 0)]
    # h2 takes GOAWAY for the end, so what comes from here on is read off the wire.
    asked.answer(b"to the end")
    rest = await asyncio.wait_for(client.reader.read(), PATIENCE)
    assert b"to the end" in rest and not asked.gone
    client.closed = True


async def test_an_idle_connection_that_retires_is_closed(door: Door, client: H2Client) -> None:
    await client.get()
    door.connections[0].retire()
    await client.until(lambda: len(client.goaways) == 2, "both phases")
    await client.end()


async def test_a_client_that_answers_no_ping_is_left_all_the_same(door: Door) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0))
    await wait_until(lambda: door.connections, "the connection")
    await reader.read(65536)
    door.connections[0].retire()
    rest = await asyncio.wait_for(reader.read(), PATIENCE)
    assert rest.count(b"\x00\x00\x08\x07") == 2
    writer.close()


async def test_an_idle_connection_is_left(door: Door, client: H2Client) -> None:
    await client.get()
    await client.end()
    assert [code for _, code in client.goaways] == [0, 0]


async def test_a_connection_with_streams_is_pinged_and_lost_if_it_is_silent(door: Door, desk: Desk) -> None:
    client = await H2Client.connect(door.port)
    await client.ask(b"/wait")
    asked = await talk(desk, b"/wait")
    began = asyncio.get_running_loop().time()
    while asyncio.get_running_loop().time() - began < 1.2:
        await asyncio.wait([asyncio.ensure_future(client.step())], timeout=0.1)
    assert not asked.gone, "it answers"
    _reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    silent = H2Client()
    silent.h2.initiate_connection()
    silent.h2.send_headers(1, head(path=b"/silent"), end_stream=True)
    writer.write(silent.h2.data_to_send())
    lost = await talk(desk, b"/silent")
    await wait_until(lambda: lost.gone, "it is lost")
    writer.close()
    client.drop()


async def test_a_client_that_never_begins_is_dropped(door: Door, desk: Desk) -> None:
    async def begin(begun: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(begun)
        with suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), PATIENCE)
        writer.close()

    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    await asyncio.gather(*map(begin, (preface[:8], preface, preface + frame(4, 0, 0) + frame(1, 1, 1, b"\x82\x86"))))
    await wait_until(lambda: desk.here == 0, "all are gone")
    assert not desk.talks


# WebSocket (RFC 8441).

CONNECT = [(b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"http"), (b":authority", b"edge.test"),
           (b":path", b"/chat?x=1"), (b"sec-websocket-version", b"13"), (b"sec-websocket-protocol", b"a, b")]


async def admitted(client: H2Client, desk: Desk) -> tuple[int, Link, Owner]:
    stream = await client.ask(fields=CONNECT, end=False)
    link, owner = await desk.admit()
    await client.until(lambda: client.answers[stream].fields, "the 200")
    return stream, link, owner


async def test_a_websocket_over_a_stream(client: H2Client, desk: Desk) -> None:
    stream, link, owner = await admitted(client, desk)
    door, hello = desk.doors[0]
    assert door.protocols == ["a", "b"] and hello.target == "/chat?x=1" and hello.host == "edge.test"
    assert client.answers[stream].status == 200
    assert client.answers[stream].fields[b"sec-websocket-protocol"] == b"b"
    link.write(b"down")
    await client.until(lambda: client.answers[stream].body == b"down", "a message")
    heard: list[bytes] = []
    link.transport.set_protocol(Catcher(heard))  # type: ignore[arg-type]
    await client.send(stream, b"up")
    await wait_until(lambda: heard == [b"up"], "a message")
    link.transport.set_protocol(link)  # type: ignore[arg-type]
    link.transport.pause_reading()
    await client.send(stream, b"kept")
    await client.get()
    assert heard == [b"up"]
    link.transport.resume_reading()
    await client.send(stream, b"", end=True)
    answer = await client.answer(stream)
    await asyncio.wait_for(owner.lost.wait(), PATIENCE)
    assert answer.complete and (await client.get()).complete


async def test_the_last_words_before_an_abort_arrive(client: H2Client, desk: Desk) -> None:
    def script(talk: Talk) -> None:
        talk.stream.respond(Response(200), end=False)
        talk.stream.send(b"so far, ")
        talk.stream.send(b"and no further")
        talk.stream.abort()
    desk.script = script
    answer = await client.get(b"/cut")
    assert (answer.status, answer.body, answer.reset) == (200, b"so far, and no further", 2)


async def test_a_websocket_that_is_reset_or_aborted(client: H2Client, desk: Desk) -> None:
    stream, link, owner = await admitted(client, desk)
    client.h2.reset_stream(stream, 8)
    await client.flush()
    await asyncio.wait_for(owner.lost.wait(), PATIENCE)
    assert link.transport.is_closing()
    desk.doors.clear()
    stream, link, owner = await admitted(client, desk)
    link.abort()
    assert (await client.answer(stream)).reset == H2Error.CANCEL
    assert not desk.abuses and (await client.get()).complete


async def test_a_websocket_that_the_edge_closes(client: H2Client, desk: Desk) -> None:
    stream, link, _owner = await admitted(client, desk)
    link.close(1001, "bye")
    answer = await client.answer(stream)
    assert answer.complete and answer.body.endswith(b"bye")
    await client.send(stream, b"\x88\x80abcd", end=True)
    assert (await client.get()).complete and not desk.abuses


async def test_a_websocket_under_pressure(client: H2Client, desk: Desk) -> None:
    client.take = False
    stream, link, _owner = await admitted(client, desk)
    for _ in range(20):
        link.write(b"x" * 10_000)
    await wait_until(lambda: link.congested, "the link is told")
    client.h2.increment_flow_control_window(400_000, stream)
    client.h2.increment_flow_control_window(400_000)
    await client.flush()
    await wait_until(lambda: not link.congested, "the link is told")
    await client.until(lambda: len(client.answers[stream].body) == 200_000)


async def test_methods_are_those_of_every_version(client: H2Client) -> None:
    for method, status in ((b"BREW", 501), (b"get", 501), (b"CONNECT", 405)):
        fields = [(b":method", method), (b":authority", b"edge.test")]
        if method != b"CONNECT":
            fields += [(b":scheme", b"http"), (b":path", b"/hello")]
        assert (await client.answer(await client.ask(fields=fields))).status == status, method
    assert (await client.answer(await client.ask(method=b"PROPFIND"))).status == 200


async def test_a_hello_that_is_refused_or_given_up(client: H2Client, desk: Desk) -> None:
    nowhere = [(name, b"/nowhere" if name == b":path" else value) for name, value in CONNECT]
    answer = await client.answer(await client.ask(fields=nowhere, end=False))
    assert answer.status == 404 and b"no_route" in answer.body and desk.refusals == ["no_route"]
    old = [(name, b"8" if name == b"sec-websocket-version" else value) for name, value in CONNECT]
    answer = await client.answer(await client.ask(fields=old, end=False))
    assert answer.status == 400 and answer.fields[b"sec-websocket-version"] == b"13"
    other = [(name, b"chess" if name == b":protocol" else value) for name, value in CONNECT]
    assert (await client.answer(await client.ask(fields=other, end=False))).status == 501
    stream = await client.ask(fields=CONNECT, end=False)
    await wait_until(lambda: desk.doors, "the hello")
    gone = asyncio.Event()
    desk.doors[0][0].gone = gone.set
    client.h2.reset_stream(stream, 8)
    await client.flush()
    await asyncio.wait_for(gone.wait(), PATIENCE)


@pytest.mark.parametrize("engine", ["ngh2", "h2"])
async def test_a_listener_without_websocket_says_so(desk: Desk, engine: str) -> None:
    async with Door(desk, engine, websocket=False) as door:
        client = await H2Client.connect(door.port)
        stream = await client.ask(fields=CONNECT, end=False)
        answer = await client.answer(stream)
        assert client.settings.get(8, 0) == 0
        assert answer.status == 501 or answer.reset == H2Error.PROTOCOL_ERROR
        client.drop()
