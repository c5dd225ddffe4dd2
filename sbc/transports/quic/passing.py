"""Datagrams that one process of an edge reads, and that are for a connection of another one.

Each process has a way in, and a way out to each of the others: Unix sockets (SOCK_SEQPACKET) that it inherits, so that
nobody else can put anything in. What comes in that way is for a connection of ours or for nobody: it is never passed on
to where it came from, and takes one hop among workers, one more from a successor to its predecessor. A way that is full
loses what it is given, like any queue of the network.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from sbc.telemetry.metrics import QuicTally
from sbc.transports.quic.udp import PORTION, Local
from sbc.wire.http3.engine import Address

WAY: Final = "quic:"
"""By which name a process inherits its ways; no listener can have it."""
_LONGEST: Final = 66_000
_BUFFER_OCTETS: Final = 1024 * 1024
_HEAD: Final = struct.Struct("!BBBHIIBB")
"""Kind, length of the listener's name, of the address; port, flow, scope of an IPv6 address; level of the local address
and its length."""


class Kind(IntEnum):
    """What is said."""

    DATAGRAM = 1
    MINE = 2
    """These ids are the sender's; the content is its number and the ids, each behind its length."""
    NOT_MINE = 3
    """They are not any more."""
    ANEW = 4
    """The sender has begun: it is to be told all ids again."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A datagram of a listener, or something about one."""

    kind: Kind
    listener: str
    content: bytes
    source: Address = ("", 0)
    local: Local = None


def written(parcel: Parcel) -> bytes:
    """As it goes over."""
    name, source, local = parcel.listener.encode(), parcel.source, parcel.local
    host = str(source[0]).encode()
    flow, scope = (source[2], source[3]) if len(source) == 4 else (0, 0)
    notes = b"" if local is None else bytes([local[1]]) + local[2]
    level = 0 if local is None else local[0] + 1
    head = _HEAD.pack(parcel.kind, len(name), len(host), source[1], flow, scope, level, len(notes))
    return b"".join([head, name, host, notes, parcel.content])


def read(data: bytes) -> Parcel | None:
    """What came over; None: nothing that makes sense (another version of this program)."""
    try:
        kind, of_name, of_host, port, flow, scope, level, of_notes = _HEAD.unpack_from(data)
        at = _HEAD.size
        name, at = data[at : at + of_name].decode(), at + of_name
        host, at = data[at : at + of_host].decode(), at + of_host
        notes, at = data[at : at + of_notes], at + of_notes
        source: Address = (host, port, flow, scope) if ":" in host else (host, port)
        return Parcel(Kind(kind), name, data[at:], source, (level - 1, notes[0], notes[1:]) if level else None)
    except (struct.error, ValueError, IndexError):
        return None


def ids_out(worker: int, ids: Sequence[bytes]) -> bytes:
    """The content of MINE and NOT_MINE."""
    return bytes([worker]) + b"".join(bytes([len(one)]) + one for one in ids)


def ids_in(content: bytes) -> tuple[int, list[bytes]]:
    """The same, read: whose they are."""
    ids, at = [], 1
    while at < len(content):
        end = at + 1 + content[at]
        ids.append(content[at + 1 : end])
        at = end
    return content[0] if content else 0, ids


class WayOut:
    """To another process."""

    def __init__(self, sock: socket.socket, tally: QuicTally) -> None:
        self._sock = sock
        self._tally = tally
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_OCTETS)

    def send(self, parcel: Parcel) -> None:
        """Have it there, or lose it."""
        try:
            self._sock.send(written(parcel))
            self._tally.passed += parcel.kind is Kind.DATAGRAM
        except OSError:  # it is full, or nobody is there
            if parcel.kind is Kind.DATAGRAM:
                self._tally.dropped["not_passed"] += 1

    def close(self) -> None:
        """Let go of it."""
        self._sock.close()


class WayIn:
    """From the others."""

    def __init__(self, sock: socket.socket, take: Callable[[Parcel], None], done: Callable[[], None]) -> None:
        """take: told of each parcel; done: told that these are all for now."""
        self._sock = sock
        self._take = take
        self._done = done
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock, self._read)

    def _read(self) -> None:
        for _ in range(PORTION):
            try:
                data = self._sock.recv(_LONGEST)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                data = b""
            if not data:  # nobody is there any more
                self._loop.remove_reader(self._sock)
                break
            parcel = read(data)
            if parcel is not None:
                self._take(parcel)
        self._done()

    def close(self) -> None:
        """Read no more."""
        self._loop.remove_reader(self._sock)
        self._sock.close()
