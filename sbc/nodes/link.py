"""The node leg as a WebSocket client: dial, shake hands, and hand over a Link, or say why there is none."""

import asyncio
import base64
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from sbc.model.http import Fields, first
from sbc.model.marking import Mark
from sbc.nodes import dial as dialling
from sbc.nodes.address import Speech, address_of
from sbc.nodes.answer import BEGINNING, LONGEST_HEAD, MOST_INTERIM
from sbc.wire.heads import bare_feed, fields_of, head_end, status_line
from sbc.wire.link import Link, LinkOwner
from sbc.wire.upgrade import Headers, accept_key, deflate_agreed, head, upgraded


@dataclass(frozen=True, slots=True)
class Dial:
    """What is needed to open a leg."""

    url: str
    target: str
    headers: Headers
    lines: bytes
    """The client's headers, in form."""
    protocols: tuple[str, ...]
    deflate: str | None
    """The compression to offer (wire/upgrade.py)."""
    mark: Mark | None = None
    """What the packets of the leg bear."""


@dataclass(slots=True)
class Opened:
    """A leg that is open: its link is not read until it is wired. `rest` came along with the 101."""

    link: Link
    rest: bytes
    protocol: str | None
    deflate: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """No leg: the HTTP status the node answered with, or 0, and why."""

    status: int
    reason: str
    reached: bool
    """Whether anybody answered at all."""


Outcome = Callable[[Opened | Failed], None]


class Approach(asyncio.Protocol):
    """One connection to a node until its handshake is done. The outcome is told exactly once, unless dropped."""

    def __init__(
        self, dial: Dial, owner: LinkOwner, tag: int, outcome: Outcome, trust: dialling.Trust | None
    ) -> None:
        self._dial = dial
        self._trust = trust
        self._owner = owner
        self._tag = tag
        self._outcome: Outcome | None = outcome
        self._transport: asyncio.Transport | None = None
        self._begun = b""
        """Of the answer's head, as long as that is not whole."""
        self._interim = 0
        self._key = base64.b64encode(os.urandom(16)).decode()

    async def run(self) -> None:
        """Dial. The rest is told by `outcome`."""
        if self._outcome is None:
            return
        await dialling.dial(address_of(self._dial.url), Speech.HTTP1, self._trust, self, self._not_connected,
                             self._dial.mark)

    def _not_connected(self, reason: str) -> None:
        self._fail(0, reason, reached=False)

    def drop(self) -> None:
        """Nobody waits for this leg any more."""
        self._settled()
        if self._transport is not None:
            self._transport.abort()

    def _settled(self) -> Outcome | None:
        """Who is to be told the outcome, once."""
        outcome, self._outcome = self._outcome, None
        return outcome

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only
        if self._outcome is None:
            self._transport.abort()
            return
        dial = self._dial
        headers = [
            *dial.headers, ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", self._key),
        ]  # fmt: skip
        if dial.protocols:
            headers.append(("Sec-WebSocket-Protocol", ", ".join(dial.protocols)))
        if dial.deflate:
            headers.append(("Sec-WebSocket-Extensions", dial.deflate))
        self._transport.write(head(f"GET {address_of(dial.url).prefix}{dial.target} HTTP/1.1", headers, dial.lines))

    def data_received(self, data: bytes) -> None:
        if self._outcome is None:
            return
        seen = max(0, len(self._begun) - 3)
        begun, self._begun = self._begun + data, b""
        end = head_end(begun, seen)
        if end < 0 or end > LONGEST_HEAD:
            self._begin(begun)
            return
        head = begun[:end]
        line = status_line(head)
        fields = fields_of(head, line[2]) if line is not None else None
        if line is None or fields is None:
            self._fail(0, "garbage instead of an HTTP answer", reached=True)
        elif line[0] == 101:
            self._shake_hands(fields, begun[end:])
        elif line[0] >= 200:
            self._fail(line[0], "the node refused the session", reached=True)
        elif self._interim == MOST_INTERIM:
            self._fail(0, "too many interim answers", reached=True)
        else:
            self._interim += 1
            self.data_received(begun[end:])

    def _begin(self, piece: bytes) -> None:
        """Keep the beginning of a head; what will never be one is refused at once."""
        if not piece.startswith(BEGINNING[: len(piece)]) or bare_feed(b"", piece):
            self._fail(0, "garbage instead of an HTTP answer", reached=True)
        elif len(piece) > LONGEST_HEAD:
            self._fail(0, "endless answer head", reached=True)
        else:
            self._begun = piece

    def connection_lost(self, _error: Exception | None) -> None:
        self._fail(0, "the node closed the connection", reached=True)

    def _shake_hands(self, fields: Fields, rest: bytes) -> None:
        if self._transport is None:
            return
        # RFC 6455 section 4.1, the six checks of a client.
        if not upgraded(fields) or first(fields, b"sec-websocket-accept") != accept_key(self._key).encode():
            self._fail(0, "not a proper WebSocket answer", reached=True)
            return
        agreed = agreement(self._dial, fields)
        if isinstance(agreed, str):
            self._fail(0, agreed, reached=True)
            return
        outcome = self._settled()
        assert outcome is not None
        link = Link(self._transport, self._owner, self._tag, new_mask)
        self._transport.set_protocol(link)  # type: ignore[arg-type]  # a protocol by its methods
        outcome(Opened(link, rest, *agreed))

    def _fail(self, status: int, reason: str, *, reached: bool) -> None:
        outcome = self._settled()
        if self._transport is not None:
            self._transport.abort()
        if outcome is not None:
            outcome(Failed(status, reason, reached))


def agreement(dial: Dial, fields: Fields) -> tuple[str | None, bool] | str:
    """The subprotocol that a node chose, and whether it compresses; or what is wrong with its answer."""
    protocol = _said(fields, b"sec-websocket-protocol")
    deflate = deflate_agreed(_said(fields, b"sec-websocket-extensions"), dial.deflate)
    if protocol is not None and protocol not in dial.protocols:
        return "a subprotocol that was not offered"
    if deflate is None:
        return "an extension that was not offered, or one that a handover would break"
    return protocol, deflate


def _said(fields: Fields, name: bytes) -> str | None:
    value = first(fields, name)
    return None if value is None else value.decode("latin-1")


def new_mask() -> bytes:
    """The mask of a frame to a node."""
    # RFC 6455 section 10.3: masks must not be predictable.
    return os.urandom(4)
