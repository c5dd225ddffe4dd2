"""What waits to go out on each stream of the engine on h2: h2 keeps nothing that its windows do not let out."""

from h2.connection import H2Connection

from sbc.model.http import Fields
from sbc.wire.http2.engine import HIGH_WATER_BYTES, LOW_WATER_BYTES, EngineOwner, H2Error


class Outbox:
    """What is queued on a stream, and which directions of it are complete."""

    __slots__ = ("finishing", "queue", "received", "sent", "slow", "trailers")

    def __init__(self) -> None:
        self.queue = bytearray()
        self.finishing = False
        self.trailers: Fields = []
        self.sent = False
        self.received = False
        self.slow = False


class Outboxes:
    """The streams of a connection that are not over yet."""

    __slots__ = ("_connection", "_owner", "closed", "streams")

    def __init__(self, connection: H2Connection, owner: EngineOwner) -> None:
        self._connection = connection
        self._owner = owner
        self.streams: dict[int, Outbox] = {}
        self.closed: list[tuple[int, int]] = []
        """Streams that are over, and their code: not told yet."""

    def send(self, key: int, data: bytes) -> None:
        if key in self.streams and not self.streams[key].finishing:
            self.streams[key].queue += data

    def finish(self, key: int, trailers: Fields) -> None:
        if key in self.streams and not self.streams[key].sent:
            self.streams[key].finishing = True
            self.streams[key].trailers = trailers

    def queued(self, key: int) -> int:
        return len(self.streams[key].queue) if key in self.streams else 0

    def sent(self, key: int) -> None:
        """All has been said on a stream."""
        stream = self.streams[key]
        stream.finishing = False
        stream.sent = True
        self._settle(key, stream)

    def received(self, key: int) -> None:
        """All has been heard on a stream."""
        stream = self.streams.get(key)
        if stream is not None:
            stream.received = True
            self._settle(key, stream)

    def _settle(self, key: int, stream: Outbox) -> None:
        """A stream that is complete in both directions is over."""
        if stream.sent and stream.received and self.streams.pop(key, None) is not None:
            self.closed.append((key, H2Error.NO_ERROR))

    def pump(self, out: bytearray, limit: int) -> None:
        """Add to `out` what the windows let out, a frame of each stream at a time, until it has `limit` bytes; tell of
        queues long and short."""
        waiting = {key: stream for key, stream in self.streams.items() if stream.queue or stream.finishing}
        while waiting:
            waiting = {key: stream for key, stream in waiting.items() if self._send_frame(key, stream)}
            out += self._connection.data_to_send()
            if len(out) >= limit:
                break
        for key, stream in list(self.streams.items()):
            if not stream.slow and len(stream.queue) > HIGH_WATER_BYTES:
                stream.slow = True
                self._owner.slow(key)
            elif stream.slow and len(stream.queue) <= LOW_WATER_BYTES:
                stream.slow = False
                self._owner.ready(key)

    def _send_frame(self, key: int, stream: Outbox) -> bool:
        """Send the next frame of a stream, if it may be sent; whether there is more to try."""
        if key not in self.streams:
            return False
        if stream.queue:
            room = min(self._connection.local_flow_control_window(key), self._connection.max_outbound_frame_size)
            if room <= 0:
                return False
            self._connection.send_data(key, bytes(stream.queue[:room]))
            del stream.queue[:room]
        if stream.queue:
            return True
        if stream.finishing:
            if stream.trailers:
                self._connection.send_headers(key, stream.trailers, end_stream=True)
            else:
                self._connection.end_stream(key)
            self.sent(key)
        return False
