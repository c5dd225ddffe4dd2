"""What neighbours are told of an address that has come to a device: frames, and who sends them (AF_PACKET, packet(7)).

Neighbours remember for minutes which machine an address is at. An announcement corrects that at once: for IPv4 a
gratuitous ARP request and a reply (RFC 5227 section 3: some hear only the one, some only the other), for IPv6 an
unsolicited neighbour advertisement with the override flag (RFC 4861 section 7.2.6). Both go over one packet socket,
which needs CAP_NET_RAW: nothing else does that the warden is asked for.
"""

import socket
import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from sbc.kernel.orders import OrderError

ETHERNET: Final = 1
"""ARPHRD_ETHER: the kind of devices whose neighbours have to be told."""
LENGTH: Final = 6
"""Bytes of an Ethernet address."""
ARP: Final = 0x0806
IPV6: Final = 0x86DD
ICMPV6: Final = 58
REQUEST, REPLY = 1, 2
ADVERTISEMENT: Final = 136
OVERRIDE: Final = 0x20000000
LINK_ADDRESS: Final = 2
"""The option of an advertisement that has the address on the link, of one unit of eight bytes."""
EVERYBODY: Final = b"\xff" * LENGTH
ALL_NODES: Final = IPv6Address("ff02::1")
ALL_NODES_LINK: Final = bytes.fromhex("333300000001")
"""RFC 2464 section 7."""


def announcements(address: IPv4Address | IPv6Address, link: bytes) -> Sequence[bytes]:
    """The frames that say that an address is at the device whose Ethernet address is `link`."""
    if isinstance(address, IPv6Address):
        return (_advertisement(address, link),)
    return _arp(REQUEST, address, link), _arp(REPLY, address, link)


def _arp(operation: int, address: IPv4Address, link: bytes) -> bytes:
    # RFC 5227 section 2.3: sender and target are the same address. The reply's target on the link is everybody.
    whom = EVERYBODY if operation == REPLY else bytes(LENGTH)
    return (EVERYBODY + link + struct.pack("!HHHBBH", ARP, ETHERNET, 0x0800, LENGTH, 4, operation)
            + link + address.packed + whom + address.packed)


def _advertisement(address: IPv6Address, link: bytes) -> bytes:
    body = (struct.pack("!BBHI", ADVERTISEMENT, 0, 0, OVERRIDE) + address.packed
            + struct.pack("!BB", LINK_ADDRESS, 1) + link)
    pseudo = address.packed + ALL_NODES.packed + struct.pack("!II", len(body), ICMPV6)
    body = body[:2] + struct.pack("!H", _checksum(pseudo + body)) + body[4:]
    # Hop limit 255 (RFC 4861 section 4.4): what a router has passed on is not believed.
    head = struct.pack("!IHBB", 6 << 28, len(body), ICMPV6, 255) + address.packed + ALL_NODES.packed
    return ALL_NODES_LINK + link + struct.pack("!H", IPV6) + head + body


def _checksum(octets: bytes) -> int:
    """RFC 1071; the length is even here."""
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Crier:
    """Tells the neighbours of one device."""

    def __init__(self, device: str) -> None:
        """Raises OrderError: no privilege for it, or no such device."""
        try:
            # Protocol 0: it hears nothing.
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        except PermissionError:
            raise OrderError("to tell neighbours of an address takes CAP_NET_RAW: systemd/README.md") from None
        except OSError as error:
            raise OrderError(f"neighbours cannot be told: {error.strerror}") from None
        try:
            self._socket.bind((device, 0))
        except OSError as error:
            self._socket.close()
            raise OrderError(f"{device}: {error.strerror}") from None

    def cry(self, address: IPv4Address | IPv6Address) -> None:
        """Say it once. Raises OSError. A device without Ethernet has nobody to be told."""
        # Asked each time: the address on the link of a bond or a bridge may change.
        _, _, _, kind, link = self._socket.getsockname()
        if kind == ETHERNET:
            for frame in announcements(address, link):
                self._socket.send(frame)

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()
