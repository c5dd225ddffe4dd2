"""Both engines, driven by both libraries' own clients in memory: requests, their answers, and what ends them."""

from contextlib import suppress

import pytest

from sbc.model.http import Fields
from sbc.wire.http2.engine import HIGH_WATER_BYTES, H2Error
from sbc.wire.http3.engine import QuicTerms
from sbc.wire.http3.frames import Frame, read_varint
from tests.wire.http3.pair import ENGINES, REQUEST, Pair, nameless

OK: Fields = [(b":status", b"200"), (b"content-type", b"text/event-stream")]
PAIRS = [(engine, client) for engine in ENGINES for client in ("aioquic", "qh3")]


@pytest.fixture(params=PAIRS, ids="-".join)
def names(request: pytest.FixtureRequest) -> tuple[str, str]:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def pair(names: tuple[str, str]) -> Pair:
    return Pair(*names)


def test_the_handshake(pair: Pair) -> None:
    assert pair.notes.names == ["localhost"] and pair.notes.greetings == 1
    assert pair.notes.ids and pair.closed is None and pair.notes.end is None
    settings = pair.h3.received_settings
    assert settings[0x8] == 1 and settings[0x33] == 1 and settings[0x6] == 32 * 1024


@pytest.mark.parametrize("engine", ENGINES)
def test_a_client_whose_own_connection_id_is_empty(engine: str) -> None:
    pair = nameless(engine)
    pair.shake()
    assert pair.notes.names == ["localhost"]
    for _ in range(3):
        stream = pair.ask(body=b"x" * 5000)
        pair.engine.respond(stream, OK, end=False)
        pair.engine.send(stream, b"y" * 5000)
        pair.engine.finish(stream, [])
        pair.exchange()
        assert pair.notes.bodies[stream] == b"x" * 5000 and pair.answer(stream)[1:] == (b"y" * 5000, True)
        pair.source = ("192.0.2.7", pair.source[1] + 1)
    assert pair.notes.moves and pair.closed is None


def test_settings_come_with_the_first_datagrams(names: tuple[str, str]) -> None:
    pair = Pair(*names, shake=False)
    for datagram in pair.flight:
        pair.engine.receive(datagram, pair.source, pair.now)
    for datagram, _ in pair.engine.outgoing(pair.now):
        pair.quic.receive_datagram(datagram, ("192.0.2.1", 443), pair.now)
    pair._note()
    assert pair.h3.received_settings is not None and not pair.notes.names
    pair.exchange()
    assert pair.notes.names == ["localhost"] and pair.ask() in pair.notes.heads


def test_a_request_and_its_answer(pair: Pair) -> None:
    stream = pair.ask()
    assert pair.notes.heads[stream] == REQUEST and pair.notes.complete[stream] == []
    pair.engine.respond(stream, OK, end=False)
    pair.engine.send(stream, b"data: 1\n\n")
    pair.engine.send(stream, b"data: 2\n\n")
    pair.engine.finish(stream, [])
    pair.exchange()
    assert pair.answer(stream) == ([OK], b"data: 1\n\ndata: 2\n\n", True)
    assert pair.notes.over[stream] == (0, False)
    assert not pair.engine._requests and set(pair.engine._streams) == {2, 6, 10}  # type: ignore[attr-defined]


def test_an_end_that_is_lost_is_said_again(pair: Pair) -> None:
    """Alone in its datagram, and lost with what was said before it."""
    stream, other = pair.ask(), pair.ask()
    pair.engine.respond(stream, OK, end=False)
    pair.engine.send(stream, b"data: 1\n\n")
    assert pair.engine.outgoing(pair.now)
    pair.engine.finish(stream, [])
    assert pair.engine.outgoing(pair.now), "the end is sent, and lost"
    pair.engine.respond(other, OK, end=False)
    for _ in range(5):  # what is confirmed behind it proves that it is lost
        pair.engine.send(other, b"data: 2\n\n")
        pair.exchange()
    assert pair.answer(stream) == ([OK], b"data: 1\n\n", True)


