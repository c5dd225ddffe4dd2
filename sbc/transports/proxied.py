"""The first moments of a connection that a TCP proxy may have made: for whom, is read, and then it is that client's.

    WAITING ──header, or none where none is needed──> the door takes over
       └─────another source, a broken header, too late──> closed, unanswered
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, cast

from sbc.model.errors import Refusal
from sbc.model.interfaces import Reception
from sbc.model.route import Hello
from sbc.wire.proxy_protocol import Malformed, begins, read


@dataclass(frozen=True, slots=True)
class Proxies:
    """Who may speak for others."""

    required: bool
    """Whether nobody else may come."""
    sources: tuple[IPv4Network | IPv6Network, ...]

    def among(self, address: str) -> bool:
        """Whether it is one of them."""
        return bool(address) and any(ip_address(address) in network for network in self.sources)


def address_of(transport: asyncio.BaseTransport) -> str:
    """Who is at the other end of a socket, without the port."""
    name: Any = transport.get_extra_info("peername")
    return str(name[0]) if name else ""


class Proxied(asyncio.Protocol):
    """One connection, until it is known whose it is."""

    __slots__ = ("_begun", "_door", "_listener", "_proxies", "_reception", "_timer", "_transport")

    def __init__(
        self, proxies: Proxies, reception: Reception, listener: str, door: Callable[[str], asyncio.BaseProtocol]
    ) -> None:
        """door: makes the protocol that takes the connection of a client with this address over."""
        self._proxies = proxies
        self._reception = reception
        self._listener = listener
        self._door = door
        self._begun = b""
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only
        if self._proxies.among(address_of(transport)):
            patience = self._reception.limits()[2]
            self._timer = asyncio.get_running_loop().call_later(patience, self._refuse, "it did not come in time")
        elif self._proxies.required:
            self._refuse("from an address that is none of the proxies'")
        else:
            self._enter(address_of(transport), b"")

    def data_received(self, data: bytes) -> None:
        begun = self._begun = self._begun + data if self._begun else data
        if not self._proxies.required and not begins(begun):
            self._enter(address_of(self._transport), begun)
            return
        try:
            introduction = read(begun)
        except Malformed as fault:
            self._refuse(str(fault))
            return
        if introduction is not None:
            self._enter(introduction.client or address_of(self._transport), begun[introduction.octets :])

    def connection_lost(self, _error: Exception | None) -> None:
        self._stop_timer()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _enter(self, client: str, rest: bytes) -> None:
        self._stop_timer()
        if self._reception.bars(client, self._listener):
            self._transport.abort()
            return
        transport, door = self._transport, self._door(client)
        transport.set_protocol(door)
        door.connection_made(transport)
        if rest:
            # The door may have passed the connection on already.
            cast(asyncio.Protocol, transport.get_protocol()).data_received(rest)

    def _refuse(self, why: str) -> None:
        self._stop_timer()
        hello = Hello(address_of(self._transport), "", "", [], False, self._listener)
        self._reception.refused(Refusal(0, "proxy_protocol", f"PROXY protocol: {why}"), hello)
        self._transport.abort()
