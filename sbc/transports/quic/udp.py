"""A UDP socket for many connections: read in batches, written in batches.

What is read in one turn of the loop is told datagram by datagram, and then that it is all for now, so that each
connection writes once. Runs of datagrams of one size for one address leave in one call (UDP_SEGMENT), and such runs
are read in one call (UDP_GRO), where the kernel has it. On a wildcard address an answer leaves from the address that
was asked (IP_PKTINFO): a client believes no other. Measured: reading like this costs what uvloop's own datagrams cost
when they come one by one, and half as much in runs.
"""

import asyncio
import errno
import socket
import struct
from collections import deque
from contextlib import suppress
from ipaddress import ip_address
from typing import Any, Protocol

from sbc.telemetry.metrics import QuicTally
from sbc.wire.http3.engine import Address

DSCP = 18
"""AF21, low-latency data (RFC 4594 section 4.7)."""
BUFFER_OCTETS = 4 * 1024 * 1024
"""What the kernel may hold, each way; it takes less if its own limit is lower."""
PORTION = 128
"""How many datagrams one turn of the loop has room for, and those of the run in which this is reached: however much
comes at once, what else the loop has to do waits for no more than these."""
QUEUED = 512
"""How many datagrams wait while the kernel takes none; more are lost, as on any full queue of the network."""

_CANNOT = frozenset({errno.EIO, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOPROTOOPT})
"""How a device, or a kernel, says that it cannot send runs."""
_SEGMENTS = 64
_SEGMENTED_OCTETS = 65_000
"""What one run may hold (UDP_MAX_SEGMENTS, and a datagram's own limit)."""
_DATAGRAM_OCTETS = 65_536

# What Linux has and Python does not name.
_UDP_SEGMENT, _UDP_GRO = 103, 104
_IP_PKTINFO = 8
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _PMTUDISC_PROBE = 10, 23, 3

Local = tuple[int, int, bytes] | None
"""The address of ours that a datagram came to, as a control message to answer from there; None: there is but one."""


class Receiver(Protocol):
    """Who is told what comes."""

    def received(self, datagram: bytes, source: Address, local: Local) -> None:
        """A datagram."""

    def worked(self) -> None:
        """That is all for now: write."""

    def flowing(self) -> None:
        """The kernel takes datagrams again."""


