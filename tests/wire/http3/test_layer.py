"""What the engines do with clients that write their frames by hand, well and badly."""

import pylsqpack
import pytest

from sbc.model.http import Fields
from sbc.wire.http2.engine import H2Error
from sbc.wire.http3.engine import QuicTerms
from sbc.wire.http3.frames import Frame, H3Error, StreamType, frame, varint
from tests.wire.http3.pair import DEFAULT, ENGINES, REQUEST, Pair

CONTROL = b"\x00" + frame(Frame.SETTINGS, b"")


def block(fields: Fields) -> bytes:
    return pylsqpack.Encoder().encode(0, fields)[1]


def head(fields: Fields = REQUEST, *more: tuple[bytes, bytes]) -> bytes:
    return frame(Frame.HEADERS, block([*fields, *more]))


def data(body: bytes) -> bytes:
    return frame(Frame.DATA, body)


@pytest.fixture(params=ENGINES)
def bare(request: pytest.FixtureRequest) -> Pair:
    """A client without HTTP/3 that has sent its settings."""
    pair = Pair(request.param, "aioquic", bare=True)
    pair.raw(2, CONTROL)
    return pair


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return request.param  # type: ignore[no-any-return]


# Requests.


def test_single_bytes_are_as_good(bare: Pair) -> None:
    for octet in head() + data(b"hello") + data(b"") + frame(Frame.HEADERS, block([(b"x-sum", b"1")])):
        bare.raw(0, bytes([octet]))
    bare.raw(0, b"", end=True)
    assert bare.notes.heads[0] == REQUEST and bare.notes.bodies[0] == b"hello"
    assert bare.notes.complete[0] == [(b"x-sum", b"1")]


def test_what_is_unknown_is_passed_over(bare: Pair) -> None:
    strange = frame(0x21, b"grease" * 9) + frame(0x1F * 7 + 0x21, b"")
    bare.raw(0, strange + head() + strange + data(b"a") + strange + data(b"b") + strange, end=True)
    assert bare.notes.bodies[0] == b"ab" and bare.notes.complete[0] == []
    bare.raw(2, frame(0x21, b"x" * 5000) + frame(0xF0700, b"\x00u=1") + frame(Frame.MAX_PUSH_ID, b"\x08"))
    bare.raw(6, varint(0x21) + b"anything at all")
    bare.raw(10, varint(0x40 * 0x1F + 0x21), end=True)
    assert bare.notes.end is None and bare.closed is None
    assert bare.seen("StopSendingReceived", stream_id=6)[0].error_code == H3Error.STREAM_CREATION_ERROR


def test_many_strange_streams_leave_nothing_behind(bare: Pair) -> None:
    for stream in range(6, 6 + 4 * 150, 4):
        bare.quic.send_stream_data(stream, varint(0x21) + b"x", True)
        bare.exchange()
    assert set(bare.engine._streams) == {2} and bare.closed is None  # type: ignore[attr-defined]


def test_frames_that_carry_nothing_are_counted(bare: Pair) -> None:
    bare.raw(0, head() + data(b"") * 150)
    assert bare.closed is None
    bare.raw(0, data(b"") * 500)
    assert bare.closed == H3Error.EXCESSIVE_LOAD
    assert bare.notes.end is not None and bare.notes.end[0] == H2Error.ENHANCE_YOUR_CALM


