"""Both engines, in both roles, against each other: what one is ordered the other is told."""

import pytest
from ngh2 import NeverIndexedHeader

from sbc.model.http import Fields
from sbc.wire.http2.engine import HIGH_WATER_BYTES, H2Error, Role, Terms
from sbc.wire.http2.factory import make_engine
from tests.wire.http2.pair import REQUEST, Notes, Pair

OK: Fields = [(b":status", b"200"), (b"content-type", b"text/event-stream")]

ENGINES = ("ngh2", "h2")
PAIRS = [(client, server) for client in ENGINES for server in ENGINES]


@pytest.fixture(params=PAIRS, ids="-".join)
def names(request: pytest.FixtureRequest) -> tuple[str, str]:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def pair(names: tuple[str, str]) -> Pair:
    return Pair(*names)


def test_a_request_and_its_answer(pair: Pair) -> None:
    stream = pair.ask()
    assert pair.served.heads[stream] == REQUEST and pair.served.complete[stream] == []
    pair.server.respond(stream, OK, end=False)
    pair.server.send(stream, b"data: 1\n\n")
    pair.server.send(stream, b"data: 2\n\n")
    pair.server.finish(stream, [])
    pair.exchange()
    assert pair.asked.heads[stream] == OK
    assert pair.asked.bodies[stream] == b"data: 1\n\ndata: 2\n\n" and pair.asked.complete[stream] == []
    assert pair.asked.over[stream] == pair.served.over[stream] == (0, False)


def test_single_bytes_are_as_good(pair: Pair) -> None:
    stream = pair.client.open(REQUEST, end=False)
    pair.client.send(stream, b"hello")
    pair.client.finish(stream, [(b"x-sum", b"1")])
    pair.exchange(piece=1)
    pair.server.respond(stream, [(b":status", b"204")], end=True)
    pair.exchange(piece=1)
    assert pair.served.bodies[stream] == b"hello" and pair.served.complete[stream] == [(b"x-sum", b"1")]
    assert pair.asked.complete[stream] == [] and pair.asked.over[stream] == (0, False)


def test_interim_answers_and_trailers(pair: Pair) -> None:
    stream = pair.ask(end=False)
    pair.server.inform(stream, [(b":status", b"100")])
    pair.server.inform(stream, [(b":status", b"103"), (b"link", b"</x>")])
    pair.server.respond(stream, OK, end=False)
    pair.server.send(stream, b"x")
    pair.server.finish(stream, [(b"grpc-status", b"0")])
    pair.exchange()
    assert [dict(fields)[b":status"] for fields in pair.asked.interims[stream]] == [b"100", b"103"]
    assert pair.asked.complete[stream] == [(b"grpc-status", b"0")]
    assert stream not in pair.asked.over, "the request is not complete"
    pair.client.finish(stream, [])
    pair.exchange()
    assert pair.asked.over[stream] == pair.served.over[stream] == (0, False)


def test_trailers_alone_end_a_stream(pair: Pair) -> None:
    stream = pair.ask()
    pair.server.respond(stream, OK, end=False)
    pair.server.finish(stream, [(b"grpc-status", b"5")])
    pair.exchange()
    assert pair.asked.complete[stream] == [(b"grpc-status", b"5")] and pair.asked.over[stream] == (0, False)


def test_a_reset_is_told_to_both(pair: Pair) -> None:
    first, second = pair.ask(), pair.ask()
    pair.client.reset(first, H2Error.CANCEL)
    pair.server.reset(second, H2Error.REFUSED_STREAM)
    pair.exchange()
    assert pair.asked.over == {first: (8, False), second: (7, True)}
    assert pair.served.over == {first: (8, True), second: (7, False)}


def test_orders_that_come_too_late_do_nothing(pair: Pair) -> None:
    stream = pair.ask()
    pair.client.reset(stream, H2Error.CANCEL)
    pair.exchange()
    for _ in range(2):
        pair.server.inform(stream, [(b":status", b"103")])
        pair.server.respond(stream, OK, end=False)
        pair.server.send(stream, b"late")
        pair.server.finish(stream, [(b"x", b"y")])
        pair.server.reset(stream, H2Error.CANCEL)
        pair.server.consume(stream, 0)
        pair.exchange()
    assert pair.server.queued(stream) == 0 and pair.served.end is None and pair.asked.end is None
    assert pair.ask() > stream, "the connection lives on"


