"""Two ways to the same place: the second is tried as well if the first takes long (as RFC 8305 has it)."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from sbc.sdk.client.contract import Unreachable
from sbc.sdk.client.stream import Connection

CONNECT_WITHIN = 5.0
HEAD_START = 0.25
"""Seconds that the first has before the second is tried beside it (RFC 8305 section 5)."""

Dialling = Coroutine[Any, Any, Connection]
_Trial = asyncio.Task[Connection | Unreachable]


async def dialled(dialling: Dialling) -> Connection:
    """The connection, in time. Raises Unreachable."""
    try:
        async with asyncio.timeout(CONNECT_WITHIN):
            return await dialling
    except (OSError, TimeoutError) as fault:
        raise Unreachable(str(fault) or type(fault).__name__) from None


async def race(first: Dialling, second: Dialling) -> Connection:
    """Whichever stands first. Raises Unreachable if both fail."""
    async with asyncio.TaskGroup() as group:
        early: _Trial = group.create_task(_outcome(first))
        await asyncio.wait({early}, timeout=HEAD_START)
        if early.done() and not isinstance(early.result(), Unreachable):
            second.close()
            trials = [early]
        else:
            trials = [early, group.create_task(_outcome(second))]
        winner = await _first_to_stand(trials)
        for loser in trials:
            if loser is not winner and not loser.cancel() and not isinstance(late := loser.result(), Unreachable):
                late.abort()
    if winner is None:
        raise Unreachable("; ".join(str(trial.result()) for trial in trials))
    connection = winner.result()
    assert not isinstance(connection, Unreachable)
    return connection


async def first_address(
        host: str, port: int, kind: socket.SocketKind, dial: Callable[[int, Any], Dialling]) -> Connection:
    """A connection to the first address of its family, IPv6 and IPv4, that can be reached. dial: family, address.
    Raises OSError or Unreachable."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=kind)
    families: dict[int, Any] = {}
    for family, _, _, _, address in found:
        families.setdefault(family, address)
    ways = [dial(family, address) for family, address in families.items()]
    return await ways[0] if len(ways) == 1 else await race(dialled(ways[0]), dialled(ways[1]))


async def _first_to_stand(trials: list[_Trial]) -> _Trial | None:
    running = set(trials)
    while running:
        done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for trial in done:
            if not isinstance(trial.result(), Unreachable):
                return trial
    return None


async def _outcome(dialling: Dialling) -> Connection | Unreachable:
    """A failure is an outcome as well: in a group of tasks an exception would end them all."""
    try:
        return await dialling
    except Unreachable as fault:
        return fault
