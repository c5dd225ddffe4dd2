"""Marks on real TCP connections, as their sockets tell them."""

import asyncio
import socket
from typing import cast

import pytest

from sbc.model.marking import Mark
from sbc.wire.marking import marked

HIGH, MIDDLE, LOW = Mark(0, 46, 6), Mark(1, 26, 4), Mark(2, 1, 1)


@pytest.mark.parametrize(("host", "level", "option"), [
    ("127.0.0.1", socket.IPPROTO_IP, socket.IP_TOS), ("::1", socket.IPPROTO_IPV6, socket.IPV6_TCLASS),
])  # fmt: skip
async def test_of_those_who_share_a_connection_the_highest_counts(host: str, level: int, option: int) -> None:
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, host, 0)
    port = server.sockets[0].getsockname()[1]
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, host, port)
    line = cast(socket.socket, transport.get_extra_info("socket"))
    borne = None
    for mark, expected in ((LOW, LOW), (MIDDLE, MIDDLE), (LOW, MIDDLE), (HIGH, HIGH), (MIDDLE, HIGH)):
        borne = marked(transport, mark, borne)
        assert borne is expected
        assert line.getsockopt(level, option) == expected.dscp << 2
        assert line.getsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY) == expected.priority
    transport.write(b"it is still ours")  # the descriptor was not closed along with the mark
    await asyncio.sleep(0)
    assert line.fileno() >= 0 and not transport.is_closing()
    transport.abort()
    server.close()


async def test_a_connection_that_bears_no_marks_is_left_alone() -> None:
    ours, theirs = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    assert marked(transport, HIGH, None) is HIGH
    assert not transport.is_closing()
    transport.abort()
    theirs.close()
