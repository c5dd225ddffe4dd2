"""WebTransport: a CONNECT whose answer is held back until a node has the session, as a WebSocket's is."""

import asyncio
from typing import cast

from sbc.model.errors import Refusal
from sbc.transports.quic.webtransport import SessionCarrier, SessionTransport
from sbc.transports.stream_doorstep import StreamDoorstep


class SessionDoorstep(StreamDoorstep):
    """A client's session until it is open, or refused."""

    __slots__ = ()

    # Asked for by the clients of draft-ietf-webtrans-http3-02, and of no meaning to others.
    MORE_FIELDS = ((b"sec-webtransport-http3-draft", b"draft02"),)

    def enter(self, octets: int) -> None:
        """Be greeted, or refused. octets: the size of the request's head."""
        try:
            self._reception.greet(self, self.hello, octets)
        except Refusal as refused:
            self.refuse(refused)

    def _take_over(self) -> tuple[asyncio.Transport, bytes]:
        query = self.hello.target.partition("?")[2]
        transport = SessionTransport(cast(SessionCarrier, self._carrier), self._stream, query)
        self._carrier.hand_over(self._stream, transport)
        asyncio.get_running_loop().call_soon(transport.data, b"".join(self._early), self._ended)
        return cast(asyncio.Transport, transport), b""  # by its methods
