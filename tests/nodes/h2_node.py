"""A node that speaks HTTP/2 by another library than the edge's own engine: what it does is up to the test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.settings

from sbc.model.node import Node
from tests.nodes.exchanges import node_at

Script = Callable[["H2Peer", h2.events.Event], None]


class H2Peer(asyncio.Protocol):
    """One connection, on the node's side. `script` is told every event; the test may use `h2` and `flush` too."""

    def __init__(self, script: Script, settings: dict[int, int], peers: "list[H2Peer]") -> None:
        """peers: where it counts as one, once it is connected."""
        self._peers = peers
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding=None, validate_outbound_headers=False,
                                      normalize_outbound_headers=False))
        self.h2.local_settings = h2.settings.Settings(client=False, initial_values={
            h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 100, **settings})  # type: ignore[arg-type, dict-item]
        self.script = script
        self.bodies: dict[int, bytearray] = {}
        self.heads: dict[int, list[tuple[bytes, bytes]]] = {}
        self.events: list[h2.events.Event] = []
        self.lost = False
        self.credit = True
        """Whether what is read is credited."""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self._peers.append(self)
        self.h2.initiate_connection()
        self.flush()

    def connection_lost(self, _error: Exception | None) -> None:
        self.lost = True

    def flush(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(self.h2.data_to_send())

    def data_received(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            self.events.append(event)
            if isinstance(event, h2.events.RequestReceived):
                self.heads[event.stream_id] = list(event.headers)  # type: ignore[arg-type]
                self.bodies[event.stream_id] = bytearray()
            elif isinstance(event, h2.events.DataReceived):
                self.bodies[event.stream_id] += event.data
                if self.credit:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self.script(self, event)
        self.flush()

    def answer(self, stream: int, status: int = 200, body: bytes | None = b"ok", *fields: tuple[bytes, bytes]) -> None:
        """A head, and a body that fits into the windows."""
        self.h2.send_headers(stream, [(b":status", b"%d" % status), *fields], end_stream=body is None)
        if body is not None:
            self.h2.send_data(stream, body, end_stream=True)

    def raw(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        """A frame as it is."""
        self.flush()
        self.transport.write(len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload)

    def saw(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


class H2Node:
    """The listener: all its connections."""

    def __init__(self) -> None:
        self.peers: list[H2Peer] = []
        self.node: Node


@contextlib.asynccontextmanager
async def h2_node(script: Script, tls: Any = None, scheme: str | None = None,
                  **settings: int) -> AsyncIterator[H2Node]:
    """A node for the time of a test. settings: by their names in `SettingCodes`."""
    it = H2Node()
    codes = {h2.settings.SettingCodes[name.upper()]: value for name, value in settings.items()}

    def connected() -> H2Peer:
        return H2Peer(script, codes, it.peers)  # type: ignore[arg-type]

    server = await asyncio.get_running_loop().create_server(connected, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    it.node = node_at(f"{scheme or 'h2'}://localhost:{port}" if tls else f"h2c://127.0.0.1:{port}")
    try:
        yield it
    finally:
        server.close()
        for peer in it.peers:
            peer.transport.abort()


def on_request(do: Callable[[H2Peer, int], None]) -> Script:
    """`do` once a request is complete."""

    def script(peer: H2Peer, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.StreamEnded):
            do(peer, event.stream_id)

    return script
