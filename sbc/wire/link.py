"""One WebSocket connection after its handshake, on either leg: the thin shell around a relay.

`data_received` is the per-message path of the whole edge: what the relay lets pass is written to the other leg, and
only a relay that wants attention costs more. No buffer of ours stands between two sockets: a connection that does not
take what it is sent pauses the reading of the one that sends (docs/DESIGN.md P5).
"""

import asyncio
from collections.abc import Callable
from enum import IntEnum
from typing import Protocol

from sbc.core.frames import Opcode, build, close_payload
from sbc.core.relay import Relay
from sbc.wire.sips import SIP_BYTES, Sips

HIGH_WATER_BYTES = 64 * 1024
LOW_WATER_BYTES = 16 * 1024
"""How much may stand in a connection's write buffer before the other leg is paused, and when it is read again."""

QUANTUM_BYTES = 64 * 1024
"""After a read that brought more than this, or more than the relay takes at once, others have their turn."""
_QUANTUM = QUANTUM_BYTES
"""The same, as a number of C in a compiled build."""

CLOSING = 3.0
"""How long the other side has to answer a close frame, in seconds."""


class Pause(IntEnum):
    """Why a link is not read at the moment: bits of `Link.pauses`."""

    MATE_SLOW = 1
    CROWDED = 2
    FROZEN = 4
    TOO_FAST = 8
    OTHERS = 16
    """It is the turn of others: the rest is seen to when the loop comes round."""
    UNSTORED = 32
    """Too much of what it said waits for the store."""


class LinkOwner(Protocol):
    """Who is told what happens on a link: the session (runtime/session.py)."""

    def attend(self, link: "Link") -> None:
        """The link's relay has something to be seen to."""

    def link_lost(self, link: "Link") -> None:
        """The connection is gone."""


class Gauge(Protocol):
    """Measures what is read from a link (runtime/websocket/throttle.py)."""

    def measure(self, link: "Link", octets: int) -> None:
        """So many bytes were read, and went through the link's relay."""

    def stop(self) -> None:
        """The link carries the session no more."""


def _nowhere(_data: bytes) -> None:
    """Where a link's messages go while no other leg takes them; closed gates see to it that none come."""


