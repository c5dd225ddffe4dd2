"""The default engine: nghttp2, by way of ngh2. What it does by itself is left to it; here it only gets the edge's face.

Its events are C objects that hold no more than the callbacks of nghttp2 gave, so nothing is built for a DATA frame but
its `bytes`. A DATA frame takes what was queued on a stream by then, so what is sent in one turn goes out in one frame.
"""

from contextlib import suppress
from functools import lru_cache
from typing import Final

from ngh2 import (
    Configuration,
    Connection,
    ConnectionClosed,
    DataReceived,
    DenialOfServiceError,
    Event,
    GoAwayReceived,
    InformationalResponseReceived,
    NGH2Error,
    PingAcknowledged,
    RequestReceived,
    ResponseReceived,
    Setting,
    SettingsReceived,
    StreamClosed,
    StreamReset,
    TrailersReceived,
)
from ngh2 import Role as Side

from sbc.model.http import Fields
from sbc.wire.http2.engine import (
    HIGH_WATER_BYTES,
    LOW_WATER_BYTES,
    NO_LIMIT,
    EngineOwner,
    H2Error,
    Role,
    Terms,
)
from sbc.wire.http2.goaway import goaway_frame
from sbc.wire.http2.sending import Sending

_MOST_FIELDS: Final = 1000
"""Beyond which a header list breaks the connection; how many are taken is for the owner to say."""


@lru_cache(maxsize=16)
def _configuration(most_octets: int) -> Configuration:
    """The limits of nghttp2's own; those that matter more are in budget.py."""
    return Configuration(
        auto_window_update=False, max_outbound_ack=100, max_inbound_header_list_size=most_octets,
        max_inbound_header_count=_MOST_FIELDS,
        # It counts a CONTINUATION for each read that brings a part of its head; budget.py counts frames.
        max_continuations=100,
    )  # fmt: skip


_LATE: Final = suppress(NGH2Error)
"""For orders on a stream or a connection that is over."""


