"""What an edge may order of the warden, and how it is written: one JSON object a line, `order` first.

Both sides import this. An order says what is wanted in words and numbers that are checked here; no command of any
other program can be said with it.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address, ip_interface
from typing import Any, Final

import orjson

from sbc.model.errors import SbcError

LONGEST_LINE: Final = 16 * 1024
"""Bytes of an order or an answer."""
MOST_SHARES: Final = 8
DEVICE: Final = re.compile(r"[A-Za-z0-9_.@-]{1,15}")
"""IFNAMSIZ is 16 with the null byte at its end."""
SOURCE: Final = re.compile(r"[0-9a-f.:]{2,39}")
SLOWEST: Final = 8 * 1024
FASTEST: Final = 400 * 1000**3 // 8
"""Bytes a second of a device."""
LONGEST_BLOCK: Final = 7 * 24 * 3600
"""Seconds."""
LONGEST_ADDRESS: Final = 49
"""Characters of an address with its prefix."""
HIGHEST: Final = 2**53
"""Of numbers that come from clocks: milliseconds."""


class OrderError(SbcError):
    """An order that cannot be understood or carried out. The text says why."""


@dataclass(frozen=True, slots=True)
class Share:
    """What packets with one mark have of a device."""

    dscp: int
    """The mark, 0 to 63."""
    rate: int
    """Bytes a second that they have for certain; they may have more while nobody else needs it."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Let packets leave a device in the order of their marks: of `shares` the first before the second, and so on; what
    bears none of these marks comes after the first."""

    device: str
    rate: int
    """Bytes a second that leave it at most."""
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class Unshape:
    """Let a device be as it was."""

    device: str


@dataclass(frozen=True, slots=True)
class Block:
    """Drop whatever comes from a source."""

    source: str
    """An IPv4 address, or the first address of an IPv6 /64, in its shortest form."""
    seconds: int


@dataclass(frozen=True, slots=True)
class Unblock:
    """Drop it no more."""

    source: str


@dataclass(frozen=True, slots=True)
class Assign:
    """Give a device an address until then, and tell its neighbours; again: until later."""

    device: str
    address: str
    """With the length of its network's prefix, in its shortest form: 192.0.2.10/24."""
    until: int
    """Milliseconds of CLOCK_MONOTONIC, which edge and warden read alike: an order that was long on its way gives no
    longer than it was meant to."""
    number: int
    """Of the taking: of two edges of one machine, the one with the higher number has taken it later."""


@dataclass(frozen=True, slots=True)
class Release:
    """Take the address from the device."""

    device: str
    address: str


Order = Shape | Unshape | Block | Unblock | Assign | Release


def name_of(order: Order) -> str:
    """What an order is called on the wire and in metrics."""
    return type(order).__name__.lower()


def encode(order: Order) -> bytes:
    """An order as a line."""
    return orjson.dumps({"order": name_of(order), **_written(order)}) + b"\n"


def _written(order: Order) -> dict[str, Any]:
    match order:
        case Shape(device, rate, shares):
            return {"device": device, "rate": rate,
                    "shares": [{"dscp": share.dscp, "rate": share.rate} for share in shares]}
        case Unshape(device):
            return {"device": device}
        case Block(source, seconds):
            return {"source": source, "seconds": seconds}
        case Unblock(source):
            return {"source": source}
        case Assign(device, address, until, number):
            return {"device": device, "address": address, "until": until, "number": number}
        case Release(device, address):
            return {"device": device, "address": address}


def decode(line: bytes) -> Order:
    """The order in a line. Raises OrderError."""
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise OrderError("not JSON") from None
    if not isinstance(said, dict):
        raise OrderError("not a JSON object")
    name = said.pop("order", None)
    read = _READERS.get(name) if isinstance(name, str) else None
    if read is None:
        raise OrderError(f"no such order; there are: {', '.join(_READERS)}")
    return read(said)


def _shape(said: Mapping[str, Any]) -> Shape:
    _only(said, "device", "rate", "shares")
    rate, shares = _whole(said, "rate", SLOWEST, FASTEST), said["shares"]
    if not isinstance(shares, list) or not 1 <= len(shares) <= MOST_SHARES:
        raise OrderError(f"shares: 1 to {MOST_SHARES} of them")
    read = tuple(_share(share) for share in shares)
    if len({share.dscp for share in read}) < len(read):
        raise OrderError("shares: two for the same mark")
    if sum(share.rate for share in read) >= rate:
        raise OrderError("shares: together they leave nothing of the device's rate for others")
    return Shape(_device(said), rate, read)


def _share(said: object) -> Share:
    if not isinstance(said, dict):
        raise OrderError("shares: each is an object with dscp and rate")
    _only(said, "dscp", "rate")
    return Share(_whole(said, "dscp", 0, 63), _whole(said, "rate", 1, FASTEST))


def _unshape(said: Mapping[str, Any]) -> Unshape:
    _only(said, "device")
    return Unshape(_device(said))


def _block(said: Mapping[str, Any]) -> Block:
    _only(said, "source", "seconds")
    return Block(_source(said), _whole(said, "seconds", 1, LONGEST_BLOCK))


def _unblock(said: Mapping[str, Any]) -> Unblock:
    _only(said, "source")
    return Unblock(_source(said))


def _source(said: Mapping[str, Any]) -> str:
    text = said["source"]
    # No scope: whatever stands behind a "%" is taken for one.
    if isinstance(text, str) and SOURCE.fullmatch(text):
        with suppress(ValueError):
            address = ip_address(text)
            if str(address) == text and (isinstance(address, IPv4Address) or not int(address) & (1 << 64) - 1):
                return text
    raise OrderError("source: an IPv4 address, or the first one of an IPv6 /64")


def _assign(said: Mapping[str, Any]) -> Assign:
    _only(said, "device", "address", "until", "number")
    return Assign(_device(said), _address(said), _whole(said, "until", 0, HIGHEST), _whole(said, "number", 0, HIGHEST))


def _release(said: Mapping[str, Any]) -> Release:
    _only(said, "device", "address")
    return Release(_device(said), _address(said))


def _address(said: Mapping[str, Any]) -> str:
    text = said["address"]
    if isinstance(text, str) and len(text) <= LONGEST_ADDRESS and "%" not in text:
        with suppress(ValueError):
            address = ip_interface(text)
            if str(address) == text and not (address.ip.is_multicast or address.ip.is_unspecified):
                return text
    raise OrderError("address: one with its prefix, such as 192.0.2.10/24")


def _only(said: Mapping[str, Any], *names: str) -> None:
    if set(said) != set(names):
        raise OrderError(f"its fields are: {', '.join(names)}")


def _device(said: Mapping[str, Any]) -> str:
    device = said["device"]
    if not isinstance(device, str) or not DEVICE.fullmatch(device):
        raise OrderError("device: not the name of one")
    return device


def _whole(said: Mapping[str, Any], name: str, least: int, most: int) -> int:
    value = said[name]
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise OrderError(f"{name}: a whole number from {least} to {most}")
    return value


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Order]]] = {
    "shape": _shape, "unshape": _unshape, "block": _block, "unblock": _unblock, "assign": _assign,
    "release": _release,
}  # fmt: skip