class Link:
    """A WebSocket connection that carries a leg. `mask` makes masks for the frames of an edge that is the client."""

    __slots__ = ("_at", "_rest", "_sips", "congested", "forward", "gauge", "heard", "mask", "mate", "owner", "pauses",
                 "quiet", "relay", "tag", "transport")

    def __init__(
        self, transport: asyncio.Transport, owner: LinkOwner, tag: int, mask: Callable[[], bytes] | None
    ) -> None:
        """tag: the number of the node's seat, 0 for the client's link."""
        self.transport = transport
        self.owner: LinkOwner | None = owner
        self.tag = tag
        self.mask = mask
        self.relay: Relay | None = None
        self.mate: Link | None = None
        self.forward: Callable[[bytes], None] = _nowhere
        self.heard = True
        """Whether anything came since the sweep looked last (runtime/sweep.py)."""
        self.quiet = 0.0
        """For how many seconds nothing came, as far as the sweep has seen."""
        self.gauge: Gauge | None = None
        """Measures what is read here, if its rate is limited."""
        self.congested = False
        """Whether this connection does not take what it is sent at the moment."""
        self.pauses = 0
        self._rest = b""
        """What was read and waits for its turn: no more than one read, for nothing is read meanwhile."""
        self._at = 0
        """From where on it waits."""
        self._sips = False
        """Whether it is read in sips."""
        transport.set_write_buffer_limits(HIGH_WATER_BYTES, LOW_WATER_BYTES)

    def data_received(self, data: bytes) -> None:
        self.heard = True
        relay = self.relay
        if relay is None:
            return
        if self._rest:  # what came before has not had its turn yet
            self._rest, self._at = self._rest[self._at :] + data, 0
            return
        self._take(relay, data, 0)

    def _take(self, relay: Relay, data: bytes, at: int) -> None:
        """Let what was read, from `at` on, go where it has to; or a portion of it."""
        out = relay.admit(data, at)
        if out:
            self.forward(out)
        stopped = relay.stopped
        if stopped:
            self._rest, self._at = data, stopped  # as it is: to cut it anew each time takes longer than to relay it
        if stopped or len(data) - at > _QUANTUM:
            self._sip(len(data))
            self.give_way()
        if self.gauge is not None:
            self.gauge.measure(self, (stopped or len(data)) - at)
        if relay.attention and self.owner is not None:
            self.owner.attend(self)

    def _sip(self, octets: int) -> None:
        """So much was read at once: of a TCP connection no more than a sip is from here on."""
        if octets > SIP_BYTES and not self._sips:
            self._sips = True
            transport = self.transport
            if transport.get_extra_info("ssl_object") is None and transport.get_extra_info("socket") is not None:
                transport.set_protocol(Sips(self))

    def give_way(self) -> None:
        """Let other connections be read before this one is again."""
        if self.pauses & Pause.OTHERS or self.relay is None:
            return
        self.pause(Pause.OTHERS)
        asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        """The loop has come round."""
        if self.pauses == Pause.OTHERS and self._rest:
            self._take_rest()
        if not self._rest:
            self.resume(Pause.OTHERS)
        elif self.pauses == Pause.OTHERS:
            asyncio.get_running_loop().call_soon(self._go_on)
        else:  # the last of the other reasons to go brings it here again
            self.pauses &= ~Pause.OTHERS

    def _take_rest(self) -> None:
        rest, at, self._rest, self._at = self._rest, self._at, b"", 0
        self.heard = True
        if self.relay is not None:
            self._take(self.relay, rest, at)

    def eof_received(self) -> bool:
        return False  # half-closed is closed: there is no WebSocket without both directions

    def connection_lost(self, _error: Exception | None) -> None:
        while self._rest and self.relay is not None and self.pauses == Pause.OTHERS:
            self._take_rest()
        owner, self.owner = self.owner, None
        if self.mate is not None and self.congested:
            self.mate.resume(Pause.MATE_SLOW)
        self.leave()
        if owner is not None:
            owner.link_lost(self)

    # Pressure.

    def pause_writing(self) -> None:
        self.congested = True
        if self.mate is not None:
            self.mate.pause(Pause.MATE_SLOW)

    def resume_writing(self) -> None:
        self.congested = False
        if self.mate is not None:
            self.mate.resume(Pause.MATE_SLOW)

    def pause(self, reason: int) -> None:
        """Stop reading this connection."""
        if self.pauses == 0 and not self.transport.is_closing():
            self.transport.pause_reading()
        self.pauses |= reason

    def resume(self, reason: int) -> None:
        """Read again, if no other reason is left not to."""
        if self.pauses == 0:
            return
        self.pauses &= ~reason
        if self.pauses:
            return
        if self._rest:
            self.pauses = Pause.OTHERS
            asyncio.get_running_loop().call_soon(self._go_on)
        elif not self.transport.is_closing():
            self.transport.resume_reading()

    # Wiring: who gets what is read here.

    def join(self, relay: Relay, mate: "Link | None") -> None:
        """From here on what is read goes through `relay` to `mate`, if there is one."""
        self.relay = relay
        self.mate = mate
        self.forward = mate.transport.write if mate is not None else _nowhere
        if mate is not None and mate.congested:
            self.pause(Pause.MATE_SLOW)
        else:
            self.resume(Pause.MATE_SLOW)

    def leave(self) -> None:
        """What is read goes nowhere any more."""
        gauge, self.gauge = self.gauge, None
        if gauge is not None:
            gauge.stop()
        self.relay = None
        self.mate = None
        self.forward = _nowhere

    # What the edge itself says.

    def write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)

    def control(self, opcode: Opcode, payload: bytes) -> None:
        """Send a control frame of the edge's own."""
        self.write(build(opcode, payload, self.mask() if self.mask else None))

    def close(self, code: int, reason: str) -> None:
        """Say goodbye; the connection is closed when the other side has answered, or has had its time."""
        owner, self.owner = self.owner, None
        relay = self.relay
        self.leave()
        if owner is None or self.transport.is_closing():
            return
        self.control(Opcode.CLOSE, close_payload(code, reason))
        onward = relay.rest() if relay is not None and relay.fault is None else None
        parting = Parting(self.transport, onward)
        self.transport.set_protocol(parting)
        rest, self._rest = self._rest, b""
        if rest:
            parting.data_received(rest[self._at :])

    def finish(self, code: int, reason: str) -> None:
        """Answer the other side's close frame: the handshake is complete, the connection is closed at once."""
        self.owner = None
        self.leave()
        self.control(Opcode.CLOSE, close_payload(code, reason))
        self.transport.close()
        if self.transport.get_write_buffer_size():  # one that reads nothing must not keep it for ever
            asyncio.get_running_loop().call_later(CLOSING, self.transport.abort)

    def abort(self) -> None:
        """Drop the connection without a word."""
        self.owner = None
        self.leave()
        self.transport.abort()


class Parting(asyncio.Protocol):
    """A connection after our close frame: whatever still comes is read and dropped until the other side is done.

    Closing at once would answer unread bytes with a reset, which can overtake the close frame itself.
    """

    alive = 0
    """How many there are: an edge that stops waits for them a little."""

    def __init__(self, transport: asyncio.Transport, relay: Relay | None) -> None:
        """relay: reads on where the link stopped, to find the other side's close frame; None: only the end counts."""
        self._transport = transport
        self._relay = relay
        self._timer = asyncio.get_running_loop().call_later(CLOSING, transport.abort)
        Parting.alive += 1
        transport.resume_reading()
        if relay is None and transport.can_write_eof():
            transport.write_eof()

    def data_received(self, data: bytes) -> None:
        relay = self._relay
        if relay is not None:
            relay.admit(data)
            while relay.stopped:  # in a relay that passes nothing on, they cost little
                relay.admit(data, relay.stopped)
            if relay.fault is not None:
                self._transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        Parting.alive -= 1
        self._timer.cancel()