class NativeEngine(Sending):
    """Implements Engine."""

    __slots__ = ("_connection", "_last", "_last_words", "_over", "_owner", "_sending", "_slow", "extended_connect",
                 "greeted", "max_streams")

    def __init__(self, role: Role, owner: EngineOwner, terms: Terms) -> None:
        self._owner = owner
        self._over = False
        self._last = 0
        """The newest stream that the other side began."""
        self._last_words = b""
        """What is still to be written after nghttp2 has given the connection up."""
        self._sending: set[int] = set()
        """Streams that are open for sending."""
        self._slow: set[int] = set()
        self.max_streams = 100
        self.extended_connect = False
        self.greeted = False
        server = role is Role.SERVER
        self._connection = Connection(Side.SERVER if server else Side.CLIENT, _configuration(2 * terms.header_octets))
        settings = {
            Setting.INITIAL_WINDOW_SIZE: terms.stream_window, Setting.MAX_HEADER_LIST_SIZE: terms.header_octets,
        }  # fmt: skip
        if server:
            settings[Setting.MAX_CONCURRENT_STREAMS] = terms.max_streams
            settings[Setting.ENABLE_CONNECT_PROTOCOL] = int(terms.extended_connect)
        else:
            settings[Setting.ENABLE_PUSH] = 0
        self._connection.initiate_connection(settings)
        self._connection.set_local_window_size(terms.connection_window)

    # Bytes.

    def receive(self, data: bytes) -> None:
        if self._over:
            return
        fault: Exception | None = None
        try:
            self._connection.receive_data(data)
        except NGH2Error as error:
            fault = error
        self._tell(self._connection.events())
        if fault is not None and not self._over:
            calm = isinstance(fault, DenialOfServiceError)
            code = H2Error.ENHANCE_YOUR_CALM if calm else H2Error.PROTOCOL_ERROR
            self._last_words = goaway_frame(self._last, code)
            self._end(code, str(fault))

    def outgoing(self, limit: int = NO_LIMIT) -> bytes:
        if self._over:
            return self._rest()
        out = self._connection.data_to_send(None if limit == NO_LIMIT else limit)
        events = self._connection.events()
        if events:
            self._tell(events)
        if self._slow or self._connection.queued_body_size() > HIGH_WATER_BYTES:
            self._weigh()
        return out

    def _rest(self) -> bytes:
        """What is left to be said on a connection that is at its end."""
        out, self._last_words = self._last_words, b""
        return out

    def _weigh(self) -> None:
        """Tell of streams whose queue has grown too long, or is short again."""
        queued = self._connection.queued_body_size
        for stream in [stream for stream in self._sending - self._slow if queued(stream) > HIGH_WATER_BYTES]:
            self._slow.add(stream)
            self._owner.slow(stream)
        for stream in [stream for stream in self._slow if queued(stream) <= LOW_WATER_BYTES]:
            self._slow.discard(stream)
            self._owner.ready(stream)

    # Facts.

    def _tell(self, events: list[Event]) -> None:
        owner = self._owner
        reset = 0
        for event in events:
            if isinstance(event, DataReceived):
                owner.data(event.stream_id, event.data, event.end_stream)
            elif isinstance(event, StreamClosed):
                self._sending.discard(event.stream_id)
                self._slow.discard(event.stream_id)
                if event.stream_id != reset:
                    owner.closed(event.stream_id, event.error_code, False)
            elif isinstance(event, RequestReceived):
                self._last = event.stream_id
                owner.head(event.stream_id, list(event.headers), event.end_stream)
            elif isinstance(event, ResponseReceived):
                owner.head(event.stream_id, list(event.headers), event.end_stream)
            elif isinstance(event, TrailersReceived):
                owner.trailers(event.stream_id, list(event.headers))
            elif isinstance(event, StreamReset):
                reset = event.stream_id  # its StreamClosed is the next event
                owner.closed(reset, event.error_code, True)
            else:
                self._tell_more(event)
            if self._over:
                return

    def _tell_more(self, event: Event) -> None:
        match event:
            case InformationalResponseReceived():
                self._owner.interim(event.stream_id, list(event.headers))
            case SettingsReceived():
                self.greeted = True
                self.max_streams = event.settings.get(Setting.MAX_CONCURRENT_STREAMS, self.max_streams)
                self.extended_connect = bool(
                    event.settings.get(Setting.ENABLE_CONNECT_PROTOCOL, self.extended_connect))
                self._owner.settings()
            case GoAwayReceived():
                self._owner.goaway(event.last_stream_id, event.error_code)
            case PingAcknowledged():
                self._owner.pong()
            case ConnectionClosed():
                self._end(event.error_code, event.debug_data.decode("ascii", "replace"))

    def _end(self, code: int, reason: str) -> None:
        self._over = True
        self._owner.ended(code, reason)

    # Orders.

    def open(self, fields: Fields, *, end: bool) -> int:
        try:
            stream = 0 if self._over else self._connection.send_request(fields, end_stream=end)
        except NGH2Error:
            return 0
        if stream and not end:
            self._sending.add(stream)
        return stream

    def inform(self, stream: int, fields: Fields) -> None:
        with _LATE:
            self._connection.send_informational_response(stream, fields)

    def respond(self, stream: int, fields: Fields, *, end: bool) -> None:
        try:
            self._connection.send_response(stream, fields, end_stream=end)
        except NGH2Error:
            return
        if not end:
            self._sending.add(stream)

    def send(self, stream: int, data: bytes) -> None:
        try:
            self._connection.send_data(stream, data)
        except NGH2Error:
            return

    def finish(self, stream: int, trailers: Fields) -> None:
        with _LATE:
            if trailers:
                self._connection.send_trailers(stream, trailers)
            else:
                self._connection.end_stream(stream)

    def reset(self, stream: int, code: int) -> None:
        with _LATE:
            self._connection.reset_stream(stream, code)

    def consume(self, stream: int, octets: int) -> None:
        with _LATE:
            self._connection.acknowledge_received_data(octets, stream)

    def queued(self, stream: int) -> int:
        return self._connection.queued_body_size(stream)

    def ping(self) -> None:
        with _LATE:
            self._connection.ping()

    def notice(self) -> None:
        with _LATE:
            self._connection.send_shutdown_notice()

    def goaway(self, code: int) -> None:
        with _LATE:
            self._connection.send_goaway(code)
