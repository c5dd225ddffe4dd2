"""Marks on the packets of a TCP connection: DSCP for the network, SO_PRIORITY for this machine's queues.

Neither needs a privilege. A kernel or a sandbox that refuses them costs the mark, not the connection.
"""

import asyncio
import socket
from socket import SocketType

from sbc.model.marking import Mark

# As plain numbers: enums take their time.
AF_INET, AF_INET6, SOCK_STREAM = int(socket.AF_INET), int(socket.AF_INET6), int(socket.SOCK_STREAM)
IPPROTO_IP, IPPROTO_IPV6, SOL_SOCKET = int(socket.IPPROTO_IP), int(socket.IPPROTO_IPV6), int(socket.SOL_SOCKET)
IP_TOS, IPV6_TCLASS, SO_PRIORITY = socket.IP_TOS, socket.IPV6_TCLASS, socket.SO_PRIORITY

def marked(transport: asyncio.Transport, mark: Mark, borne: Mark | None) -> Mark:
    """Have a connection bear a mark, unless the one that it bears ranks above. The one that it bears now."""
    if borne is not None and borne.rank <= mark.rank:
        return borne
    line: socket.socket | None = transport.get_extra_info("socket")
    if line is not None:
        family, descriptor = line.family, line.fileno()
        if descriptor >= 0 and family in (AF_INET, AF_INET6):
            _put(family, descriptor, mark)
    return mark


def _put(family: int, descriptor: int, mark: Mark) -> None:
    # The loop's own object would duplicate the descriptor for each option; Python's costs more than all the rest.
    bare = SocketType(family, SOCK_STREAM, 0, descriptor)
    try:
        # The two bits below are those of ECN (RFC 3168), which the kernel keeps for TCP.
        if family == AF_INET6:
            bare.setsockopt(IPPROTO_IPV6, IPV6_TCLASS, mark.dscp << 2)
        else:
            bare.setsockopt(IPPROTO_IP, IP_TOS, mark.dscp << 2)
        # After the other one, which sets this too (ip(7)).
        bare.setsockopt(SOL_SOCKET, SO_PRIORITY, mark.priority)
    except OSError:
        pass
    finally:
        bare.detach()