def test_bodies_and_trailers(pair: Pair) -> None:
    body = bytes(range(256)) * 400
    stream = pair.ask([*REQUEST, (b"content-length", b"%d" % len(body))], body)
    assert pair.notes.bodies[stream] == body and pair.notes.complete[stream] == []
    pair.engine.inform(stream, [(b":status", b"103"), (b"link", b"</x>")])
    pair.engine.respond(stream, OK, end=False)
    pair.engine.send(stream, body)
    pair.engine.finish(stream, [(b"grpc-status", b"0")])
    pair.exchange()
    heads, answered, complete = pair.answer(stream)
    assert [dict(head).get(b":status") for head in heads] == [b"103", b"200", None] and complete
    assert heads[2] == [(b"grpc-status", b"0")] and answered == body


def test_trailers_of_a_request(pair: Pair) -> None:
    stream = pair.ask(end=False, body=b"x")
    pair.h3.send_headers(stream, [(b"x-sum", b"1")], end_stream=True)
    pair.exchange()
    assert pair.notes.bodies[stream] == b"x" and pair.notes.complete[stream] == [(b"x-sum", b"1")]
    pair.engine.respond(stream, [(b":status", b"204")], end=True)
    pair.exchange()
    assert pair.answer(stream) == ([[(b":status", b"204")]], b"", True) and pair.notes.over[stream] == (0, False)


def test_an_answer_before_the_end_of_its_request(pair: Pair) -> None:
    stream = pair.ask(end=False)
    pair.engine.respond(stream, OK, end=True)
    pair.exchange()
    assert pair.answer(stream)[2] and stream not in pair.notes.over, "the request is not complete"
    pair.engine.reset(stream, H2Error.NO_ERROR)
    pair.exchange()
    stops = pair.seen("StopSendingReceived", stream_id=stream)
    assert stops and stops[0].error_code == 0x100
    assert pair.notes.over[stream] == (0, False) and not pair.seen("StreamReset", stream_id=stream)


def test_hundreds_of_requests(pair: Pair) -> None:
    for _ in range(6):
        streams = [pair.quic.get_next_available_stream_id() + 4 * number for number in range(50)]
        for stream in streams:
            pair.h3.send_headers(stream, REQUEST, end_stream=True)
        pair.exchange()
        for stream in streams:
            pair.engine.respond(stream, [(b":status", b"204")], end=True)
        pair.exchange()
        assert all(pair.answer(stream)[2] for stream in streams)
    assert len(pair.notes.over) == 300 and not pair.engine._requests  # type: ignore[attr-defined]


def test_more_requests_than_allowed_are_refused(names: tuple[str, str]) -> None:
    pair = Pair(*names, QuicTerms(max_streams=3))
    for stream in (0, 4, 8):
        pair.h3.send_headers(stream, REQUEST, end_stream=True)
    pair.exchange()
    with suppress(ValueError):  # aioquic as an engine says in its transport parameters how many are allowed
        pair.h3.send_headers(12, REQUEST, end_stream=True)
    pair.exchange()
    assert set(pair.notes.heads) == {0, 4, 8}
    if names[0] == "qh3":  # its transport parameters always allow a hundred, so that the rest is turned away
        assert pair.seen("StreamReset", stream_id=12)[0].error_code == 0x10B
    for stream in (0, 4):
        pair.engine.respond(stream, [(b":status", b"204")], end=True)
    pair.exchange()
    assert pair.ask() in pair.notes.heads and pair.closed is None


# What ends a stream.


def test_a_client_gives_a_request_up(pair: Pair) -> None:
    stream = pair.ask(end=False)
    pair.quic.reset_stream(stream, 0x10C)
    pair.exchange()
    assert pair.notes.over[stream] == (H2Error.CANCEL, True)
    other = pair.ask()
    pair.quic.stop_stream(other, 0x10C)
    pair.exchange()
    assert pair.notes.over[other] == (H2Error.CANCEL, True)
    pair.engine.respond(other, OK, end=False)
    pair.engine.send(other, b"late")
    pair.exchange()
    assert pair.closed is None and not pair.engine._requests  # type: ignore[attr-defined]


