"""What stands before the door while somebody is barred: his connections are closed before anything is spent on them."""

import asyncio
from typing import cast

from sbc.model.interfaces import Reception
from sbc.transports.proxied import address_of


class Threshold(asyncio.Protocol):
    """One connection, until it is known from where it comes."""

    __slots__ = ("_door", "_listener", "_reception")

    def __init__(self, reception: Reception, listener: str, door: asyncio.BaseProtocol) -> None:
        self._reception = reception
        self._listener = listener
        self._door = door

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        tcp = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only
        if self._reception.bars(address_of(tcp), self._listener):
            tcp.abort()
        else:
            tcp.set_protocol(self._door)
            self._door.connection_made(tcp)
