"""The other engine: h2 (hyper), in Python alone. Slower by far, and independent of the default one.

h2 keeps nothing that its windows do not let out: the queues are ours (h2_outboxes.py). It also takes a GOAWAY, sent or
received, for the end of everything (python-hyper/h2#1181): those frames are therefore written and read here, past h2.
"""

from contextlib import suppress
from typing import Final

from h2.config import H2Configuration
from h2.connection import ConnectionState, H2Connection
from h2.events import (
    DataReceived,
    Event,
    InformationalResponseReceived,
    PingAckReceived,
    RemoteSettingsChanged,
    RequestReceived,
    ResponseReceived,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from sbc.model.http import Fields
from sbc.wire.http2.engine import NO_LIMIT, EngineOwner, H2Error, Role, Terms
from sbc.wire.http2.goaway import ANY_STREAM, GoawaySieve, goaway_frame
from sbc.wire.http2.h2_outboxes import Outbox, Outboxes
from sbc.wire.http2.h2_parts import SmallEncoder, reset_streams, well_formed
from sbc.wire.http2.sending import Sending

_PREFACE_OCTETS: Final = 24
_DEFAULT_WINDOW: Final = 65535


class HyperEngine(Sending):
    """Implements Engine."""

    def __init__(self, role: Role, owner: EngineOwner, terms: Terms) -> None:
        server = role is Role.SERVER
        self.max_streams = 100
        self.extended_connect = False
        self.greeted = False
        self._server = server
        self._owner = owner
        self._out = bytearray()
        self._over = False
        self._last = 0
        """The newest stream that the other side began."""
        self._limit = ANY_STREAM
        """The newest stream that the other side may begin."""
        self._leaving = False
        """Whether a GOAWAY was sent or received: the last stream ends the connection."""
        self._refused = False
        """Whether the other side takes no new streams."""
        self._sieve = GoawaySieve(_PREFACE_OCTETS if server else 0)
        self._connection = H2Connection(H2Configuration(
            client_side=not server, header_encoding=None, validate_outbound_headers=False,
            normalize_outbound_headers=False, normalize_inbound_headers=False))
        self._connection.encoder = SmallEncoder()
        self._boxes = Outboxes(self._connection, owner)
        self._streams = self._boxes.streams
        self._begin(terms)

    def _begin(self, terms: Terms) -> None:
        settings = {
            SettingCodes.INITIAL_WINDOW_SIZE: terms.stream_window,
            SettingCodes.MAX_HEADER_LIST_SIZE: terms.header_octets,
        }  # fmt: skip
        if self._server:
            settings[SettingCodes.MAX_CONCURRENT_STREAMS] = terms.max_streams
            settings[SettingCodes.ENABLE_CONNECT_PROTOCOL] = int(terms.extended_connect)
        else:
            settings[SettingCodes.ENABLE_PUSH] = 0
        # As initial values: those of an update before the first SETTINGS are applied later than announced.
        self._connection.local_settings = Settings(client=not self._server, initial_values=settings)
        self._connection.decoder.max_header_list_size = 2 * terms.header_octets
        self._connection.initiate_connection()
        self._connection.increment_flow_control_window(terms.connection_window - _DEFAULT_WINDOW)

    # Bytes.

    def receive(self, data: bytes) -> None:
        if self._over:
            return
        rest, goaways = self._sieve.sift(data)
        try:
            events = self._connection.receive_data(rest)
            late = self._resets_nobody_knows(events)
            for event in events:
                if not self._over:
                    self._tell(event)
            for stream in late:
                self._owner.closed(stream, H2Error.STREAM_CLOSED, False)
        except ProtocolError as error:
            code = int(error.error_code)
            if self._connection.state_machine.state is not ConnectionState.CLOSED:  # a bad preface
                self._say_goaway(self._last, code)
            self._end(code, str(error))
            return
        if self._sieve.overlong and not self._over:  # h2 would wait for all of it
            self._say_goaway(self._last, H2Error.FRAME_SIZE_ERROR)
            self._end(H2Error.FRAME_SIZE_ERROR, "a frame that is too long")
            return
        for last, code in goaways:
            self._leaving = self._refused = True
            self._owner.goaway(last, code)
        self._tell_closed()

    def _resets_nobody_knows(self, events: list[Event]) -> list[int]:
        """The streams that h2 has just reset without a word: what comes on one that is over is answered each time."""
        said = self._connection.data_to_send()
        if not said:
            return []
        self._out += said
        known = {event.stream_id for event in events if isinstance(event, StreamReset)}
        return [stream for stream in reset_streams(said) if stream not in known]

    def outgoing(self, limit: int = NO_LIMIT) -> bytes:
        if not self._over:
            self._boxes.pump(self._out, limit)
            self._tell_closed()
        self._out += self._connection.data_to_send()
        out = bytes(self._out[:limit])
        del self._out[:limit]
        return out

    def _tell_closed(self) -> None:
        closed, self._boxes.closed = self._boxes.closed, []
        for stream, code in closed:
            self._owner.closed(stream, code, False)
        if self._leaving and not self._streams and not self._over:
            self._end(H2Error.NO_ERROR, "")

    def _end(self, code: int, reason: str) -> None:
        self._over = True
        self._owner.ended(code, reason)

    # Facts.

    def _tell(self, event: Event) -> None:
        match event:
            case DataReceived():
                self._tell_data(event)
            case RequestReceived() | ResponseReceived():
                self._tell_head(event.stream_id, list(event.headers), event.stream_ended is not None)
            case TrailersReceived():
                if self._sound(event.stream_id, list(event.headers)):
                    self._owner.trailers(event.stream_id, list(event.headers))
                    self._boxes.received(event.stream_id)
            case InformationalResponseReceived():
                self._owner.interim(event.stream_id, list(event.headers))
            case StreamReset():
                if self._streams.pop(event.stream_id, None) is not None:
                    self._owner.closed(event.stream_id, int(event.error_code), event.remote_reset)
            case RemoteSettingsChanged():
                self._tell_settings(event)
            case PingAckReceived():
                self._owner.pong()

    def _tell_data(self, event: DataReceived) -> None:
        padding = event.flow_controlled_length - len(event.data)
        if padding:
            self.consume(event.stream_id, padding)
        if event.stream_id in self._streams:
            self._owner.data(event.stream_id, event.data, event.stream_ended is not None)
        else:
            self.consume(event.stream_id, len(event.data))
        if event.stream_ended is not None:
            self._boxes.received(event.stream_id)

    def _tell_head(self, key: int, fields: Fields, end: bool) -> None:
        if self._server:
            if key > self._limit:
                self._connection.reset_stream(key, H2Error.REFUSED_STREAM)
                return
            self._last = key
            self._streams[key] = Outbox()
        if self._sound(key, fields):
            self._owner.head(key, fields, end)
            if end:
                self._boxes.received(key)

    def _sound(self, key: int, fields: Fields) -> bool:
        """Whether a head can be told; if not, its stream is reset."""
        if well_formed(fields):
            return True
        self.reset(key, H2Error.PROTOCOL_ERROR)
        return False

    def _tell_settings(self, event: RemoteSettingsChanged) -> None:
        self.greeted = True
        changed = event.changed_settings
        if SettingCodes.MAX_CONCURRENT_STREAMS in changed:
            self.max_streams = changed[SettingCodes.MAX_CONCURRENT_STREAMS].new_value
        if SettingCodes.ENABLE_CONNECT_PROTOCOL in changed:
            self.extended_connect = bool(changed[SettingCodes.ENABLE_CONNECT_PROTOCOL].new_value)
        self._owner.settings()

    # Orders.

    def open(self, fields: Fields, *, end: bool) -> int:
        if self._over or self._refused:
            return 0
        try:
            key = self._connection.get_next_available_stream_id()
            self._connection.send_headers(key, fields, end_stream=end)
        except ProtocolError:  # there are no more ids, or no more streams at a time
            return 0
        stream = self._streams[key] = Outbox()
        stream.sent = end
        return key

    def inform(self, stream: int, fields: Fields) -> None:
        if stream in self._streams and not self._over:
            self._connection.send_headers(stream, fields)

    def respond(self, stream: int, fields: Fields, *, end: bool) -> None:
        if stream in self._streams and not self._over:
            self._connection.send_headers(stream, fields, end_stream=end)
            if end:
                self._boxes.sent(stream)

    def send(self, stream: int, data: bytes) -> None:
        self._boxes.send(stream, data)

    def finish(self, stream: int, trailers: Fields) -> None:
        self._boxes.finish(stream, trailers)

    def reset(self, stream: int, code: int) -> None:
        if self._streams.pop(stream, None) is not None and not self._over:
            with suppress(ProtocolError):  # h2 may have seen the stream's end already, in the same read
                self._connection.reset_stream(stream, code)
            self._boxes.closed.append((stream, code))

    def consume(self, stream: int, octets: int) -> None:
        if octets and not self._over:
            self._connection.acknowledge_received_data(octets, stream)

    def queued(self, stream: int) -> int:
        return self._boxes.queued(stream)

    def ping(self) -> None:
        if not self._over:
            self._connection.ping(bytes(8))

    def notice(self) -> None:
        self._say_goaway(ANY_STREAM, H2Error.NO_ERROR)

    def goaway(self, code: int) -> None:
        self._limit = self._last
        self._leaving = True
        self._say_goaway(self._last, code)

    def _say_goaway(self, last: int, code: int) -> None:
        if not self._over:
            self._out += self._connection.data_to_send()
            self._out += goaway_frame(last, code)
