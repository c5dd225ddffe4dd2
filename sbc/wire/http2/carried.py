"""What the transports have in common that a stream of a connection is for its protocol: a WebSocket's (HTTP/2, HTTP/3),
a WebTransport session's."""

import asyncio
from typing import Any, cast

from sbc.wire.http2.engine import H2Error
from sbc.wire.http2.inbound import Carrier, Stage

CLOSING = 3.0
"""How long the other side has to end its direction of a closed stream, in seconds."""

_NOBODY = asyncio.Protocol()


class CarriedTransport:
    """An asyncio.Transport by its methods, but for what each kind does in its own way."""

    __slots__ = ("_carrier", "_closing", "_protocol", "_said_all", "_stream", "_timer", "sent", "stage")

    def __init__(self, carrier: Carrier, stream: int) -> None:
        self.stage = Stage.ANSWERING
        self.sent = 0
        self._carrier = carrier
        self._stream = stream
        self._protocol: asyncio.Protocol = _NOBODY
        self._said_all = False
        self._closing = False
        self._timer: asyncio.TimerHandle | None = None
        """Runs while the other side has still to end its direction."""

    def _drop(self) -> None:
        """What came, and nobody has taken, is not wanted any more."""
        raise NotImplementedError

    def closed(self) -> None:
        """The stream is over, or its whole connection."""
        self.stage = Stage.OVER
        self._closing = self._said_all = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._drop()
        protocol, self._protocol = self._protocol, _NOBODY  # no cycles that a collection would have to find
        protocol.connection_lost(None)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = cast(asyncio.Protocol, protocol)

    def can_write_eof(self) -> bool:
        return True

    def _finish(self) -> None:
        """All is said."""
        if not self._said_all:
            self._said_all = True
            self._carrier.engine.finish(self._stream, [])
            self._carrier.touch()

    def close(self) -> None:
        if self._closing:
            return
        self._finish()
        self._closing = True
        self._drop()
        self._timer = asyncio.get_running_loop().call_later(CLOSING, self._give_up)

    def _give_up(self) -> None:
        self._timer = None
        self.abort()

    def abort(self) -> None:
        if self.stage is not Stage.OVER:
            self.stage = Stage.OVER
            self._closing = self._said_all = True
            self._drop()
            self._carrier.engine.reset(self._stream, H2Error.CANCEL)
            self._carrier.touch()

    def is_closing(self) -> bool:
        return self._closing

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """It has its own hold (HIGH_WATER_BYTES, LOW_WATER_BYTES)."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._carrier.extra(name, default)