# Flow control.

def test_what_is_not_consumed_is_not_credited(names: tuple[str, str]) -> None:
    pair = Pair(*names, server_terms=Terms(stream_window=70_000))
    pair.served.take = False
    stream, other = pair.ask(end=False), pair.ask(end=False)
    pair.client.send(stream, b"x" * 200_000)
    pair.exchange()
    assert len(pair.served.bodies[stream]) == 70_000 and pair.client.queued(stream) == 130_000
    pair.client.send(other, b"y" * 1000)
    pair.exchange()
    assert len(pair.served.bodies[other]) == 1000, "no other stream is slowed"
    for _ in range(10):
        pair.server.consume(stream, 20_000)
        pair.exchange()
    assert len(pair.served.bodies[stream]) == 200_000 and pair.client.queued(stream) == 0


def test_the_connection_has_a_window_too(names: tuple[str, str]) -> None:
    pair = Pair(*names, server_terms=Terms(stream_window=100_000, connection_window=150_000))
    pair.served.take = False
    first, second = pair.ask(end=False), pair.ask(end=False)
    for stream in (first, second):
        pair.client.send(stream, b"x" * 100_000)
        pair.client.finish(stream, [])
    pair.exchange()
    assert sum(map(len, pair.served.bodies.values())) == 150_000
    pair.server.reset(first, H2Error.CANCEL)
    pair.exchange()
    pair.server.consume(first, len(pair.served.bodies[first]))
    pair.exchange()
    assert len(pair.served.bodies[second]) == 100_000, "what came on a stream that is over counts for the others"


def test_a_queue_that_grows_is_told_of_and_so_is_its_end(names: tuple[str, str]) -> None:
    pair = Pair(*names)
    pair.asked.take = False
    stream = pair.ask()
    pair.server.respond(stream, OK, end=False)
    pair.server.send(stream, b"x" * 64 * 1024)
    pair.exchange()
    assert pair.served.pressure == [], "what goes out at once is no queue"
    pair.server.send(stream, b"x" * (HIGH_WATER_BYTES + 1))
    pair.exchange()
    assert pair.served.pressure == [("slow", stream)]
    pair.client.consume(stream, 64 * 1024)
    pair.exchange()
    assert pair.served.pressure == [("slow", stream), ("ready", stream)]


def test_output_in_pieces_is_the_same(pair: Pair) -> None:
    stream = pair.ask()
    pair.server.respond(stream, OK, end=False)
    pair.server.send(stream, bytes(range(256)) * 200)
    pair.server.finish(stream, [])
    while piece := pair.server.outgoing(1000):
        assert len(piece) <= 1000
        pair.client.receive(piece)
    assert pair.asked.bodies[stream] == bytes(range(256)) * 200 and stream in pair.asked.complete


# Settings, pings.

def test_settings_are_told(names: tuple[str, str]) -> None:
    pair = Pair(*names, server_terms=Terms(max_streams=7, extended_connect=True))
    assert pair.asked.greetings and pair.client.greeted and pair.server.greeted
    assert pair.client.max_streams == 7 and pair.client.extended_connect
    assert not Pair(*names).client.extended_connect


def test_extended_connect(names: tuple[str, str]) -> None:
    pair = Pair(*names, server_terms=Terms(extended_connect=True))
    asked: Fields = [(b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"https"),
                     (b":authority", b"edge.test"), (b":path", b"/chat"), (b"sec-websocket-version", b"13")]
    stream = pair.ask(end=False, fields=asked)
    assert pair.served.heads[stream] == asked and stream not in pair.served.complete
    pair.server.respond(stream, [(b":status", b"200")], end=False)
    pair.server.send(stream, b"down")
    pair.client.send(stream, b"up")
    pair.exchange()
    assert pair.served.bodies[stream] == b"up" and pair.asked.bodies[stream] == b"down"


def test_pings_are_answered(pair: Pair) -> None:
    pair.client.ping()
    pair.server.ping()
    pair.exchange()
    assert pair.asked.pongs == pair.served.pongs == 1


