"""The sockets of listeners: bound before anything is changed, so that a port that is taken changes nothing."""

import os
import socket
from dataclasses import dataclass

from sbc.transports.entrance import DoorTerms, protocols

_TRIES = 16
"""For a free port that is free for TCP and UDP."""


@dataclass(frozen=True, slots=True)
class Sockets:
    """The sockets of a listener, bound; None: not needed, or still to be bound."""

    stream: socket.socket | None = None
    datagrams: socket.socket | None = None

    def close(self) -> None:
        """Let them go."""
        for sock in (self.stream, self.datagrams):
            if sock is not None:
                sock.close()


def bind_all(host: str, port: int, terms: DoorTerms, given: Sockets) -> Sockets:
    """All sockets that a listener needs, on one port: those that are given, and new ones. Raises OSError."""
    stream = given.stream is None and bool(protocols(terms.transports))
    datagrams = given.datagrams is None and "quic" in terms.transports
    tries = _TRIES if port == 0 and stream and datagrams else 1
    while True:
        tries -= 1
        bound = Sockets(bind(host, port) if stream else given.stream)
        try:
            if not datagrams:
                return Sockets(bound.stream, given.datagrams)
            same = bound.stream.getsockname()[1] if bound.stream is not None else port
            return Sockets(bound.stream, bind_datagrams(host, same))
        except OSError:
            if stream:
                bound.close()
            if not tries:
                raise


def bind(host: str, port: int) -> socket.socket:
    """A listening-to-be socket. Raises OSError."""
    return _bound(socket.SOCK_STREAM, host, port, f"{host}:{port}")


def bind_datagrams(host: str, port: int) -> socket.socket:
    """A socket for datagrams on this address. Raises OSError."""
    return _bound(socket.SOCK_DGRAM, host, port, f"{host}:{port} (UDP)")


def _bound(kind: socket.SocketKind, host: str, port: int, where: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
    try:
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        elif sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot listen on {where}: {os.strerror(error.errno or 0)}") from None
    return sock