BROKEN = [
    ("data first", 0, data(b"x"), H3Error.FRAME_UNEXPECTED),
    ("data behind trailers", 0, head() + head([(b"a", b"b")]) + data(b"x"), H3Error.FRAME_UNEXPECTED),
    ("a third head", 0, head() + 2 * head([(b"a", b"b")]), H3Error.FRAME_UNEXPECTED),
    ("settings on a request", 0, frame(Frame.SETTINGS, b""), H3Error.FRAME_UNEXPECTED),
    ("goaway on a request", 0, head() + frame(Frame.GOAWAY, b"\x00"), H3Error.FRAME_UNEXPECTED),
    ("a push promise", 0, head() + frame(Frame.PUSH_PROMISE, b"\x00"), H3Error.FRAME_UNEXPECTED),
    ("a priority of HTTP/2", 0, frame(0x2, b""), H3Error.FRAME_UNEXPECTED),
    ("nothing in a head", 0, frame(Frame.HEADERS, b""), H3Error.QPACK_DECOMPRESSION_FAILED),
    ("noise in a head", 0, frame(Frame.HEADERS, b"\x00\x00\xff\xff\xff\xff"), H3Error.QPACK_DECOMPRESSION_FAILED),
    ("the dynamic table", 0, frame(Frame.HEADERS, b"\x02\x00\x80"), H3Error.QPACK_DECOMPRESSION_FAILED),
    ("settings twice", 2, frame(Frame.SETTINGS, b""), H3Error.FRAME_UNEXPECTED),
    ("data on control", 2, data(b"x"), H3Error.FRAME_UNEXPECTED),
    ("a head on control", 2, head(), H3Error.FRAME_UNEXPECTED),
    ("a ping of HTTP/2", 2, frame(0x6, bytes(8)), H3Error.FRAME_UNEXPECTED),
    ("a cancelled push", 2, frame(Frame.CANCEL_PUSH, b"\x00"), H3Error.ID_ERROR),
    ("a goaway of nothing", 2, frame(Frame.GOAWAY, b""), H3Error.FRAME_ERROR),
    ("a goaway of more", 2, frame(Frame.GOAWAY, b"\x00\x00"), H3Error.FRAME_ERROR),
    ("a goaway that grows", 2, frame(Frame.GOAWAY, b"\x04") + frame(Frame.GOAWAY, b"\x08"), H3Error.ID_ERROR),
    ("fewer pushes", 2, frame(Frame.MAX_PUSH_ID, b"\x08") + frame(Frame.MAX_PUSH_ID, b"\x04"), H3Error.ID_ERROR),
    ("a second control", 6, CONTROL, H3Error.STREAM_CREATION_ERROR),
    ("a push of the client", 6, b"\x01\x00", H3Error.STREAM_CREATION_ERROR),
    ("a table too large", 6, b"\x02\x3f\xe1\x1f", H3Error.QPACK_ENCODER_STREAM_ERROR),
    ("an entry of no table", 6, b"\x02\xc0\x01a", H3Error.QPACK_ENCODER_STREAM_ERROR),
    ("a sight of nothing", 6, b"\x03\x80", H3Error.QPACK_DECODER_STREAM_ERROR),
]


@pytest.mark.parametrize(("stream", "octets", "code"), [each[1:] for each in BROKEN], ids=[each[0] for each in BROKEN])
def test_a_broken_protocol_ends_the_connection(bare: Pair, stream: int, octets: bytes, code: int) -> None:
    bare.raw(stream, octets)
    assert bare.closed == code
    assert bare.notes.end is not None and bare.notes.end[0] not in (H2Error.NO_ERROR, H2Error.INTERNAL_ERROR)


CRITICAL = [
    ("the control stream ends", 2, b"", H3Error.CLOSED_CRITICAL_STREAM),
    ("an encoder ends", 6, b"\x02", H3Error.CLOSED_CRITICAL_STREAM),
    ("a decoder ends", 6, b"\x03", H3Error.CLOSED_CRITICAL_STREAM),
    ("a frame is cut off", 0, head() + b"\x00\x05ab", H3Error.FRAME_ERROR),
    ("the head of a frame is cut off", 0, head() + b"\x00\x40", H3Error.FRAME_ERROR),
]


@pytest.mark.parametrize(("stream", "octets", "code"), [each[1:] for each in CRITICAL],
                         ids=[each[0] for each in CRITICAL])
def test_an_end_where_none_may_be(bare: Pair, stream: int, octets: bytes, code: int) -> None:
    bare.raw(stream, octets, end=True)
    assert bare.closed == code


def test_a_reset_of_the_control_stream(bare: Pair) -> None:
    bare.quic.reset_stream(2, 0)
    bare.exchange()
    assert bare.closed == H3Error.CLOSED_CRITICAL_STREAM


def test_our_control_stream_is_not_wanted(bare: Pair) -> None:
    bare.quic.stop_stream(3, 0)
    bare.exchange()
    assert bare.closed == H3Error.CLOSED_CRITICAL_STREAM


@pytest.mark.parametrize(("octets", "code"), [
    (b"\x00" + frame(Frame.GOAWAY, b"\x00"), H3Error.MISSING_SETTINGS),
    (b"\x00" + frame(Frame.SETTINGS, b"\x02\x00"), H3Error.SETTINGS_ERROR),
    (b"\x00" + frame(Frame.SETTINGS, b"\x08\x02"), H3Error.SETTINGS_ERROR),
    (b"\x00" + frame(Frame.SETTINGS, b"\x06\x00\x06\x00"), H3Error.SETTINGS_ERROR),
    (b"\x00" + frame(Frame.SETTINGS, b"\x06"), H3Error.FRAME_ERROR),
    (b"\x00" + varint(Frame.SETTINGS) + varint(100_000), H3Error.EXCESSIVE_LOAD),
])
def test_bad_settings(engine: str, octets: bytes, code: int) -> None:
    pair = Pair(engine, "aioquic", bare=True)
    pair.raw(2, octets)
    assert pair.closed == code


# Messages.

