"""WebTransport beside requests and WebSockets: the streams and messages of a session go to who has its CONNECT."""

from sbc.model.http import Request
from sbc.transports.quic.session_messages import Outgoing
from sbc.transports.quic.webtransport import SessionTransport
from sbc.transports.quic.webtransport_doorstep import SessionDoorstep
from sbc.transports.stream_door import StreamDoor
from sbc.wire.http2.engine import H2Error
from sbc.wire.http3.engine import QuicEngine


class SessionDoor(StreamDoor):
    """The streams of one HTTP/3 connection."""

    __slots__ = ()

    engine: QuicEngine

    def _greet(self, stream: int, request: Request, octets: int) -> None:
        """An extended CONNECT (RFC 9220, draft-ietf-webtrans-http3-02 section 3.3)."""
        if not self._websocket or request.protocol != b"webtransport":
            StreamDoor._greet(self, stream, request, octets)
            return
        door = SessionDoorstep(self, stream, self._reception, request)
        self._streams[stream] = door
        door.enter(octets)

    def opened(self, session: int, stream: int) -> None:
        here = self._streams.get(session)
        if isinstance(here, SessionTransport):
            self._streams[stream] = here.opened(stream)
        else:
            self.engine.reset(stream, H2Error.REFUSED_STREAM)

    def datagram(self, session: int, data: bytes) -> None:
        here = self._streams.get(session)
        if isinstance(here, SessionTransport):
            here.datagram(data)

    def cut(self, stream: int) -> None:
        """A client does not take what it is sent on a stream."""
        here = self._streams.get(stream)
        if isinstance(here, Outgoing):
            here.stuck()
        else:
            self.engine.reset(stream, H2Error.CANCEL)
