"""A network between a client and the edge that a test can break: TCP and UDP on one port, on the loopback."""

import asyncio
import contextlib
import socket
from typing import Any

from tests.support.edge import free_port


class Network:
    """What goes to `port` goes on to the edge's port, until it is cut or goes dark."""

    def __init__(self, edge_port: int) -> None:
        self.port = free_port()
        self.dark = False
        """Nothing gets through, and nobody is told."""
        self.dark_udp = False
        """No datagram gets through."""
        self.connections = 0
        self._edge_port = edge_port
        self._tcp: asyncio.Server | None = None
        self._udp: asyncio.DatagramTransport | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self.paths: dict[Any, socket.socket] = {}

    async def open(self) -> None:
        """Listen."""
        self._tcp = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self._udp, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Near(self), local_addr=("127.0.0.1", self.port))

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._edge_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            pump = asyncio.create_task(self._pump(source, sink))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                if not self.dark:
                    sink.write(data)
                    await sink.drain()
        except ConnectionError:
            pass
        finally:
            self._writers.discard(sink)
            sink.close()

    def take(self, data: bytes, client: Any) -> None:
        """A datagram of a client's."""
        if self.dark or self.dark_udp:
            return
        if client not in self.paths:
            self.connections += 1
            path = self.paths[client] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            path.setblocking(False)
            path.connect(("127.0.0.1", self._edge_port))
            asyncio.get_running_loop().add_reader(path, self._answer, path, client)
        with contextlib.suppress(OSError):  # lost, as datagrams are
            self.paths[client].send(data)

    def _answer(self, path: socket.socket, client: Any) -> None:
        with contextlib.suppress(OSError):
            while True:
                data = path.recv(65536)
                if not (self.dark or self.dark_udp) and self._udp is not None:
                    self._udp.sendto(data, client)

    def cut(self) -> None:
        """Reset every TCP connection; every UDP path gets another address on the edge's side, as a NAT would do it."""
        for writer in list(self._writers):
            writer.transport.abort()
        self._writers.clear()
        for path in self.paths.values():
            asyncio.get_running_loop().remove_reader(path)
            path.close()
        self.paths.clear()

    async def close(self) -> None:
        """End it."""
        self.cut()
        if self._tcp is not None:
            self._tcp.close()
        if self._udp is not None:
            self._udp.close()
        for task in list(self._pumps):
            task.cancel()


class _Near(asyncio.DatagramProtocol):
    def __init__(self, network: Network) -> None:
        self._network = network

    def datagram_received(self, data: bytes, client: Any) -> None:
        self._network.take(data, client)
