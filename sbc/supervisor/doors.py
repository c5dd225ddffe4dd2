"""The sockets of all workers: one of each kind for each worker and listener, bound to one address (SO_REUSEPORT); TCP
ones listen. The kernel spreads connections over them.

They are bound in the order of the workers, so that a worker's number is its socket's place in the kernel's group. The
supervisor keeps them while a worker is dead: connections wait for the next one, and none is refused. Sockets of the
service manager are taken as they are: one for each worker where it opened as many, else TCP is shared by all, and UDP
is the first worker's.
"""

import socket
from collections.abc import Mapping, Sequence

from sbc.config import Listener
from sbc.transports.entrance import DoorTerms
from sbc.transports.listener import BACKLOG
from sbc.transports.quic.steering import steer
from sbc.transports.sockets import Sockets, bind, bind_all, bind_datagrams

Doors = Sequence[Sequence[socket.socket]]
"""The sockets of one listener, by the number of the worker."""


def open_doors(listener: Listener, terms: DoorTerms, workers: int) -> Doors:
    """New ones. Raises OSError."""
    host, port = listener.listen.host, listener.listen.port
    # Another process of the same user could share the address too: this one, which cannot be shared, finds it.
    first = bind_all(host, port, terms, Sockets())
    port = _port(first)
    kinds = [make for make, found in ((bind, first.stream), (bind_datagrams, first.datagrams)) if found is not None]
    first.close()
    opened: list[list[socket.socket]] = []
    try:
        for _ in range(workers):
            opened.append([])
            for make in kinds:
                opened[-1].append(make(host, port, shared=True, floats=terms.floats))
        _listen(opened)
        _steer(opened)
    except OSError:
        close(opened)
        raise
    return opened


def taken_over(given: Sequence[socket.socket], workers: int) -> Doors:
    """Those that the service manager opened for a listener. Raises OSError."""
    streams = [sock for sock in given if sock.type == socket.SOCK_STREAM]
    datagrams = [sock for sock in given if sock.type == socket.SOCK_DGRAM]
    if len(streams) != workers:
        streams = streams[:1] * workers
    if len(datagrams) != workers:
        datagrams = datagrams[:1]
    doors = [[*streams[number:number + 1], *datagrams[number:number + 1]] for number in range(workers)]
    _listen(doors)
    if len(datagrams) == workers:
        _steer(doors)
    return doors


def inherited(had: Doors, listener: Listener, terms: DoorTerms, workers: int) -> Doors:
    """Those that a predecessor had for a listener, and what that has need of now. Raises OSError."""
    if "quic" in terms.transports and not any(sock.type == socket.SOCK_DGRAM for own in had for sock in own):
        more = more_datagrams(listener, terms, workers)
        had = [[*own, *new] for own, new in zip(had, more, strict=True)]
    return needed(had, terms)


def more_datagrams(listener: Listener, terms: DoorTerms, workers: int) -> Doors:
    """For a listener that begins to serve QUIC. Raises OSError."""
    host, port = listener.listen.host, listener.listen.port
    bind_datagrams(host, port, floats=terms.floats).close()
    opened = [[bind_datagrams(host, port, shared=True, floats=terms.floats)] for _ in range(workers)]
    _steer(opened)
    return opened


def needed(doors: Doors, terms: DoorTerms) -> Doors:
    """Those of them that a listener needs from now on; the others are let go."""
    kept: list[list[socket.socket]] = []
    for sockets in doors:
        kept.append([sock for sock in sockets if sock.type == socket.SOCK_STREAM or "quic" in terms.transports])
        for sock in sockets:
            if sock not in kept[-1]:
                sock.close()
    return kept


def close(doors: Doors) -> None:
    """Let them go."""
    for sockets in doors:
        for sock in sockets:
            sock.close()


def ports_of(doors: Mapping[str, Doors]) -> dict[str, int]:
    """Where listeners are."""
    return {name: int(of_workers[0][0].getsockname()[1]) for name, of_workers in doors.items()}


def _listen(doors: Doors) -> None:
    for sockets in doors:
        for sock in sockets:
            if sock.type == socket.SOCK_STREAM:
                sock.listen(BACKLOG)


def _steer(doors: Doors) -> None:
    """Have each worker read what is for its connections, wherever its clients are."""
    for sock in doors[0]:
        if sock.type == socket.SOCK_DGRAM:
            steer(sock, len(doors))


def _port(bound: Sockets) -> int:
    sock = bound.stream or bound.datagrams
    assert sock is not None
    return int(sock.getsockname()[1])
