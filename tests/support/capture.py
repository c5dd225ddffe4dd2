"""Packets as they pass the loopback device: what their heads bear. Root is needed."""

import os
import socket
import struct
from collections.abc import Iterator

import pytest

ETH_P_IP = 0x0800
SO_RCVBUFFORCE = 33


class Capture:
    """Reads packets from here on."""

    def __init__(self) -> None:
        self._line = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
        self._line.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64_000_000)  # all others on loopback are heard too
        self._line.bind(("lo", ETH_P_IP))
        self._line.setblocking(False)
        self.seen: list[tuple[int, int, int, bytes]] = []

    def _read(self) -> None:
        while True:
            try:
                packet = self._line.recv(65536)
            except BlockingIOError:
                return
            if packet[9] != socket.IPPROTO_TCP:
                continue
            tcp = (packet[0] & 15) * 4
            source, to = struct.unpack_from("!HH", packet, tcp)
            body = packet[tcp + (packet[tcp + 12] >> 4) * 4 :]
            self.seen.append((source, to, packet[1] >> 2, body))

    def marks(self, said: bytes, *, source: int = 0, to: int = 0) -> set[int]:
        """The DSCPs of all packets with these words in them, from or to a port."""
        self._read()
        return {mark for of, at, mark, body in self.seen if said in body and source in (0, of) and to in (0, at)}

    def close(self) -> None:
        self._line.close()


@pytest.fixture
def capture() -> Iterator[Capture]:
    """The test is skipped where nobody may read packets."""
    if os.geteuid() != 0:
        pytest.skip("to read packets needs root")
    reading = Capture()
    yield reading
    reading.close()
