"""Windows on aioquic: a frame that found no room in its packet is written in another."""

import pytest
from aioquic.quic.packet_builder import QuicPacketBuilderStop
from aioquic.quic.stream import QuicStream

from sbc.wire.http3.aioquic_connection import Connection

WINDOW = 1000


class Engine:
    """Everything that came is consumed."""

    def held(self, stream: int) -> int:
        return 0


class Builder:
    """A packet that has room, or has none."""

    def __init__(self, room: bool) -> None:
        self.room = room
        self.written: list[int] = []

    def start_frame(self, kind: int, **_: object) -> "Builder":
        if not self.room:
            raise QuicPacketBuilderStop
        return self

    def push_uint_var(self, value: int) -> None:
        self.written.append(value)


def test_a_window_that_found_no_room_is_told_of_later() -> None:
    connection = Connection.__new__(Connection)
    connection._engine, connection._stream_window = Engine(), WINDOW  # type: ignore[assignment]
    stream = QuicStream(stream_id=0, max_stream_data_local=WINDOW, max_stream_data_remote=WINDOW)
    full, empty = Builder(room=False), Builder(room=True)
    connection._write_stream_limits(empty, None, stream)  # type: ignore[arg-type]
    assert empty.written == [], "there is nothing new"
    stream.receiver._buffer_start = 600
    with pytest.raises(QuicPacketBuilderStop):
        connection._write_stream_limits(full, None, stream)  # type: ignore[arg-type]
    stream.receiver._buffer_start = WINDOW
    connection._write_stream_limits(empty, None, stream)  # type: ignore[arg-type]
    assert empty.written == [0, 1600]
    connection._write_stream_limits(empty, None, stream)  # type: ignore[arg-type]
    assert empty.written == [0, 1600], "once is enough"
