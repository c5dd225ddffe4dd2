"""One HTTP/1.x connection of a client, from its first byte to its end, and what the stream of the moment needs of it.

How its requests are read, one after the other, stands in http1_intake.py.
"""

import asyncio
from typing import cast

from sbc.model.errors import Refusal
from sbc.model.interfaces import Reception
from sbc.model.marking import Mark
from sbc.model.route import Hello
from sbc.transports.http1_intake import BODY, DROP, HEAD, LEAVING, Http1Intake
from sbc.transports.http1_stream import ANSWERING
from sbc.transports.patience import Patience, Phase
from sbc.transports.valves import Inlet, Outlet
from sbc.wire.link import CLOSING, HIGH_WATER_BYTES, LOW_WATER_BYTES
from sbc.wire.marking import marked
from sbc.wire.request_head import RequestReader
from sbc.wire.upgrade import refusal

DROPPED_BYTES = 256 * 1024
"""How long a rest of a body may be that is read only to keep the connection, once the answer is complete."""


class Http1Connection(Http1Intake):
    """A connection, from its first byte on. asyncio.Protocol by its methods; Carrier for its stream."""

    __slots__ = ("_mark", "_out")

    def __init__(
        self, reception: Reception, listener: str, secure: bool, client: str, transports: frozenset[str]
    ) -> None:
        """See Http1Intake."""
        super().__init__(reception, listener, secure, client, transports)
        self._mark: Mark | None = None

    # The connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = tcp = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only
        tcp.set_write_buffer_limits(HIGH_WATER_BYTES, LOW_WATER_BYTES)
        octets, fields, head_timeout = self._reception.limits()
        self._reader = RequestReader(octets, fields)
        self._patience = Patience(self._loop, head_timeout, self._late, tcp.get_write_buffer_size)
        self._inlet = Inlet(tcp)
        self._out = Outlet(tcp, self._loop, self._patience)
        self._patience.head()

    def eof_received(self) -> bool:
        # Who has closed may still read, but nearly always does not; an agent's work is too dear to find out late.
        if self._stage is not LEAVING:
            self._stage = LEAVING
            self._give_up()
            self._patience.until(CLOSING)
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        self._stage = LEAVING
        self._patience.end()
        self._give_up()
        self._reception.departed()

    def _give_up(self) -> None:
        if self._stream is not None:
            self._stream.gone()
            self._stream = None

    def pause_writing(self) -> None:
        self.congested = True
        self._patience.congested()
        if self._stream is not None:
            self._stream.slow()

    def resume_writing(self) -> None:
        self.congested = False
        self._patience.flowing()
        if self._stage is LEAVING:
            self._out.part(self._reception.departed)
            return
        if self._stream is not None:
            self._stream.ready()
        self._read_kept()

    def retire(self, *, lingering: bool = False) -> None:
        """Take no more requests: an idle connection is closed, another one behind its answer. lingering: an idle one
        may bring one more, for it may be on its way; and so its client is told before the connection is closed."""
        self._retired, self._lingers = True, lingering
        if not lingering and self._stage is HEAD and not self._reader.begun and not self._kept:
            self._leave()

    # What the stream of the moment needs (Carrier).

    def mark(self, mark: Mark) -> None:
        if mark is not self._mark:
            self._mark = marked(self._transport, mark, self._mark)

    def put(self, data: bytes) -> None:
        self._out.put(data)

    def connection_line(self, last: bool) -> bytes:
        if self._stage is BODY and (self._expects or not self._body.ends_within(DROPPED_BYTES)):
            last = True  # there may be no end to what would have to be read before the next request
        self._persists = self._persists and not last and not self._retired
        lines = b""
        if self.services:
            lines, self.services = b"alt-svc: " + self.services + b"\r\n", b""
        if not self._persists:
            return lines + b"connection: close\r\n"
        return lines + b"connection: keep-alive\r\n" if self._reader.request.version == "1.0" else lines

    def answered(self, last: bytes) -> None:
        self._out.end(last)
        self._stream = None
        if not self._persists:
            self._leave()
            return
        if self._stage is BODY:
            self._stage = DROP
        else:
            self._await_request()
        self._go_on()

    def cut(self, *, reset: bool) -> None:
        self._stream = None
        if self._stage is not LEAVING:
            self._stage = LEAVING
            self._out.cut(reset=reset)

    # The end.

    def _late(self, phase: Phase | None) -> None:
        """Patience is at an end."""
        if self._stage is LEAVING or phase is None:
            if phase is None:
                self._reception.abused("h1_stalled", self._client, self._listener)
            self._transport.abort()
        elif self._stage is DROP or phase is Phase.IDLE:
            self._leave()
        elif phase is Phase.HEAD or phase is Phase.BODY:
            self._refuse(Refusal(408, f"{phase.value}_timeout", f"the request's {phase.value} did not come in time"))

    def _refuse(self, refused: Refusal) -> None:
        """Answer with the edge's own words if the answer has not begun, and close."""
        self._reception.refused(refused, Hello(self._client, "", "", [], self._secure, self._listener))
        stream = self._stream
        if stream is not None and stream.stage is ANSWERING:
            stream.abort()
            stream.asker.client_gone()
            return
        self._give_up()
        self.put(refusal(refused))
        self._leave()

    def _leave(self) -> None:
        """Close once everything is written, without a reset that could overtake it."""
        self._stage = LEAVING
        self._kept = b""
        self._patience.off()
        if self._out.drain():
            self._out.part(self._reception.departed)
