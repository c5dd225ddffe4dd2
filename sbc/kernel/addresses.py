"""Addresses that one edge of several has at a time (ip-address(8)): on a device until then, its neighbours told.

An address is there for as long as the edge's lease in the store is, and no longer, whoever stops working:

    the edge ends        its connection ends: removed at once
    the edge hangs       it does not order it anew: removed when its time is over
    the warden hangs     the kernel removes it: it is given a lifetime, which ends before that time
    or is killed

So nothing is left to be found by the next warden, and an address that another program has put on a device, which has
no such lifetime, is left alone.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from errno import EADDRNOTAVAIL
from ipaddress import IPv6Interface, ip_interface
from math import inf
from typing import Final

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from sbc.kernel.neighbours import Crier
from sbc.kernel.orders import Assign, Order, OrderError, Release
from sbc.telemetry import logs

log = logs.get("sbc.kernel")

LONGEST: Final = 600.0
"""Seconds for which an address is given at a time."""
CRIES: Final = (0.0, 0.5, 2.0)
"""When neighbours are told, in seconds after the address came: a frame may be lost, a switch may still be learning."""
ROUNDING: Final = 1
"""Seconds by which the kernel may come late when it removes an address."""
FOR_EVER: Final = 0xFFFFFFFF
"""The lifetime of what has none."""
NO_DAD: Final = 0x02
"""IFA_F_NODAD: the edge that had the address has given it up, and a second of doubt is a second of outage."""
MOST_ADDRESSES: Final = 64


@dataclass(slots=True)
class _Held:
    edge: int
    order: Assign
    crier: Crier
    cries: list[float] = field(default_factory=list)
    """When neighbours are still to be told, the last time first."""

    @property
    def until(self) -> float:
        return self.order.until / 1000


class Addresses:
    """Implements Work."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}

    def takes(self, order: Order) -> bool:
        return isinstance(order, Assign | Release)

    def do(self, edge: int, order: Order) -> None:
        match order:
            case Assign():
                self._assign(edge, order)
            case Release(device, address):
                held = self._held.get(address)
                if held is not None and (held.edge, held.order.device) == (edge, device):
                    self._remove(address)
            case _:
                raise AssertionError(order)

    def undo(self, edge: int) -> None:
        for address in [address for address, held in self._held.items() if held.edge == edge]:
            self._remove(address)

    def clear(self) -> None:
        for address in list(self._held):
            self._remove(address)

    def look(self, now: float) -> float:
        for address in [address for address, held in self._held.items() if held.until <= now]:
            log.warning("address_not_ordered_anew", address=address)
            self._remove(address)
        for address, held in self._held.items():
            self._cry(address, held, now)
        return min(self._times(), default=inf)

    def _times(self) -> Iterator[float]:
        for held in self._held.values():
            yield held.until
            yield from held.cries[-1:]

    def _assign(self, edge: int, order: Assign) -> None:
        now, held = time.monotonic(), self._held.get(order.address)
        left = order.until / 1000 - now
        if not 0 < left <= LONGEST:
            raise OrderError(f"{order.address}: until is over, or more than {LONGEST:.0f} s from now")
        if held is not None and held.edge != edge and order.number <= held.order.number:
            raise OrderError(f"{order.address}: another edge has taken it later")
        if held is not None and held.order.device != order.device:
            self._remove(order.address)
            held = None
        if held is None and len(self._held) >= MOST_ADDRESSES:
            raise OrderError(f"{order.address}: {MOST_ADDRESSES} addresses are there already")
        crier = Crier(order.device) if held is None else held.crier
        try:
            _put(order, left)
        except (NetlinkError, OSError, OrderError) as error:
            if held is None:
                crier.close()
            raise OrderError(f"{order.address} on {order.device}: {error}") from None
        if held is None:
            log.info("address_came", address=order.address, device=order.device, edge=edge, number=order.number)
        cries = [now + wait for wait in reversed(CRIES)] if held is None or held.edge != edge else held.cries
        self._held[order.address] = _Held(edge, order, crier, cries)

    def _cry(self, address: str, held: _Held, now: float) -> None:
        if held.cries and held.cries[-1] <= now:
            held.cries.pop()
            try:
                held.crier.cry(ip_interface(address).ip)
            except OSError as error:  # the device is down: whoever brings it up has to tell them, or nobody is there
                log.warning("neighbours_not_told", address=address, why=error.strerror)

    def _remove(self, address: str) -> None:
        held = self._held.pop(address)
        held.crier.close()
        log.info("address_went", address=address, device=held.order.device, edge=held.edge)
        try:
            with IPRoute() as kernel:
                place = ip_interface(address)
                for index in kernel.link_lookup(ifname=held.order.device):
                    kernel.addr("del", index=index, address=str(place.ip), prefixlen=place.network.prefixlen)
        except (NetlinkError, OSError) as error:
            # Its lifetime is over, or somebody has removed it.
            if getattr(error, "code", 0) != EADDRNOTAVAIL:
                log.warning("address_not_removed", address=address, why=str(error))


def _put(order: Assign, left: float) -> None:
    """Raises OrderError, NetlinkError, OSError."""
    place = ip_interface(order.address)
    with IPRoute() as kernel:
        indices = kernel.link_lookup(ifname=order.device)
        if not indices:
            raise OrderError("there is no such device")
        for found in kernel.get_addr(index=indices[0]):
            if (found.get_attr("IFA_LOCAL") or found.get_attr("IFA_ADDRESS")) == str(place.ip):
                lifetime = found.get_attr("IFA_CACHEINFO")
                if lifetime is None or lifetime["ifa_valid"] == FOR_EVER:
                    raise OrderError("it is there already, and for good: no warden has put it there")
        lasts = max(1, int(left) - ROUNDING)
        flags = {"flags": NO_DAD} if isinstance(place, IPv6Interface) else {}
        kernel.addr("replace", index=indices[0], address=str(place.ip), prefixlen=place.network.prefixlen,
                    preferred_lft=lasts, valid_lft=lasts, **flags)  # fmt: skip