class UdpSocket:
    """One bound socket, from `start` on."""

    def __init__(self, sock: socket.socket, tally: QuicTally) -> None:
        """sock: bound, by `sockets.bind_datagrams` or the service manager. tally: where datagrams are counted. Raises
        OSError."""
        self.blocked = False
        """Whether the kernel takes nothing at the moment."""
        self._sock = sock
        self._tally = tally
        self._loop = asyncio.get_running_loop()
        self._receiver: Receiver
        self._buffer = memoryview(bytearray(_DATAGRAM_OCTETS))
        self._queue: deque[tuple[bytes, Address, Local]] = deque()
        self._segments = _set_up(sock)
        self._room = socket.CMSG_SPACE(4) + socket.CMSG_SPACE(20)

    @property
    def name(self) -> Address:
        """The address that it is bound to."""
        name: Address = self._sock.getsockname()
        return name

    def start(self, receiver: Receiver) -> None:
        """Read from now on."""
        self._receiver = receiver
        self._loop.add_reader(self._sock, self._read)

    def read_no_more(self) -> None:
        """Leave what comes to another process that has the socket too; write on."""
        self._loop.remove_reader(self._sock)

    def close(self) -> None:
        """Read and write no more."""
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock)
            self._loop.remove_writer(self._sock)
            self._sock.close()
        self._queue.clear()

    # Reading.

    def _read(self) -> None:
        try:
            self._read_all()
        finally:
            self._receiver.worked()

    def _read_all(self) -> None:
        receive, buffer, room = self._sock.recvmsg_into, self._buffer, self._room
        tell, buffers = self._receiver.received, [self._buffer]
        most = self._tally.received + PORTION
        for _ in range(PORTION):
            if self._tally.received >= most:
                break
            try:
                octets, notes, _flags, source = receive(buffers, room)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:  # a word of the network on a datagram sent before (ICMP): the connection finds out itself
                continue
            size, local = octets, None
            for level, kind, content in notes:
                if kind == _UDP_GRO and level == socket.IPPROTO_UDP:
                    size = int.from_bytes(content[:4], "little")
                else:
                    local = _answer_from(level, content)
            if size >= octets:
                self._tally.received += 1
                tell(bytes(buffer[:octets]), source, local)
                continue
            for at in range(0, octets, size):
                self._tally.received += 1
                tell(bytes(buffer[at : min(at + size, octets)]), source, local)

    # Writing.

    def send(self, datagrams: list[tuple[bytes, Address]], local: Local) -> None:
        """Send them in this order. local: from where; see Receiver."""
        at, count = 0, len(datagrams)
        while at < count:
            end = self._run_from(datagrams, at) if self._segments else at + 1
            if self._queue:
                for datagram, address in datagrams[at:end]:
                    self._enqueue(datagram, address, local)
            elif end - at == 1:
                self._send_one(*datagrams[at], local)
            else:
                self._send_run(datagrams[at:end], local)
            at = end

    def _run_from(self, datagrams: list[tuple[bytes, Address]], at: int) -> int:
        """Where the run that begins at `at` ends: all of one size but the last, which may be shorter."""
        first, address = datagrams[at]
        size, octets = len(first), len(first)
        end, last = at + 1, min(len(datagrams), at + _SEGMENTS)
        while end < last:
            following, to = datagrams[end]
            octets += len(following)
            if len(following) > size or octets > _SEGMENTED_OCTETS or to != address:
                break
            end += 1
            if len(following) < size:
                break
        return end

    def _send_one(self, datagram: bytes, address: Address, local: Local) -> None:
        try:
            if local is None:
                self._sock.sendto(datagram, address)
            else:
                self._sock.sendmsg([datagram], [local], 0, address)
            self._tally.sent += 1
        except (BlockingIOError, InterruptedError):
            self._enqueue(datagram, address, local)
        except OSError:  # no route, too long for the way, forbidden by a filter: as lost as on the network
            self._tally.lost += 1

    def _send_run(self, run: list[tuple[bytes, Address]], local: Local) -> None:
        pieces = [datagram for datagram, _ in run]
        notes: list[Any] = [(socket.IPPROTO_UDP, _UDP_SEGMENT, struct.pack("=H", len(pieces[0])))]
        if local is not None:
            notes.append(local)
        try:
            self._sock.sendmsg(pieces, notes, 0, run[0][1])
            self._tally.sent += len(run)
        except (BlockingIOError, InterruptedError):
            for datagram, address in run:
                self._enqueue(datagram, address, local)
        except OSError as error:
            self._segments = error.errno not in _CANNOT
            for datagram, address in run:
                self._send_one(datagram, address, local)

    def _enqueue(self, datagram: bytes, address: Address, local: Local) -> None:
        if len(self._queue) >= QUEUED:
            self._tally.lost += 1
            return
        self._queue.append((datagram, address, local))
        if not self.blocked:
            self.blocked = True
            self._loop.add_writer(self._sock, self._write_on)

    def _write_on(self) -> None:
        queue = self._queue
        while queue:
            datagram, address, local = queue[0]
            try:
                self._sock.sendmsg([datagram], [] if local is None else [local], 0, address)
                self._tally.sent += 1
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._tally.lost += 1
            queue.popleft()
        self.blocked = False
        self._loop.remove_writer(self._sock)
        self._receiver.flowing()


def _set_up(sock: socket.socket) -> bool:
    """Set what all connections share. Whether runs can be sent. Raises OSError."""
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_OCTETS)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_OCTETS)
    sixth = sock.family == socket.AF_INET6
    wildcard = ip_address(sock.getsockname()[0]).is_unspecified
    # RFC 9000 section 14: nothing is fragmented on its way; and nobody who forges ICMP shortens what is sent.
    if sixth:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, DSCP << 2)
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_PROBE)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, wildcard)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, DSCP << 2)
        sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_PROBE)
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, wildcard)
    with suppress(OSError):  # Linux before 5.0 has no runs to be read, and before 4.18 none to be sent
        sock.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, 1)
        return sock.getsockopt(socket.IPPROTO_UDP, _UDP_SEGMENT) == 0
    return False


def _answer_from(level: int, content: bytes) -> Local:
    """What answers from the address that a datagram came to (ip(7), ipv6(7)): its interface is for the routes to say,
    but for link-local addresses, which mean nothing without."""
    if level == socket.IPPROTO_IP:
        return (level, _IP_PKTINFO, bytes(4) + content[4:8] + bytes(4))
    link_local = content[0] == 0xFE and content[1] & 0xC0 == 0x80
    return (level, socket.IPV6_PKTINFO, content if link_local else content[:16] + bytes(4))
