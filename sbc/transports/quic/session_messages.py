"""Messages of a WebTransport session: each is a stream of its own, from its first byte to its end.

    Incoming   one of the client's, until it is whole and its turn has come
    Hold       those that are under way, in the order of their streams' numbers, and bounded
    Outgoing   one of the edge's, until it is sent
"""

from collections.abc import Callable
from typing import Final, Protocol

from sbc.model.http import Fields
from sbc.wire.http2.inbound import Stage
from sbc.wire.http3.engine import QuicEngine

LONGEST_MESSAGE: Final = 4 * 1024 * 1024
"""Whatever a policy allows; it is kept whole until it is complete."""
MOST_MESSAGES: Final = 1000
"""Of a session, that wait for one before them, or for the session."""
MOST_AHEAD: Final = 256 * 1024
"""How many bytes are taken of messages whose turn has not come."""


class Incoming:
    """Inbound for the connection: a stream that the client opened."""

    __slots__ = ("_hold", "complete", "credit", "parts", "sent", "size", "stage", "stream")

    def __init__(self, hold: "Hold", stream: int) -> None:
        self.stage = Stage.OVER
        """For the connection's accounts: no answer is owed on it."""
        self.sent = 0
        self.stream = stream
        self.parts: list[bytes] = []
        self.size = 0
        self.credit = 0
        """Bytes that were not consumed yet."""
        self.complete = False
        self._hold = hold

    def data(self, data: bytes, end: bool) -> None:
        """A piece of the message."""
        self.parts.append(data)
        self.size += len(data)
        self.credit += len(data)
        self.complete = end
        self._hold.flow()

    def trailers(self, _fields: Fields) -> None:
        """There are none without frames."""

    def slow(self) -> None:
        """Nothing is sent on it."""

    def ready(self) -> None:
        """Nothing is sent on it."""

    def closed(self) -> None:
        """The stream is over, or its whole connection: half a message is none."""
        if not self.complete:
            self._hold.drop(self)


class Listener(Protocol):
    """Who is given the messages."""

    def message(self, payload: bytes) -> None:
        """The next one."""

    def overlong(self) -> None:
        """One is too long."""

    def flooded(self) -> None:
        """There are too many."""


class Hold:
    """The client's messages that are under way."""

    __slots__ = ("_ahead", "_engine", "_listener", "_messages", "paused")

    def __init__(self, engine: QuicEngine, listener: Listener) -> None:
        self._engine = engine
        self._listener = listener
        self._messages: dict[int, Incoming] = {}
        self._ahead = 0
        """Bytes that were consumed of messages that are not given on yet."""
        self.paused = False

    def open(self, stream: int) -> Incoming:
        """A stream of the session's."""
        message = Incoming(self, stream)
        self._messages[stream] = message
        if len(self._messages) > MOST_MESSAGES:
            self._listener.flooded()
        return message

    def flow(self) -> None:
        """Give on what is whole and has its turn; take as much of the rest as may wait."""
        while not self.paused and (message := self._next()) is not None:
            del self._messages[message.stream]
            self._take(message)
            self._ahead -= message.size
            if not message.stream & 0x2:
                self._engine.finish(message.stream, [])
            self._listener.message(b"".join(message.parts))
        for message in list(self._messages.values()):
            if not self.paused:
                self._admit(message)

    def _next(self) -> Incoming | None:
        for kind in (0x0, 0x2):  # of streams that go both ways, and of those that go one way
            first = min([stream for stream in self._messages if stream & 0x2 == kind], default=None)
            if first is not None and self._messages[first].complete and self._engine.first_unknown(first) > first:
                return self._messages[first]
        return None

    def _admit(self, message: Incoming) -> None:
        if message.size > LONGEST_MESSAGE:
            self._listener.overlong()
        elif message.credit and (self._ahead < MOST_AHEAD or self._is_first(message.stream)):
            self._take(message)

    def _is_first(self, stream: int) -> bool:
        return stream == min([each for each in self._messages if each & 0x2 == stream & 0x2])

    def _take(self, message: Incoming) -> None:
        credit, message.credit = message.credit, 0
        self._ahead += credit
        self._engine.consume(message.stream, credit)

    def drop(self, message: Incoming) -> None:
        """It will not be whole."""
        if self._messages.pop(message.stream, None) is not None:
            self._take(message)
            self._ahead -= message.size
            self.flow()

    def clear(self) -> None:
        """The session is over."""
        self.paused = True
        for message in list(self._messages.values()):
            self._take(message)
        self._messages.clear()


class Outgoing:
    """Inbound for the connection: a stream that the edge opened for one message."""

    __slots__ = ("_gone", "sent", "stage", "stuck")

    def __init__(self, octets: int, gone: Callable[[int], None], stuck: Callable[[], None]) -> None:
        """gone: called once the message is on its way, or not wanted, with its length."""
        self.stage = Stage.OVER
        self.sent = octets
        self._gone = gone
        self.stuck = stuck
        """To be called if the client does not take it: there must be no message missing between others."""

    def data(self, _data: bytes, _end: bool) -> None:
        """The client was asked to say nothing on it."""

    def trailers(self, _fields: Fields) -> None:
        """As above."""

    def slow(self) -> None:
        """Its bytes are counted by the session."""

    def ready(self) -> None:
        """As above."""

    def closed(self) -> None:
        """The stream is over, or its whole connection."""
        self._gone(self.sent)
