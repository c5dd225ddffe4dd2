"""Which of several workers a datagram is read by: the one that its connection id names (classic BPF, socket(7)).

The kernel would choose by the addresses, and a client that changes its own would land at another worker. The first byte
of the ids that the edge gives is its worker's number (transports/quic/door.py); ids that begin otherwise (a client's
first one, and those that qh3 issues later) are steered by it all the same, and so always to the same worker: who that
is, is what `reader` says.
"""

import ctypes
import socket
import struct
from typing import Final

_ATTACH: Final = 51
"""SO_ATTACH_REUSEPORT_CBPF, which Python does not name."""
_LOAD_BYTE, _IF_SET, _MODULO, _RETURN = 0x30, 0x45, 0x94, 0x16
"""BPF_LD|BPF_B|BPF_ABS, BPF_JMP|BPF_JSET, BPF_ALU|BPF_MOD, BPF_RET|BPF_A (linux/bpf_common.h)."""
_LONG: Final = 0x80
"""The form of a header (RFC 8999 section 5): in a long one the id stands behind version and length, in a short one
behind the first byte."""


def reader(connection_id: bytes, workers: int) -> int:
    """The number of the worker that reads what is sent to this id."""
    return connection_id[0] % workers if connection_id else 0


def steer(sock: socket.socket, workers: int) -> None:
    """Steer what comes to a group of sockets (SO_REUSEPORT), bound in the order of their workers. sock: one of them.

    Raises OSError: the kernel does not know how.
    """
    program = b"".join(struct.pack("=HBBI", *instruction) for instruction in (
        (_LOAD_BYTE, 0, 0, 0),
        (_IF_SET, 0, 2, _LONG),
        (_LOAD_BYTE, 0, 0, 6),
        (0x05, 0, 0, 1),  # BPF_JMP|BPF_JA: over the next
        (_LOAD_BYTE, 0, 0, 1),
        (_MODULO, 0, 0, workers),
        (_RETURN, 0, 0, 0),
    ))  # fmt: skip
    held = ctypes.create_string_buffer(program, len(program))
    sock.setsockopt(socket.SOL_SOCKET, _ATTACH, struct.pack("@HP", len(program) // 8, ctypes.addressof(held)))


def ways(workers: int) -> list[list[socket.socket]]:
    """For each worker the sockets by which it passes on what others have the connection of (passing.py): its way in,
    then the ways out to the others in their order. Raises OSError."""
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(workers)]
    return [[pairs[number][0], *(out for other, (_, out) in enumerate(pairs) if other != number)]
            for number in range(workers)]  # fmt: skip