MALFORMED: list[tuple[str, bytes]] = [
    ("no method", head(REQUEST[1:])),
    ("no path", head(REQUEST[:3])),
    ("an empty path", head([*REQUEST[:3], (b":path", b"")])),
    ("a method twice", head([REQUEST[0], *REQUEST])),
    ("a status", head([*REQUEST, (b":status", b"200")])),
    ("a pseudo-header behind a field", head([*REQUEST[:3], (b"a", b"b"), REQUEST[3]])),
    ("upper case", head(REQUEST, (b"Cookie", b"x"))),
    ("a space in a name", head(REQUEST, (b"a b", b"x"))),
    ("a line in a name", head(REQUEST, (b"a\nb", b"x"))),
    ("a line in a value", head(REQUEST, (b"a", b"x\r\nb: c"))),
    ("a line feed in a value", head(REQUEST, (b"a", b"x\nb"), (b"c", b"d"))),
    ("a zero in a value", head(REQUEST, (b"a", b"x\x00"))),
    ("a line in the path", head([*REQUEST[:3], (b":path", b"/a\nb")])),
    ("connection", head(REQUEST, (b"connection", b"close"))),
    ("transfer-encoding", head(REQUEST, (b"transfer-encoding", b"chunked"))),
    ("te", head(REQUEST, (b"te", b"gzip"))),
    ("a protocol without CONNECT", head(REQUEST, (b":protocol", b"websocket"))),
    ("CONNECT with a path", head([(b":method", b"CONNECT"), *REQUEST[1:]])),
    ("more than announced", head(REQUEST, (b"content-length", b"2")) + data(b"abc")),
    ("trailers with a pseudo-header", head() + head([(b":path", b"/")])),
]


@pytest.mark.parametrize("octets", [each[1] for each in MALFORMED], ids=[each[0] for each in MALFORMED])
def test_a_malformed_message_is_its_streams_fault(bare: Pair, octets: bytes) -> None:
    bare.raw(0, octets)
    assert bare.seen("StreamReset", stream_id=0)[0].error_code == H3Error.MESSAGE_ERROR
    assert bare.seen("StopSendingReceived", stream_id=0)
    assert bare.notes.over[0] == (H2Error.PROTOCOL_ERROR, False)
    bare.raw(4, head(), end=True)
    assert bare.notes.heads[4] == REQUEST and bare.closed is None


@pytest.mark.parametrize(("octets", "code"), [
    (b"", H3Error.REQUEST_INCOMPLETE),
    (frame(0x21, b"x"), H3Error.REQUEST_INCOMPLETE),
    (head(REQUEST, (b"content-length", b"4")) + data(b"abc"), H3Error.MESSAGE_ERROR),
    (head(REQUEST, (b"content-length", b"4")), H3Error.MESSAGE_ERROR),
    (head(REQUEST, (b"content-length", b"4")) + data(b"abc") + head([(b"a", b"b")]), H3Error.MESSAGE_ERROR),
])
def test_a_message_that_is_cut_short(bare: Pair, octets: bytes, code: int) -> None:
    bare.raw(0, octets, end=True)
    assert bare.seen("StreamReset", stream_id=0)[0].error_code == code
    assert 0 not in bare.notes.complete and bare.notes.over[0] == (H2Error.PROTOCOL_ERROR, False)
    assert bare.closed is None


def test_obsolete_text_and_te_trailers_pass(bare: Pair) -> None:
    bare.raw(0, head(REQUEST, (b"a", b"\xfcber\tall"), (b"te", b"trailers"), (b"b", b"")), end=True)
    assert bare.notes.heads[0][-3:] == [(b"a", b"\xfcber\tall"), (b"te", b"trailers"), (b"b", b"")]


def test_the_value_of_an_answer_may_be_any_octets(bare: Pair) -> None:
    bare.raw(0, head(), end=True)
    bare.engine.respond(0, [(b":status", b"200"), (b"x", b"\xfc\xff")], end=True)
    bare.exchange()
    said = b"".join([event.data for event in bare.seen("StreamDataReceived", stream_id=0)])
    assert pylsqpack.Decoder(0, 0).feed_header(0, said[2:])[1] == [(b":status", b"200"), (b"x", b"\xfc\xff")]


def test_an_answer_that_cannot_be_written_is_cut(bare: Pair) -> None:
    bare.raw(0, head(), end=True)
    bare.engine.respond(0, [(b":status", b"200"), (b"", b"x")], end=True)
    bare.exchange()
    assert bare.seen("StreamReset", stream_id=0)[0].error_code == H3Error.INTERNAL_ERROR
    assert bare.notes.over[0] == (H2Error.INTERNAL_ERROR, False)


# Bombs.


