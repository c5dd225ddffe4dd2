"""Marks on the packets of a TCP connection: DSCP for the network, SO_PRIORITY for this machine's queues.

Neither needs a privilege. A kernel or a sandbox that refuses them costs the mark, not the connection.
"""

import asyncio
import socket
from contextlib import suppress

from sbc.model.marking import Mark


def marked(transport: asyncio.Transport, mark: Mark, borne: Mark | None) -> Mark:
    """Have a connection bear a mark, unless the one that it bears ranks above. The one that it bears now."""
    if borne is not None and borne.rank <= mark.rank:
        return borne
    line: socket.socket | None = transport.get_extra_info("socket")
    if line is not None and line.family in (socket.AF_INET, socket.AF_INET6) and line.fileno() >= 0:
        # The loop's own object would duplicate the descriptor for each option.
        bare = socket.socket(line.family, socket.SOCK_STREAM, 0, line.fileno())
        try:
            with suppress(OSError):
                _put(bare, mark)
        finally:
            bare.detach()
    return mark


def _put(line: socket.socket, mark: Mark) -> None:
    # The two bits below are those of ECN (RFC 3168), which the kernel keeps for TCP.
    if line.family == socket.AF_INET6:
        line.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, mark.dscp << 2)
    else:
        line.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, mark.dscp << 2)
    # After the other one, which sets this too (ip(7)).
    line.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, mark.priority)
