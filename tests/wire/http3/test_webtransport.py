"""WebTransport sessions on both engines, with both libraries' clients: streams, datagrams, and how they end."""

import pytest

from sbc.model.http import Fields
from sbc.wire.http2.engine import H2Error
from sbc.wire.http3.frames import H3Error
from tests.wire.http3.pair import ENGINES, Pair

CONNECT: Fields = [(b":method", b"CONNECT"), (b":protocol", b"webtransport"), (b":scheme", b"https"),
                   (b":authority", b"edge.test"), (b":path", b"/chat")]
PAIRS = [(engine, client) for engine in ENGINES for client in ("aioquic", "qh3")]


@pytest.fixture(params=PAIRS, ids="-".join)
def pair(request: pytest.FixtureRequest) -> Pair:
    """With a session on stream 0."""
    pair = Pair(*request.param)
    assert pair.ask(CONNECT, end=False) == 0 and pair.notes.heads[0] == CONNECT
    pair.engine.respond(0, [(b":status", b"200")], end=False)
    pair.exchange()
    return pair


def test_streams_of_the_client(pair: Pair) -> None:
    both = pair.h3.create_webtransport_stream(0)
    one = pair.h3.create_webtransport_stream(0, is_unidirectional=True)
    pair.quic.send_stream_data(both, b"ask", True)
    pair.quic.send_stream_data(one, b"tell", True)
    pair.exchange()
    assert pair.notes.streams == {both: 0, one: 0}
    assert pair.notes.bodies == {both: b"ask", one: b"tell"} and {both, one} == set(pair.notes.complete)
    assert pair.notes.over == {one: (0, False)}
    pair.engine.send(both, b"answer")
    pair.engine.finish(both, [])
    pair.exchange()
    told = pair.seen("WebTransportStreamDataReceived", stream_id=both)
    assert b"".join([event.data for event in told]) == b"answer" or pair.seen("StreamDataReceived", stream_id=both)
    assert pair.notes.over[both] == (0, False)


def test_streams_of_ours(pair: Pair) -> None:
    both = pair.engine.open_stream(0, both_ways=True)
    one = pair.engine.open_stream(0, both_ways=False)
    assert both & 3 == 1 and one & 3 == 3
    for stream in (both, one):
        pair.engine.send(stream, b"message")
        pair.engine.finish(stream, [])
    pair.exchange()
    for stream in (both, one):
        told = pair.seen("WebTransportStreamDataReceived", stream_id=stream)
        assert b"".join([event.data for event in told]) == b"message" and told[-1].stream_ended
    assert pair.notes.over == {one: (0, False)}
    pair.raw(both, b"and back", end=True)
    assert pair.notes.bodies[both] == b"and back" and pair.notes.over[both] == (0, False)


def test_an_end_that_is_lost_is_said_again(pair: Pair) -> None:
    """Of a stream without frames, on which nothing could be said with it."""
    stream, other = pair.engine.open_stream(0, both_ways=False), pair.engine.open_stream(0, both_ways=False)
    pair.engine.send(stream, b"message")
    assert pair.engine.outgoing(pair.now)
    pair.engine.finish(stream, [])
    pair.engine.outgoing(pair.now)
    for _ in range(5):
        pair.engine.send(other, b"another")
        pair.exchange()
    told = pair.seen("WebTransportStreamDataReceived", stream_id=stream)
    assert b"".join([event.data for event in told]) == b"message" and told[-1].stream_ended


def test_a_stream_that_says_nothing_back(pair: Pair) -> None:
    """The client answers our wish not to hear of it by a reset, which takes nothing of ours away."""
    streams = [pair.engine.open_stream(0, both_ways=True) for _ in range(20)]
    for stream in streams:
        pair.engine.send(stream, b"x" * 40_000)
        pair.engine.finish(stream, [])
        pair.engine.reset(stream, H2Error.NO_ERROR)
    pair.exchange(2000)
    assert pair.notes.over == dict.fromkeys(streams, (0, False))
    for stream in streams:
        told = pair.seen("WebTransportStreamDataReceived", stream_id=stream)
        assert len(b"".join([event.data for event in told])) == 40_000 and told[-1].stream_ended
    assert set(pair.engine._streams) == {0, 2, 6, 10}  # type: ignore[attr-defined]


def test_datagrams(pair: Pair) -> None:
    flow = 0
    pair.h3.send_datagram(flow, b"hello")
    pair.engine.send_datagram(0, b"x" * 1200)
    pair.engine.send_datagram(0, b"world")
    pair.exchange()
    assert pair.notes.datagrams == [(0, b"hello")]
    assert [event.data for event in pair.seen("DatagramReceived")] == [b"world"]


def test_datagrams_that_cannot_be_sent_are_dropped(pair: Pair) -> None:
    for _ in range(1000):
        pair.engine.send_datagram(0, b"x" * 1000)
    pair.exchange()
    first = len(pair.seen("DatagramReceived"))
    assert 5 <= first < 400
    pair.engine.send_datagram(0, b"later")
    pair.exchange()
    assert pair.seen("DatagramReceived")[-1].data == b"later"


def test_datagrams_of_no_session(pair: Pair) -> None:
    pair.quic.send_datagram_frame(b"\x05what")
    pair.exchange()
    assert not pair.notes.datagrams and pair.closed is None
    pair.quic.send_datagram_frame(b"\x40")
    pair.exchange()
    assert pair.closed == H3Error.DATAGRAM_ERROR


def test_the_session_takes_its_streams_along(pair: Pair) -> None:
    both = pair.h3.create_webtransport_stream(0)
    pair.quic.send_stream_data(both, b"ask")
    pair.exchange()
    ours = pair.engine.open_stream(0, both_ways=True)
    pair.engine.send(ours, b"half")
    pair.engine.finish(0, [])
    pair.h3.send_data(0, b"", end_stream=True)
    pair.exchange()
    assert pair.notes.over == {
        0: (0, False), both: (H2Error.CANCEL, False), ours: (H2Error.CANCEL, False)}
    assert pair.seen("StreamReset", stream_id=ours)[0].error_code == H3Error.WEBTRANSPORT_SESSION_GONE
    assert pair.engine.open_stream(0, both_ways=True) == 0
    pair.engine.send_datagram(0, b"late")
    pair.exchange()
    assert pair.closed is None


def test_one_session_a_connection(pair: Pair) -> None:
    other = pair.ask(CONNECT, end=False)
    assert other not in pair.notes.heads
    assert pair.seen("StreamReset", stream_id=other)[0].error_code == H3Error.REQUEST_REJECTED


def test_streams_of_no_session(pair: Pair) -> None:
    both = pair.h3.create_webtransport_stream(400)
    one = pair.h3.create_webtransport_stream(400, is_unidirectional=True)
    pair.exchange()
    for stream in (both, one):
        stops = pair.seen("StopSendingReceived", stream_id=stream)
        assert stops[0].error_code == H3Error.WEBTRANSPORT_BUFFERED_STREAM_REJECTED
    assert not pair.notes.streams and pair.closed is None and not pair.notes.over


def test_resets_of_streams(pair: Pair) -> None:
    both = pair.h3.create_webtransport_stream(0)
    pair.exchange()
    pair.quic.reset_stream(both, 0x52E4A40FA8DB)
    pair.exchange()
    assert pair.notes.over[both] == (H2Error.CANCEL, True)
    ours = pair.engine.open_stream(0, both_ways=False)
    pair.engine.send(ours, b"x" * 10)
    pair.engine.reset(ours, H2Error.CANCEL)
    pair.exchange()
    assert pair.notes.over[ours] == (H2Error.CANCEL, False)


def test_many_messages_each_on_a_stream_of_its_own(pair: Pair) -> None:
    for number in range(300):
        stream = pair.engine.open_stream(0, both_ways=False)
        assert stream
        pair.engine.send(stream, b"%d" % number)
        pair.engine.finish(stream, [])
        theirs = pair.h3.create_webtransport_stream(0, is_unidirectional=True)
        pair.quic.send_stream_data(theirs, b"%d" % number, True)
        pair.exchange()
    assert [int(body) for body in pair.notes.bodies.values()] == list(range(300))
    assert not pair.engine._members and set(pair.engine._streams) == {0, 2, 6, 10}  # type: ignore[attr-defined]


def test_a_client_that_lets_no_more_streams_be_opened(pair: Pair) -> None:
    pair.notes.pressure.clear()
    opened = []
    while stream := pair.engine.open_stream(0, both_ways=True):
        opened.append(stream)
    assert len(opened) in (100, 128), "what the libraries allow"
    pair.exchange()
    assert not pair.notes.pressure
    for stream in opened:
        pair.engine.finish(stream, [])
        pair.engine.reset(stream, H2Error.NO_ERROR)
    pair.exchange()
    assert ("ready", 0) in pair.notes.pressure
    assert pair.engine.open_stream(0, both_ways=True) > opened[-1]
    assert not pair.engine._starved  # type: ignore[attr-defined]


def test_what_is_known_of_the_clients_streams(pair: Pair) -> None:
    both = [pair.h3.create_webtransport_stream(0) for _ in range(3)]
    pair.exchange()
    after = pair.engine.first_unknown(both[0])
    assert after == both[-1] + 4 and pair.engine.first_unknown(2) == pair.engine.first_unknown(6) >= 14
    late: list[bytes] = []

    def hold(datagram: bytes) -> list[bytes]:
        late.append(datagram)
        return []

    pair.to_engine = hold
    pair.h3.send_headers(after, [(b":method", b"GET"), *CONNECT[2:]], end_stream=True)
    pair.exchange(1)
    pair.to_engine = lambda datagram: [datagram]
    later = pair.h3.create_webtransport_stream(0)
    pair.quic.send_stream_data(later, b"later", True)
    pair.exchange(2)
    assert pair.engine.first_unknown(0) == after and pair.notes.bodies[later] == b"later"
    pair.notes.pressure.clear()
    for datagram in late:
        pair.engine.receive(datagram, pair.source, pair.now)
    assert pair.engine.first_unknown(0) == later + 4 and pair.notes.pressure == [("ready", 0)]