@pytest.mark.parametrize("octets", [
    varint(Frame.HEADERS) + varint(70_000) + b"\x00\x00",
    frame(Frame.HEADERS, b"\x00\x00" + b"\xd1" * 30_000),
    frame(Frame.HEADERS, b"\x00\x00" + b"\x5f\x1d\x00" * 10_000),
    frame(Frame.HEADERS, b"\x00\x00" + b"\x21a\x01b" * 8_000),
    frame(Frame.HEADERS, block([*REQUEST, *[(b"cookie", b"e" * 40_000)] * 2])),
], ids=["a length", "one byte a field", "names", "literals", "Huffman"])
def test_a_field_section_that_is_too_large(bare: Pair, octets: bytes) -> None:
    bare.raw(0, octets)
    bare.exchange()
    assert bare.notes.over[0] == (H2Error.ENHANCE_YOUR_CALM, False) and not bare.notes.heads
    assert bare.seen("StreamReset", stream_id=0)[0].error_code == H3Error.EXCESSIVE_LOAD and bare.closed is None


def test_up_to_the_limit_a_field_section_is_for_the_owner(bare: Pair) -> None:
    big = (b"cookie", b"e\xff" * 20_000)
    bare.raw(0, head(REQUEST, big), end=True)
    assert bare.notes.heads[0][-1] == big


def test_streams_that_begin_and_never_end(engine: str) -> None:
    pair = Pair(engine, "aioquic", QuicTerms(), bare=True)
    for stream in range(0, 400, 4):
        pair.quic.send_stream_data(stream, b"\x01")
    pair.exchange()
    assert len(pair.engine._streams) <= 100 and pair.closed is None  # type: ignore[attr-defined]
    for stream in range(0, 400, 4):
        pair.quic.reset_stream(stream, 0x10C)
    pair.exchange()
    assert not pair.engine._streams and not pair.engine._requests  # type: ignore[attr-defined]
    assert all(code == (H2Error.CANCEL, True) for code in pair.notes.over.values())


# Extended CONNECT and WebTransport.

TUNNEL: Fields = [(b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"https"),
                  (b":authority", b"edge.test"), (b":path", b"/chat")]


def test_a_tunnel(bare: Pair) -> None:
    bare.raw(0, head(TUNNEL, (b"content-length", b"1")) + data(b"abc"))
    bare.engine.respond(0, [(b":status", b"200")], end=False)
    bare.engine.send(0, b"frames")
    bare.exchange()
    assert bare.notes.bodies[0] == b"abc" and data(b"frames") in bare.seen("StreamDataReceived", stream_id=0)[0].data
    bare.raw(0, head([(b"a", b"b")]))
    assert bare.closed == H3Error.FRAME_UNEXPECTED


def test_settings_say_what_is_spoken(engine: str) -> None:
    def settings(terms: QuicTerms) -> dict[int, int]:
        return Pair(engine, "qh3", terms).h3.received_settings  # type: ignore[no-any-return]

    assert settings(QuicTerms()) == {0x1: 0, 0x7: 0, 0x6: 32 * 1024}
    assert settings(QuicTerms(websocket=True))[0x8] == 1
    assert {0x33, 0x8, 0x2B603742, 0xC671706A} <= set(settings(DEFAULT))


def test_without_webtransport_its_streams_are_nothing(engine: str) -> None:
    pair = Pair(engine, "aioquic", QuicTerms(), bare=True)
    pair.raw(2, CONTROL)
    pair.raw(0, varint(Frame.WEBTRANSPORT) + varint(0) + b"", end=True)
    assert pair.seen("StreamReset", stream_id=0)[0].error_code == H3Error.REQUEST_INCOMPLETE
    pair.raw(6, varint(StreamType.WEBTRANSPORT) + varint(0) + b"x")
    assert pair.seen("StopSendingReceived", stream_id=6) and not pair.notes.streams and pair.closed is None


def test_streams_behind_one_that_never_comes(engine: str) -> None:
    """Nothing is ever sent on the first stream: what is known of those behind it is bounded."""
    pair = Pair(engine, "aioquic", bare=True)
    pair.raw(2, CONTROL)
    for first in range(4, 4 * 1300, 4 * 40):
        if pair.closed is not None:
            break
        for stream in range(first, first + 4 * 40, 4):
            pair.quic.send_stream_data(stream, head(), True)
        pair.exchange()
        for stream in range(first, first + 4 * 40, 4):
            pair.engine.respond(stream, [(b":status", b"204")], end=True)
        pair.exchange()
    assert len(pair.engine._known) <= 1001  # type: ignore[attr-defined]
    assert pair.closed in (None, H3Error.EXCESSIVE_LOAD)