def test_the_owner_resets(pair: Pair) -> None:
    stream = pair.ask(end=False)
    pair.engine.respond(stream, OK, end=False)
    pair.engine.send(stream, b"x" * 10)
    pair.engine.reset(stream, H2Error.CANCEL)
    pair.exchange()
    assert pair.seen("StreamReset", stream_id=stream)[0].error_code == 0x10C
    assert pair.notes.over[stream] == (H2Error.CANCEL, False)
    pair.engine.reset(stream, H2Error.CANCEL)
    pair.engine.finish(stream, [])
    pair.exchange()
    assert set(pair.engine._streams) == {2, 6, 10}, "nothing is left of it"  # type: ignore[attr-defined]


# Pressure.


def test_a_stream_is_slow_and_ready_again(pair: Pair) -> None:
    stream = pair.ask()
    pair.engine.respond(stream, OK, end=False)
    pair.engine.send(stream, b"x" * (8 * HIGH_WATER_BYTES))
    pair.engine.outgoing(pair.now)
    assert pair.notes.pressure == [("slow", stream)]
    assert pair.engine.queued(stream) > HIGH_WATER_BYTES
    pair.exchange(4000)
    assert pair.notes.pressure == [("slow", stream), ("ready", stream)] and not pair.engine.queued(stream)
    assert len(pair.answer(stream)[1]) == 8 * HIGH_WATER_BYTES


def test_what_is_not_consumed_is_bounded(names: tuple[str, str]) -> None:
    terms = QuicTerms(stream_window=64 * 1024, connection_window=128 * 1024, stream_cap=256 * 1024)
    pair = Pair(*names, terms)
    pair.notes.take = False
    stream = pair.ask(body=b"x" * 1_000_000, end=False)
    pair.exchange(4000)
    came = len(pair.notes.bodies[stream])
    if names[0] == "aioquic":
        assert came <= terms.stream_window and stream not in pair.notes.over
        while len(pair.notes.bodies[stream]) < 1_000_000:
            before = len(pair.notes.bodies[stream])
            pair.engine.consume(stream, came)
            pair.exchange(4000)
            came = len(pair.notes.bodies[stream]) - before
            assert 0 < came <= terms.stream_window
    else:
        assert came <= terms.stream_cap
        assert pair.notes.over[stream] == (H2Error.ENHANCE_YOUR_CALM, False)
        assert pair.seen("StopSendingReceived", stream_id=stream)[0].error_code == 0x107
        pair.engine.consume(stream, came)
    pair.notes.take = True
    other = pair.ask(body=b"y" * 200_000)
    pair.exchange(4000)
    assert len(pair.notes.bodies[other]) == 200_000 and pair.closed is None


# The connection.


def test_goaway_in_two_phases(pair: Pair) -> None:
    first = pair.ask()
    pair.engine.notice()
    pair.engine.ping()
    pair.exchange()
    assert pair.notes.pongs == 1
    second = pair.ask()
    pair.engine.goaway(H2Error.NO_ERROR)
    pair.exchange()
    third = pair.ask()
    assert second in pair.notes.heads and third not in pair.notes.heads
    assert pair.seen("StreamReset", stream_id=third)[0].error_code == 0x10B
    for stream in (first, second):
        assert pair.notes.end is None
        pair.engine.respond(stream, OK, end=False)
        pair.engine.send(stream, b"x" * 100_000)
        pair.engine.finish(stream, [])
        pair.exchange()
    assert pair.notes.end == (H2Error.NO_ERROR, "") and pair.closed == 0x100
    assert len(pair.answer(second)[1]) == 100_000
    assert goaways(pair) == [2**62 - 4, 8]


def test_the_end_waits_for_the_end_of_the_last_stream(pair: Pair) -> None:
    stream = pair.ask()
    pair.engine.respond(stream, OK, end=False)
    pair.engine.send(stream, b"all but the end")
    pair.engine.goaway(H2Error.NO_ERROR)
    pair.exchange()
    pair.quic.send_ping(7)
    datagrams = [data for data, _ in pair.quic.datagrams_to_send(pair.now)]
    pair.engine.finish(stream, [])
    for datagram in datagrams:  # what comes between the order and its datagram
        pair.engine.receive(datagram, pair.source, pair.now)
    assert pair.notes.end is None and stream not in pair.notes.over
    pair.exchange()
    assert pair.answer(stream)[1:] == (b"all but the end", True) and pair.notes.end == (H2Error.NO_ERROR, "")


