"""The PROXY protocol, versions 1 and 2, as read from the first bytes of a connection: for whom a TCP proxy speaks.

https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt; the sections cited here are its own. What is not exactly as
it says is refused: whoever could have a header of his own making believed could be anybody.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

LONGEST_V1: Final = 107
"""Section 2.1: bytes of a whole line."""
LONGEST_V2: Final = 4096
"""Bytes of a whole header. The addresses need 232 at most (section 2.2); the rest is for what else a proxy tells."""

_V1: Final = b"PROXY "
_V2: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_FIXED: Final = 16
_PORT = r"(0|[1-9][0-9]{0,4})"
_LINE: Final = re.compile(rf"PROXY (?:UNKNOWN(?: [ -~]*)?|TCP([46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) {_PORT} {_PORT})")
_ADDRESSES: Final = {0x00: 0, 0x11: 12, 0x21: 36, 0x31: 216}
"""How many bytes of addresses there are, by family and transport: TCP over IPv4 and IPv6, and stream sockets of UNIX. A
datagram does not come over TCP."""
_LOCAL, _PROXY = 0, 1
_CRC32C: Final = 0x03


class Malformed(Exception):
    """No header of the PROXY protocol, or one that breaks its rules."""


@dataclass(frozen=True, slots=True)
class Introduction:
    """A header."""

    client: str | None
    """The address for which the proxy speaks; None: for itself, or for one that has no IP address."""
    octets: int
    """How long it is; what the client says begins behind it."""


def begins(data: bytes) -> bool:
    """Whether this may be the beginning of a header. Nothing at all may be."""
    return any(data.startswith(mark) or mark.startswith(data) for mark in (_V1, _V2))


def read(data: bytes) -> Introduction | None:
    """The header at the beginning of a connection; None: it is not whole yet. Raises Malformed."""
    if data.startswith(_V2):
        return _read_v2(data)
    if data.startswith(_V1):
        return _read_v1(data)
    if not begins(data):
        raise Malformed("it begins with something else")
    return None


# Version 1 (section 2.1).


def _read_v1(data: bytes) -> Introduction | None:
    end = data.find(b"\n", 0, LONGEST_V1)
    if end < 0:
        if len(data) >= LONGEST_V1:
            raise Malformed("a line without an end")
        return None
    try:
        line = data[:end].decode("ascii")
    except UnicodeDecodeError:
        raise Malformed("a line that is not ASCII") from None
    if not line.endswith("\r"):
        raise Malformed("a line without CR")
    match = _LINE.fullmatch(line[:-1])
    if match is None:
        raise Malformed("not a proper line")
    if match[1] is None:
        return Introduction(None, end + 1)
    kind = IPv4Address if match[1] == "4" else IPv6Address
    try:
        client, _ = kind(match[2]), kind(match[3])
    except ValueError:
        raise Malformed("not a proper address") from None
    if int(match[4]) > 65535 or int(match[5]) > 65535:
        raise Malformed("not a proper port")
    return Introduction(_usual(client), end + 1)


# Version 2 (section 2.2).


def _read_v2(data: bytes) -> Introduction | None:
    if len(data) < _FIXED:
        return None
    version, command = data[12] >> 4, data[12] & 0x0F
    if version != 2 or command not in (_LOCAL, _PROXY):
        raise Malformed("another version, or an unknown command")
    end = _FIXED + int.from_bytes(data[14:16])
    if end > LONGEST_V2:
        raise Malformed("too long")
    if len(data) < end:
        return None
    if command == _LOCAL:
        return Introduction(None, end)  # the rest is to be skipped, whatever it is
    addresses = _ADDRESSES.get(data[13])
    if addresses is None or end < _FIXED + addresses:
        raise Malformed("not the addresses of a stream")
    _check_extras(data[:end], _FIXED + addresses)
    match data[13]:
        case 0x11:
            return Introduction(_usual(IPv4Address(data[_FIXED : _FIXED + 4])), end)
        case 0x21:
            return Introduction(_usual(IPv6Address(data[_FIXED : _FIXED + 16])), end)
        case _:
            return Introduction(None, end)


def _usual(address: IPv4Address | IPv6Address) -> str:
    """The one form of an address: an IPv4 client of a proxy that listens on IPv6 alone is an IPv4 client."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _check_extras(header: bytes, at: int) -> None:
    """What comes behind the addresses is skipped, but must be whole, and a checksum right (section 2.2.2)."""
    sums = 0
    while at < len(header):
        value = at + 3
        end = value + int.from_bytes(header[at + 1 : value])
        if value > len(header) or end > len(header):
            raise Malformed("something that is not whole")
        if header[at] == _CRC32C:
            sums += 1
            bare = header[:value] + bytes(4) + header[end:]
            if sums > 1 or end - value != 4 or crc32c(bare) != int.from_bytes(header[value:end]):
                raise Malformed("a checksum that is wrong")
        at = end


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


_TABLE: Final = _table()


def crc32c(data: bytes) -> int:
    """The checksum of RFC 3309 appendix B."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF
