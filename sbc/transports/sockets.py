"""The sockets of listeners: bound before anything is changed, so that a port that is taken changes nothing.

An edge of its own binds those that nobody opened for it. A worker binds none: it is given them, one of a group of
sockets that share an address (SO_REUSEPORT) for each worker.
"""

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sbc.transports.entrance import DoorTerms, protocols

_TRIES = 16
"""For a free port that is free for TCP and UDP."""
FREEBIND: Final = (socket.IPPROTO_IP, 15)
FREEBIND_IPV6: Final = (socket.IPPROTO_IPV6, 78)
"""ip(7): an address may be bound that no device has. No privilege is needed. Python has no names for them."""


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


class Supply:
    """Where an edge has its sockets from: those that were opened for it, by name, and else new ones."""

    def __init__(self, opened: Mapping[str, Sequence[socket.socket]], *, binds: bool = True) -> None:
        """binds: whether it may open others."""
        self._opened = {name: list(sockets) for name, sockets in opened.items()}
        self._binds = binds

    def add(self, name: str, opened: Sequence[socket.socket]) -> None:
        """More of them."""
        self._opened.setdefault(name, []).extend(opened)

    def take(self, name: str, kind: socket.SocketKind) -> socket.socket | None:
        """The next one of this name and kind that was opened."""
        sockets = self._opened.get(name, [])
        found = next((sock for sock in sockets if sock.type == kind), None)
        if found is not None:
            sockets.remove(found)
        return found

    def close(self) -> None:
        """Let those go that nobody has taken."""
        for sockets in self._opened.values():
            for sock in sockets:
                sock.close()
        self._opened.clear()

    def sockets(self, name: str, host: str, port: int, terms: DoorTerms) -> Sockets:
        """Those of a listener. Raises OSError."""
        given = Sockets(self.take(name, socket.SOCK_STREAM), self.take(name, socket.SOCK_DGRAM))
        return bind_all(host, port, terms, given) if self._binds else given

    def datagrams(self, name: str, host: str, port: int, terms: DoorTerms) -> socket.socket | None:
        """That of a listener which begins to serve QUIC; None: another worker has it. Raises OSError."""
        given = self.take(name, socket.SOCK_DGRAM)
        return bind_datagrams(host, port, floats=terms.floats) if given is None and self._binds else given


def bind_all(host: str, port: int, terms: DoorTerms, given: Sockets) -> Sockets:
    """All sockets that a listener needs, on one port: those that are given, and new ones. Raises OSError."""
    stream = given.stream is None and bool(protocols(terms.transports))
    datagrams = given.datagrams is None and "quic" in terms.transports
    tries = _TRIES if port == 0 and stream and datagrams else 1
    while True:
        tries -= 1
        bound = Sockets(bind(host, port, floats=terms.floats) if stream else given.stream)
        try:
            if not datagrams:
                return Sockets(bound.stream, given.datagrams)
            same = bound.stream.getsockname()[1] if bound.stream is not None else port
            return Sockets(bound.stream, bind_datagrams(host, same, floats=terms.floats))
        except OSError:
            if stream:
                bound.close()
            if not tries:
                raise


def bind(host: str, port: int, *, shared: bool = False, floats: bool = False) -> socket.socket:
    """A listening-to-be socket. shared: with others that are. floats: the address may not be here
    yet. Raises OSError."""
    return _bound(socket.SOCK_STREAM, host, port, f"{host}:{port}", shared, floats)


def bind_datagrams(host: str, port: int, *, shared: bool = False, floats: bool = False) -> socket.socket:
    """A socket for datagrams on this address. shared: with others that are. floats: the address may not be here
    yet. Raises OSError."""
    return _bound(socket.SOCK_DGRAM, host, port, f"{host}:{port} (UDP)", shared, floats)


def _bound(kind: socket.SocketKind, host: str, port: int, where: str, shared: bool, floats: bool) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
    try:
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if floats:
            sock.setsockopt(*(FREEBIND_IPV6 if sock.family == socket.AF_INET6 else FREEBIND), 1)
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
