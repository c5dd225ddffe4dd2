"""Shaping (tc-htb(8)): the packets of a device leave in the order of the marks that they bear.

    root 5bc: ── 5bc:1 the whole rate ─┬─ 5bc:10 the first share     a rate of its own, and more while others need less
                                       ├─ 5bc:11 all without a mark
                                       ├─ 5bc:12 the second share ...

Everything hangs on one queueing discipline with a number of ours: whoever finds that number on a device knows that a
warden put it there, and removing it leaves the device as the kernel made it. A device with a discipline that somebody
else put there is not touched.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import Final

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from sbc.kernel.orders import Order, OrderError, Shape, Share, Unshape
from sbc.telemetry import logs

log = logs.get("sbc.kernel")

OURS: Final = 0x05BC0000
"""The number of our queueing disciplines; `tc qdisc` shows it as 5bc:."""
WHOLE: Final = OURS | 1
FIRST: Final = OURS | 0x10
UNMARKED: Final = OURS | 0x11
LEAVES: Final = 0x05C00000
"""From here on the disciplines of the shares are numbered."""
ROOT: Final = 0xFFFFFFFF
MTU: Final = 1500
IPV4: Final = 0x0800
IPV6: Final = 0x86DD


class Shaping:
    """Implements Work."""

    def __init__(self) -> None:
        self._devices: dict[str, int] = {}
        """Those that are shaped, and the edge that ordered it."""

    def takes(self, order: Order) -> bool:
        return isinstance(order, Shape | Unshape)

    def do(self, edge: int, order: Order) -> None:
        assert isinstance(order, Shape | Unshape)
        if self._devices.get(order.device, edge) != edge:
            raise OrderError(f"{order.device}: another edge shapes it")
        try:
            with IPRoute() as kernel:
                index = _index(kernel, order.device)
                if isinstance(order, Shape):
                    _shape(kernel, index, order)
                    self._devices[order.device] = edge
                else:
                    _unshape(kernel, index)
                    self._devices.pop(order.device, None)
        except NetlinkError as error:
            raise OrderError(f"{order.device}: {error}") from None

    def undo(self, edge: int) -> None:
        for device in [device for device, by in self._devices.items() if by == edge]:
            del self._devices[device]
            self._let_be(device)

    def _let_be(self, device: str) -> None:
        try:
            with IPRoute() as kernel:
                _unshape(kernel, _index(kernel, device))
        except (NetlinkError, OrderError, OSError) as error:  # a device that is gone has nothing to undo
            log.warning("shaping_stays", device=device, why=str(error))

    def clear(self) -> None:
        self._devices.clear()
        try:
            with IPRoute() as kernel:
                for index in {found["index"] for found in kernel.get_qdiscs() if _is_ours(found)}:
                    kernel.tc("del", "htb", index, OURS)
                    log.info("shaping_cleared", device=index)
        except (NetlinkError, OSError) as error:
            log.error("shaping_not_cleared", why=str(error))

    def look(self, now: float) -> float:
        return inf


def _is_ours(discipline: Mapping[str, int]) -> bool:
    return discipline["handle"] == OURS and discipline["parent"] == ROOT


def _index(kernel: IPRoute, device: str) -> int:
    found: Sequence[int] = kernel.link_lookup(ifname=device)
    if not found:
        raise OrderError(f"{device}: there is no such device")
    return found[0]


def _unshape(kernel: IPRoute, index: int) -> None:
    if any(_is_ours(found) for found in kernel.get_qdiscs(index=index)):
        kernel.tc("del", "htb", index, OURS)


def _shape(kernel: IPRoute, index: int, order: Shape) -> None:
    """Whole or not at all. Raises OrderError, NetlinkError."""
    for found in kernel.get_qdiscs(index=index):
        # What the kernel put there by itself has no number.
        if found["parent"] == ROOT and found["handle"] != 0 and not _is_ours(found):
            raise OrderError(f"{order.device}: it has a queueing discipline already, {found.get_attr('TCA_KIND')}")
    _unshape(kernel, index)
    kernel.tc("add", "htb", index, OURS, default=UNMARKED & 0xFFFF)
    try:
        kernel.tc("add-class", "htb", index, WHOLE, parent=OURS, rate=order.rate, ceil=order.rate)
        for at, (number, rate) in enumerate(_classes(order)):
            _add_class(kernel, index, number, rate, order.rate, at)
        for at, share in enumerate(order.shares):
            _add_filters(kernel, index, share, _number(at), at)
    except NetlinkError:
        kernel.tc("del", "htb", index, OURS)
        raise


def _number(at: int) -> int:
    return FIRST if at == 0 else UNMARKED + at


def _classes(order: Shape) -> Iterator[tuple[int, int]]:
    """Number and rate of each class, the first to be served first."""
    rest = order.rate - sum(share.rate for share in order.shares)
    yield FIRST, order.shares[0].rate
    yield UNMARKED, rest
    for at, share in enumerate(order.shares[1:], 1):
        yield _number(at), share.rate


def _add_class(kernel: IPRoute, index: int, number: int, rate: int, ceiling: int, at: int) -> None:
    # tc-htb(8): prio goes from 0 to 7; a quantum beyond some packets would let one class run ahead of the others.
    quantum = max(MTU, min(rate // 10, 40 * MTU))
    kernel.tc("add-class", "htb", index, number, parent=WHOLE, rate=rate, ceil=ceiling, prio=min(at, 7),
              quantum=quantum)  # fmt: skip
    try:
        kernel.tc("add", "fq_codel", index, LEAVES + ((number & 0xFFFF) << 16), parent=number)
    except NetlinkError as error:  # a kernel without it: packets queue in the order in which they come
        log.debug("no_fq_codel", why=str(error))


def _add_filters(kernel: IPRoute, index: int, share: Share, number: int, at: int) -> None:
    """The mark is the upper six bits of IPv4's second byte, and of IPv6's traffic class behind its version."""
    keys = {IPV4: f"{share.dscp << 2:#x}/0xfc+1", IPV6: f"{share.dscp << 6:#x}/0x0fc0+0"}
    for turn, (protocol, key) in enumerate(keys.items()):
        kernel.tc("add-filter", "u32", index, parent=OURS, prio=2 * at + turn + 1, protocol=protocol, target=number,
                  keys=[key])  # fmt: skip