# GOAWAY.

def test_a_server_leaves_in_two_phases(pair: Pair) -> None:
    stream = pair.ask()
    pair.server.respond(stream, OK, end=False)
    pair.server.notice()
    pair.exchange()
    assert pair.asked.goaways == [(2**31 - 1, 0)] and pair.served.end is None and pair.asked.end is None
    pair.server.goaway(H2Error.NO_ERROR)
    pair.exchange()
    assert pair.asked.goaways[1:] == [(stream, 0)]
    assert pair.client.open(REQUEST, end=True) == 0
    pair.server.send(stream, b"goes on")
    pair.exchange()
    assert pair.asked.bodies[stream] == b"goes on" and pair.served.end is None
    pair.server.finish(stream, [])
    pair.exchange()
    assert stream in pair.asked.complete
    assert pair.served.end == (0, "") and pair.asked.end == (0, "")


def test_a_request_that_crosses_the_first_goaway_is_served_one_that_crosses_the_second_is_not(pair: Pair) -> None:
    first = pair.ask()
    pair.server.notice()
    notice = pair.server.outgoing()
    second = pair.client.open(REQUEST, end=True)
    pair.server.receive(pair.client.outgoing())
    assert second in pair.served.heads
    pair.server.goaway(H2Error.NO_ERROR)
    final = pair.server.outgoing()
    third = pair.client.open(REQUEST, end=True)
    pair.server.receive(pair.client.outgoing())
    assert third not in pair.served.heads
    pair.client.receive(notice + final)
    assert pair.asked.goaways == [(2**31 - 1, 0), (second, 0)] and third > second > first


def test_a_client_that_leaves_is_still_served(pair: Pair) -> None:
    stream = pair.ask()
    pair.client.goaway(H2Error.NO_ERROR)
    pair.exchange()
    assert pair.served.goaways and pair.served.end is None
    pair.server.respond(stream, OK, end=False)
    pair.server.send(stream, b"here")
    pair.server.finish(stream, [])
    pair.exchange()
    assert pair.asked.bodies[stream] == b"here" and pair.served.end == (0, "")


# What breaks a connection.

