"""Datagrams of QUIC made by hand (RFC 9000 sections 12, 17 and 19): Initials of any form, and frames of any content."""

import os
import socket
import ssl
from contextlib import suppress
from functools import cache

from aioquic.buffer import encode_uint_var
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.crypto import CryptoPair
from aioquic.tls import Epoch

VERSION = 1
LEAST = 1200
"""How long a datagram with an Initial has to be (RFC 9000 section 14.1)."""
SOURCE = b"attacker"
"""The connection id that the forged hellos name as their sender's."""


@cache
def hello(name: str = "localhost") -> bytes:
    """A ClientHello that a server takes, for HTTP/3 and the connection id SOURCE. Nobody has the keys to go on."""
    quic = QuicConnection(configuration=QuicConfiguration(alpn_protocols=["h3"], server_name=name,
                                                          verify_mode=ssl.CERT_NONE))
    quic._local_initial_source_connection_id = SOURCE
    quic.connect(("127.0.0.1", 1), now=0.0)
    return bytes(quic._crypto_streams[Epoch.INITIAL].sender._buffer)


def varint(number: int, length: int = 0) -> bytes:
    """RFC 9000 section 16. length: in so many bytes (1, 2, 4, 8), though fewer would do."""
    if not length:
        return bytes(encode_uint_var(number))
    return (number | {1: 0, 2: 1, 4: 2, 8: 3}[length] << (8 * length - 2)).to_bytes(length, "big")


def crypto(data: bytes, offset: int = 0) -> bytes:
    return b"\x06" + varint(offset) + varint(len(data)) + data


def stream(number: int, data: bytes = b"", *, offset: int = 0, fin: bool = False) -> bytes:
    return bytes([0x0E | fin]) + varint(number) + varint(offset) + varint(len(data)) + data


def reset(number: int, code: int = 0x10C, size: int = 0) -> bytes:
    return b"\x04" + varint(number) + varint(code) + varint(size)


def stop(number: int, code: int = 0x10C) -> bytes:
    return b"\x05" + varint(number) + varint(code)


def new_id(sequence: int, retire: int = 0) -> bytes:
    """NEW_CONNECTION_ID: with another id each time."""
    return b"\x18" + varint(sequence) + varint(retire) + b"\x08" + os.urandom(8) + os.urandom(16)


def long_header(kind: int, target: bytes, source: bytes = SOURCE, version: int = VERSION) -> bytes:
    """kind: the first byte."""
    return bytes([kind]) + version.to_bytes(4, "big") + bytes([len(target)]) + target + bytes([len(source)]) + source


def initial(frames: bytes, target: bytes, *, source: bytes = SOURCE, token: bytes = b"", number: int = 0,
            size: int = LEAST, version: int = VERSION, first: int = 0xC3, keys: bytes | None = None) -> bytes:
    """A datagram with one Initial, which is padded to fill it. keys: the connection id that they come from, if it is
    not `target` (that of a Retry or a server's answer)."""
    pair = CryptoPair()
    pair.setup_initial(target if keys is None else keys, is_client=True, version=VERSION)
    head = long_header(first, target, source, version) + varint(len(token)) + token
    payload = frames.ljust(size - len(head) - 2 - 4 - 16, b"\0")
    head += varint(4 + len(payload) + 16, 2) + number.to_bytes(4, "big")
    return bytes(pair.encrypt_packet(head, payload, number))


def fresh(**how: object) -> bytes:
    """An Initial with an honest hello, of a connection that was never seen."""
    return initial(crypto(hello()), os.urandom(8), **how)  # type: ignore[arg-type]


class Mouth:
    """A UDP socket that says anything, and keeps what it hears."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self._to = ("127.0.0.1", port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
        self._socket.setblocking(False)
        self._socket.bind((source, 0))
        self.sent = 0
        """Bytes."""
        self._heard: list[bytes] = []

    def say(self, datagram: bytes) -> None:
        """A full queue swallows it, as a network may."""
        with suppress(OSError):
            self.sent += self._socket.sendto(datagram, self._to)

    @property
    def heard(self) -> list[bytes]:
        """All datagrams that came so far."""
        with suppress(OSError):
            while True:
                self._heard.append(self._socket.recv(65536))
        return self._heard

    def close(self) -> None:
        self._socket.close()
