"""The node leg as a WebSocket client: dial, shake hands, and hand over a Link, or say why there is none."""

import asyncio
import base64
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import httptools

from sbc.model.marking import Mark
from sbc.nodes import dial as dialling
from sbc.nodes.address import Speech, address_of
from sbc.wire.link import Link, LinkOwner
from sbc.wire.upgrade import Headers, accept_key, deflate_agreed, head

LONGEST_HEAD = 32 * 1024


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
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[str, str]] = []
        self._octets = 0
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
        """Who is to be told the outcome, once. The parser refers to us, and is done with."""
        outcome, self._outcome = self._outcome, None
        if outcome is not None:
            del self._parser
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
        self._octets += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._shake_hands(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._fail(0, "garbage instead of an HTTP answer", reached=True)
        else:
            if self._octets > LONGEST_HEAD:
                self._fail(0, "endless answer head", reached=True)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1").strip()))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:
            self._fail(status, "the node refused the session", reached=True)

    def connection_lost(self, _error: Exception | None) -> None:
        self._fail(0, "the node closed the connection", reached=True)

    def _shake_hands(self, rest: bytes) -> None:
        if self._outcome is None or self._transport is None:
            return
        answer = dict(self._headers)
        # RFC 6455 section 4.1, the six checks of a client.
        if self._parser.get_status_code() != 101 or answer.get("sec-websocket-accept") != accept_key(self._key):
            self._fail(0, "not a proper WebSocket answer", reached=True)
            return
        agreed = agreement(self._dial, answer)
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


def agreement(dial: Dial, answer: Mapping[str, str]) -> tuple[str | None, bool] | str:
    """The subprotocol that a node chose, and whether it compresses; or what is wrong with its answer."""
    protocol = answer.get("sec-websocket-protocol")
    deflate = deflate_agreed(answer.get("sec-websocket-extensions"), dial.deflate)
    if protocol is not None and protocol not in dial.protocols:
        return "a subprotocol that was not offered"
    if deflate is None:
        return "an extension that was not offered, or one that a handover would break"
    return protocol, deflate


def new_mask() -> bytes:
    """The mask of a frame to a node."""
    # RFC 6455 section 10.3: masks must not be predictable.
    return os.urandom(4)