def server(name: str) -> tuple[Notes, bytes]:
    """A server's notes, and the preface of a client to it."""
    notes = Notes()
    notes.engine = make_engine(name, Role.SERVER, notes, Terms())
    return notes, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("junk", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + bytes(20),
                                  b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n!"])
def test_a_bad_preface_is_the_end(name: str, junk: bytes) -> None:
    notes, _ = server(name)
    assert notes.engine is not None
    notes.engine.receive(junk)
    assert notes.end is not None and notes.end[0] == H2Error.PROTOCOL_ERROR
    assert b"\x00\x00\x08\x07\x00" in notes.engine.outgoing(), "there is a GOAWAY"
    notes.engine.receive(b"more")
    assert notes.engine.outgoing() == b""


@pytest.mark.parametrize("name", ENGINES)
def test_a_broken_frame_is_the_end_and_orders_do_nothing_from_then_on(name: str) -> None:
    notes, preface = server(name)
    engine = notes.engine
    assert engine is not None
    engine.receive(preface + b"\x00\x00\x05\x06\x00\x00\x00\x00\x00" + bytes(5))  # a PING of five bytes
    engine.outgoing()
    assert notes.end is not None and notes.end[0] == H2Error.FRAME_SIZE_ERROR
    engine.respond(1, OK, end=False)
    engine.send(1, b"x")
    engine.finish(1, [])
    engine.reset(1, 0)
    engine.consume(1, 1)
    engine.ping()
    engine.notice()
    engine.goaway(0)
    assert engine.outgoing() == b""


@pytest.mark.parametrize("names", PAIRS, ids="-".join)
def test_a_header_list_far_beyond_the_limit_breaks_the_connection(names: tuple[str, str]) -> None:
    pair = Pair(*names, server_terms=Terms(header_octets=4096))
    within = pair.ask(fields=[*REQUEST, (b"x", b"y" * 5000)])
    assert within in pair.served.heads, "what is just too long is for the owner to refuse"
    pair.ask(fields=[*REQUEST, (b"x", b"y" * 9000)])
    assert pair.served.end is not None and pair.served.end[0] == H2Error.ENHANCE_YOUR_CALM
    assert pair.asked.goaways and pair.asked.goaways[-1][1] == H2Error.ENHANCE_YOUR_CALM


BAD_FIELDS: list[tuple[bytes, bytes]] = [
    (b"X-Upper", b"y"), (b"x", b"a\r\nb: c"), (b"x", b"a\0b"), (b"x", b"a\nb"), (b"a b", b"c"), (b"a:b", b"c"),
    (b"", b"x"), (b"connection", b"close"), (b"transfer-encoding", b"chunked"), (b"upgrade", b"h2c"),
    (b"te", b"gzip"), (b":late", b"x"), (b":path", b"/again"), (b"x(y", b"z"), (b"x", b"a\x01b"), (b"x\xff", b"y"),
]


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("bad", BAD_FIELDS, ids=repr)
def test_a_malformed_request_never_comes_through(name: str, bad: tuple[bytes, bytes]) -> None:
    pair = Pair("h2", name)  # which lets its user send anything
    stream = pair.ask(fields=[*REQUEST, bad])
    assert stream not in pair.served.heads
    assert stream in pair.served.over or pair.served.end is not None
    assert pair.asked.over.get(stream, (1, True))[1] or pair.asked.goaways


def test_more_streams_than_allowed_are_not_taken(names: tuple[str, str]) -> None:
    pair = Pair(*names, server_terms=Terms(max_streams=3))
    for _ in range(5):
        pair.client.open(REQUEST, end=True)
    pair.exchange()
    assert len(pair.served.heads) == 3 and pair.served.end is None


@pytest.mark.parametrize("name", ENGINES)
def test_a_length_that_the_body_does_not_have_is_malformed(name: str) -> None:
    for sent, end in ((b"12345", True), (b"123", True)):
        pair = Pair("ngh2", name)
        stream = pair.ask(end=False, fields=[*REQUEST, (b"content-length", b"4")])
        pair.client.send(stream, sent)
        if end:
            pair.client.finish(stream, [])
        pair.exchange()
        assert stream not in pair.served.complete
        assert stream in pair.served.over or pair.served.end is not None


def test_connections_written_in_turns_do_not_mix(names: tuple[str, str]) -> None:
    pairs = [Pair(*names) for _ in range(4)]
    streams = [[pair.ask(end=False) for _ in range(3)] for pair in pairs]
    long = b"l" * 20_000  # more than a frame

    def words(number: int, stream: int) -> bytes:
        return b"%d/%d " % (number, stream) * 3000

    for number, pair in enumerate(pairs):
        for stream in streams[number]:
            pair.server.respond(stream, [*OK, (b"x-long", long), (b"x-pair", b"%d" % number)], end=False)
            pair.server.send(stream, words(number, stream))
            pair.server.finish(stream, [(b"x-sum", b"%d" % stream)])
    limit = 0
    written = True
    while written:
        written = False
        for pair in pairs:
            limit = limit % 3000 + 700
            if out := pair.server.outgoing(limit):
                assert len(out) <= limit
                pair.client.receive(out)
                written = True
            pair.server.receive(pair.client.outgoing())
    for number, pair in enumerate(pairs):
        assert pair.asked.end is None
        for stream in streams[number]:
            assert pair.asked.heads[stream] == [*OK, (b"x-long", long), (b"x-pair", b"%d" % number)]
            assert pair.asked.bodies[stream] == words(number, stream)
            assert pair.asked.complete[stream] == [(b"x-sum", b"%d" % stream)]


def test_a_field_that_is_never_to_be_indexed_stays_so() -> None:
    pair = Pair("ngh2", "ngh2")
    stream = pair.ask(fields=[*REQUEST, NeverIndexedHeader(b"authorization", b"secret")])
    field = pair.served.heads[stream][-1]
    assert field == (b"authorization", b"secret") and isinstance(field, NeverIndexedHeader)
    again = pair.ask(fields=pair.served.heads[stream])
    assert isinstance(pair.served.heads[again][-1], NeverIndexedHeader)
