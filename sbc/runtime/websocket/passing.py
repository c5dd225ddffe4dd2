"""A client's WebSocket whose session another worker has: its hello is said there, and once there is an answer the two
connections are joined as they are. Nothing is read or kept here of what passes.
"""

from typing import Final

import orjson

from sbc.model.errors import Outcome, Refusal
from sbc.model.http import Fields, first
from sbc.model.manifest import Manifest
from sbc.model.node import Node
from sbc.model.route import Hello
from sbc.nodes.passage import Admitted, Lost, Passage, Turned
from sbc.runtime.http.passing import AGAIN, unreached
from sbc.runtime.interconnect import Interconnect, forwarded
from sbc.transports.websocket import Doorstep
from sbc.wire.hop import Hop
from sbc.wire.link import Link
from sbc.wire.pipe import Pipe

WAY: Final = "websocket"
_LEFT_OUT: Final = frozenset({b"sec-websocket-key", b"host"})
"""What HTTP/2 says otherwise (RFC 8441 section 5)."""
_OF_REFUSALS: Final = frozenset({b"content-type", b"content-length", b"session-outcome", b"retry-after"})
"""What stands in every refusal anyway."""


class Passing:
    """One WebSocket, until the pipe stands."""

    def __init__(self, interconnect: Interconnect, door: Doorstep, hello: Hello, manifest: Manifest, node: Node,
                 pipes: set[Pipe]) -> None:  # fmt: skip
        """hello: as it came. pipes: those that stand; a new one is put in."""
        self._interconnect = interconnect
        self._door = door
        self._hello = hello
        self._node = node
        self._pipes = pipes
        self._passage: Passage | None = None
        self._gone = False
        self._give_up = interconnect.loop.time() + manifest.migration.hold
        if manifest.mark is not None:
            door.mark(manifest.mark)
        door.gone = self._leave

    def begin(self) -> None:
        """Say the hello, now or as soon as somebody is reached."""
        if not self._gone:
            self._passage = Passage(_head(self._hello), self._told)
            self._interconnect.lead(self._node, self._passage)

    def _leave(self) -> None:
        self._gone = True
        if self._passage is not None:
            self._passage.drop()

    def _told(self, outcome: Admitted | Turned | Lost) -> None:
        match outcome:
            case Admitted(fields, transport):
                self._interconnect.told(self._node, WAY, "answered")
                self._join(fields, Pipe(transport, self._pipes.discard))
            case Turned(status, fields, body):
                self._interconnect.told(self._node, WAY, "answered")
                self._door.refuse(_refusal(status, fields, body))
            case Lost():
                self._again()

    def _again(self) -> None:
        # A hello may be said again: it leads to the session that it names, whether or not it was heard before.
        loop = self._interconnect.loop
        if loop.time() + AGAIN < self._give_up:
            self._interconnect.found(self._node, up=False)
            loop.call_later(AGAIN, self.begin)
        else:
            self._interconnect.told(self._node, WAY, "unreached")
            self._door.refuse(unreached())

    def _join(self, fields: Fields, there: Pipe) -> None:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields if name != b"alt-svc"]
        link, early = self._door.admit(headers, _Nobody())
        here = Pipe(link.transport, _nothing)
        self._pipes.add(there)
        Pipe.join(here, there)
        here.begin()
        there.begin()
        if early:
            there.write(early)


class _Nobody:
    """The owner of a link that is none for longer than a moment."""

    def attend(self, link: Link) -> None:
        """Nothing is read by it."""

    def link_lost(self, link: Link) -> None:
        """The pipe is told."""


def _nothing(_pipe: Pipe) -> None:
    pass


def _head(hello: Hello) -> Fields:
    """A hello as an extended CONNECT (RFC 8441 section 4)."""
    hop = Hop(hello.client, hello.secure, hello.listener, hello.certificate)
    kept = [field for field in forwarded(hello.fields, hop) if field[0] not in _LEFT_OUT]
    if first(kept, b"sec-websocket-version") is None:  # WebTransport has none
        kept.append((b"sec-websocket-version", b"13"))
    return [
        (b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"https" if hello.secure else b"http"),
        (b":authority", hello.host.encode("latin-1")), (b":path", hello.target.encode("latin-1")), *kept,
    ]  # fmt: skip


def _refusal(status: int, fields: Fields, body: bytes) -> Refusal:
    """The owner's own, to be said to the client in the form of the client's connection."""
    code, detail = "forwarded", "the edge that has the session has refused"
    try:
        said = orjson.loads(body)["error"]
        code, detail = str(said["code"]), str(said["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        pass  # another one's words; the status says enough
    after = first(fields, b"retry-after")
    said_outcome = first(fields, b"session-outcome")
    known = Outcome.NOT_SENT if said_outcome == Outcome.NOT_SENT.value.encode() else Outcome.UNKNOWN
    rest = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields if name not in _OF_REFUSALS]
    return Refusal(status, code, detail, retry_after=float(after) if after is not None and after.isdigit() else None,
                   outcome=known, headers=rest)  # fmt: skip
