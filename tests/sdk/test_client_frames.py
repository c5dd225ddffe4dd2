"""WebSocket frames of a client, against those of `websockets`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame
from websockets.frames import Opcode as Theirs
from websockets.streams import StreamReader

from sbc.model.errors import CloseCode
from sbc.sdk.client.frames import BadFrame, FrameReader, Opcode, written


def by_others(data: bytes, mask: bool) -> Frame:
    """A frame as the other library reads it."""
    reader = StreamReader()
    reader.feed_data(data)
    parsing = Frame.parse(reader.read_exact, mask=mask)
    with pytest.raises(StopIteration) as parsed:
        next(parsing)
    return parsed.value.value  # type: ignore[no-any-return]


@given(st.binary(max_size=300) | st.sampled_from([b"x" * 65535, b"y" * 65536, b"\0" * 126]), st.binary(min_size=4,
                                                                                                    max_size=4))
def test_what_is_written_is_read_by_others(payload: bytes, mask: bytes) -> None:
    frame = by_others(written(Opcode.BINARY, payload, mask), True)
    assert (frame.opcode, frame.data, frame.fin) == (Theirs.BINARY, payload, True)


@given(st.lists(st.binary(max_size=200), max_size=5), st.integers(1, 50))
def test_what_others_write_is_read_however_it_is_cut(payloads: list[bytes], step: int) -> None:
    stream = b"".join(Frame(Theirs.BINARY, payload).serialize(mask=False) for payload in payloads)
    reader, heard = FrameReader(1000), []
    for at in range(0, len(stream), step):
        reader.feed(stream[at : at + step])
        while (frame := reader.next()) is not None:
            heard.append(frame)
    assert heard == [(Opcode.BINARY, payload) for payload in payloads]


def test_a_message_in_pieces_with_a_ping_between_them() -> None:
    reader = FrameReader(10)
    reader.feed(Frame(Theirs.TEXT, b"ab", fin=False).serialize(mask=False))
    reader.feed(Frame(Theirs.PING, b"?").serialize(mask=False))
    reader.feed(Frame(Theirs.CONT, b"cd").serialize(mask=False))
    assert reader.next() == (Opcode.PING, b"?")
    assert reader.next() == (Opcode.TEXT, b"abcd")
    assert reader.next() is None


@pytest.mark.parametrize(("data", "code"), [
    (b"\xc1\x00", CloseCode.PROTOCOL_ERROR),
    (b"\x83\x00", CloseCode.PROTOCOL_ERROR),
    (b"\x81\x81\0\0\0\0a", CloseCode.PROTOCOL_ERROR),
    (b"\x80\x00", CloseCode.PROTOCOL_ERROR),
    (b"\x01\x00\x81\x00", CloseCode.PROTOCOL_ERROR),
    (b"\x89\x7e\x00\x80", CloseCode.PROTOCOL_ERROR),
    (b"\x09\x00", CloseCode.PROTOCOL_ERROR),
    (b"\x82\x0b", CloseCode.TOO_BIG),
    (b"\x82\x7f" + b"\x7f" * 8, CloseCode.TOO_BIG),
    (b"\x02\x08" + b"x" * 8 + b"\x80\x08" + b"x" * 8, CloseCode.TOO_BIG),
])
def test_what_a_server_must_not_send(data: bytes, code: CloseCode) -> None:
    reader = FrameReader(10)
    reader.feed(data)
    with pytest.raises(BadFrame) as bad:
        while reader.next() is not None:
            pass
    assert bad.value.code is code
