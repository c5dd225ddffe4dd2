"""The node leg as a WebSocket on a stream of a shared HTTP/2 connection (RFC 8441): what link.py is over HTTP/1.1."""

import asyncio
from typing import cast

from sbc.model.http import Fields, first
from sbc.nodes.address import address_of
from sbc.nodes.extended_connect import ExtendedConnect, Line
from sbc.nodes.link import Dial, Failed, Opened, Outcome, agreement, new_mask
from sbc.wire.link import Link, LinkOwner


class Tunnel(ExtendedConnect[Opened | Failed]):
    """Opened once the node agrees, with a Link that has the stream; Failed if it says anything else."""

    __slots__ = ("_dial", "_owner", "_tag")

    def __init__(self, dial: Dial, owner: LinkOwner, tag: int, outcome: Outcome) -> None:
        """owner, tag: whom the link belongs to, and as what. outcome: told once what came of it."""
        super().__init__(outcome)
        self._dial = dial
        self._owner = owner
        self._tag = tag

    def start(self, line: Line) -> None:
        """Ask on a line that is free, and whose node has said what it can do."""
        if line.engine.extended_connect:
            self._ask(line, _fields(self._dial, line.secure))
        else:
            self.fail("the node takes no WebSocket over HTTP/2", reached=True)

    def fail(self, reason: str, *, reached: bool, status: int = 0) -> None:
        """There will be no leg. status: of the node's answer, if that is why."""
        self._reset()
        self._tell(Failed(status, reason, reached))

    def head(self, fields: Fields, end: bool) -> None:
        line = self._line
        if line is None or self._outcome is None:
            return
        status = int(first(fields, b":status") or 0)
        if status != 200 or end:
            self.fail("the node refused the session", reached=True, status=status)
            return
        agreed = agreement(self._dial, fields)
        if isinstance(agreed, str):
            self.fail(agreed, reached=True)
            return
        stream = self._open(line)
        link = Link(cast(asyncio.Transport, stream), self._owner, self._tag, new_mask)  # one by its methods
        stream.set_protocol(cast(asyncio.BaseProtocol, link))
        self._tell(Opened(link, b"", *agreed))


def _fields(dial: Dial, secure: bool) -> Fields:
    """RFC 8441 section 4: what the upgrade is over HTTP/1.1, without what HTTP/2 does itself."""
    given = [line.partition(b":") for line in dial.lines.split(b"\r\n") if line]
    sent = [(name.strip().lower(), value.strip()) for name, _, value in given]
    authority = first(sent, b"host") or b""
    sent = [(name, value) for name, value in sent if name != b"host"]
    sent += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in dial.headers]
    sent.append((b"sec-websocket-version", b"13"))
    if dial.protocols:
        sent.append((b"sec-websocket-protocol", ", ".join(dial.protocols).encode("latin-1")))
    if dial.deflate:
        sent.append((b"sec-websocket-extensions", dial.deflate.encode("latin-1")))
    return [
        (b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"https" if secure else b"http"),
        (b":authority", authority), (b":path", (address_of(dial.url).prefix + dial.target).encode("latin-1")), *sent,
    ]  # fmt: skip
