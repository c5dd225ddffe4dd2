"""Two connections that carry each other's bytes: nothing is kept but what the sockets hold."""

import asyncio
from typing import cast

from sbc.wire.pipe import Pipe
from tests.support.wait import wait_until

PIECE = bytes(64 * 1024)


class Taken(asyncio.Protocol):
    """The side of a connection that a pipe is put on."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only


async def piped() -> tuple[list[tuple[asyncio.StreamReader, asyncio.StreamWriter]], list[Pipe], asyncio.Server]:
    """Two clients, and a pipe between their connections."""
    sides: list[Taken] = []

    def taken() -> Taken:
        sides.append(Taken())
        return sides[-1]
    server = await asyncio.get_running_loop().create_server(taken, "127.0.0.1", 0)
    clients = [await asyncio.open_connection(*server.sockets[0].getsockname(), limit=1024) for _ in range(2)]
    await wait_until(lambda: len(sides) == 2 and all(hasattr(side, "transport") for side in sides), "both are there")
    ended: list[Pipe] = []
    pipes = [Pipe(side.transport, ended.append) for side in sides]
    Pipe.join(*pipes)
    for pipe in pipes:
        pipe.begin()
    return clients, ended, server


async def test_bytes_go_both_ways_and_an_end_is_the_end_of_both() -> None:
    [(one, to_one), (other, to_other)], ended, server = await piped()
    to_one.write(b"hello")
    to_other.write(b"you")
    assert (await other.readexactly(5), await one.readexactly(3)) == (b"hello", b"you")
    to_one.write(b"bye")
    to_one.close()
    assert await other.read() == b"bye"
    await wait_until(lambda: len(ended) == 2, "both are told")
    to_other.close()
    server.close()


async def test_who_does_not_read_has_the_other_side_not_read() -> None:
    [(_, to_one), (other, to_other)], ended, server = await piped()
    to_one.transport.set_write_buffer_limits(high=len(PIECE))
    sent = 0
    try:
        async with asyncio.timeout(1):
            while True:
                to_one.write(PIECE)
                await to_one.drain()
                sent += len(PIECE)
    except TimeoutError:
        pass
    assert sent < 64 * 1024 * 1024, "it is held up once all sockets are full"
    sent += len(PIECE)
    got = 0
    while got < sent:
        got += len(await other.read(len(PIECE)))
    assert got == sent
    to_other.transport.abort()
    await wait_until(lambda: len(ended) == 2, "both are told")
    to_one.close()
    server.close()
