"""What neighbours are told of an address, octet by octet."""

import struct
from ipaddress import IPv4Address, IPv6Address

from sbc.kernel.neighbours import announcements

LINK = bytes.fromhex("020000000a01")


def test_of_ipv4_a_request_and_a_reply_go_to_everybody() -> None:
    request, reply = announcements(IPv4Address("192.0.2.10"), LINK)
    # RFC 826: Ethernet, IPv4, six and four octets; who asks, and whom for, is the same address (RFC 5227 section 2.3).
    head = "ffffffffffff" "020000000a01" "0806" "0001" "0800" "06" "04"
    assert request == bytes.fromhex(head + "0001" "020000000a01" "c000020a" "000000000000" "c000020a")
    assert reply == bytes.fromhex(head + "0002" "020000000a01" "c000020a" "ffffffffffff" "c000020a")


def test_of_ipv6_an_advertisement_overrides_what_all_nodes_know() -> None:
    [frame] = announcements(IPv6Address("2001:db8::10"), LINK)
    ethernet, head, body = frame[:14], frame[14:54], frame[54:]
    assert ethernet == bytes.fromhex("333300000001") + LINK + bytes.fromhex("86dd")
    version, length, follows, hops = struct.unpack("!IHBB", head[:8])
    assert (version >> 28, length, follows, hops) == (6, len(body), 58, 255)
    address, everybody = IPv6Address(head[8:24]), IPv6Address(head[24:40])
    assert (str(address), str(everybody)) == ("2001:db8::10", "ff02::1")
    # RFC 4861 section 4.4: nobody has asked (S is 0), and it overrides (O is 1); then the address, then the option.
    assert body[:2] == b"\x88\x00" and body[4:8] == b"\x20\x00\x00\x00"
    assert body[8:24] == address.packed and body[24:] == b"\x02\x01" + LINK
    summed = head[8:40] + struct.pack("!II", len(body), 58) + body
    total = sum(struct.unpack(f"!{len(summed) // 2}H", summed))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert total == 0xFFFF, "RFC 4443 section 2.3"