def goaways(pair: Pair) -> list[int]:
    """The GOAWAYs on our control stream."""
    said = b"".join([event.data for event in pair.seen("StreamDataReceived", stream_id=3)])
    _, at = read_varint(said, 0)
    found = []
    while at < len(said):
        kind, at = read_varint(said, at)
        length, at = read_varint(said, at)
        if kind == Frame.GOAWAY:
            found.append(read_varint(said, at)[0])
        at += length
    return found


def test_a_client_leaves(pair: Pair) -> None:
    stream = pair.ask()
    pair.quic.close(0x101, reason_phrase="oh")
    pair.exchange()
    assert pair.notes.end is not None and pair.notes.end[0] == H2Error.NO_ERROR
    assert pair.notes.end[1].startswith("closed by the client: 0x101")
    pair.engine.respond(stream, OK, end=True)
    pair.engine.outgoing(pair.now)
    pair.advance(60.0)
    pair.advance(60.0)
    assert pair.engine.due() is None


def test_silence(pair: Pair) -> None:
    pair.advance(30.0)
    assert pair.notes.end is None
    pair.to_engine = lambda _: []
    for _ in range(10):
        pair.advance(10.0)
        pair.engine.outgoing(pair.now)
    assert pair.notes.end is not None and pair.notes.end[0] == H2Error.NO_ERROR and pair.engine.due() is None


def test_the_owner_closes(pair: Pair) -> None:
    stream = pair.ask()
    pair.engine.close(H2Error.ENHANCE_YOUR_CALM, "too much of it")
    assert pair.notes.end is None
    pair.exchange()
    assert pair.closed == 0x107 and pair.notes.end == (H2Error.ENHANCE_YOUR_CALM, "too much of it")
    pair.engine.send(stream, b"x")
    pair.engine.ping()
    pair.engine.goaway(0)
    pair.exchange()
    assert stream not in pair.notes.over


def test_ids_begin_with_the_workers_number(names: tuple[str, str]) -> None:
    pair = Pair(*names)
    assert all(len(each) == 8 for each in pair.notes.ids)
    if names[0] == "aioquic":
        assert {each[0] for each in pair.notes.ids} == {5}


def test_a_client_that_changes_its_address(pair: Pair) -> None:
    stream = pair.ask(end=False)
    pair.source = ("198.51.100.9", 999)
    pair.quic.change_connection_id()
    pair.h3.send_data(stream, b"from elsewhere", end_stream=True)
    pair.exchange()
    assert pair.notes.bodies[stream] == b"from elsewhere" and pair.notes.moves == [pair.source]
    assert pair.notes.given_up, "the id of before"
    pair.engine.respond(stream, OK, end=True)
    pair.exchange()
    assert pair.answer(stream)[2]


def test_a_client_that_comes_back_to_its_former_address(pair: Pair) -> None:
    home, away = pair.source, ("198.51.100.9", 999)
    stream = pair.ask(end=False)
    for number, pair.source in enumerate((away, home, away)):
        pair.advance(0.5)
        pair.h3.send_data(stream, b"%d" % number, end_stream=False)
        pair.exchange()
        assert pair.notes.moves[-1] == pair.source, "it is followed"
        if number:
            pair.engine.send(stream, b"%d" % number)
        else:
            pair.engine.respond(stream, OK, end=False)
        pair.exchange()
    assert pair.notes.bodies[stream] == b"012" and pair.answer(stream)[1] == b"12"
    assert pair.notes.moves == [away, home, away]


def test_a_client_behind_a_nat_that_forgets(pair: Pair) -> None:
    stream = pair.ask()
    pair.source = ("192.0.2.7", 4001)
    pair.quic.send_ping(1)
    pair.exchange()
    pair.engine.respond(stream, OK, end=True)
    pair.exchange()
    assert pair.answer(stream)[2] and pair.notes.moves == [pair.source]
