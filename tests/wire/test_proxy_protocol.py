"""The PROXY protocol, byte by byte."""

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbc.wire.proxy_protocol import LONGEST_V1, LONGEST_V2, Introduction, Malformed, begins, crc32c, read

MARK = b"\r\n\r\n\0\r\nQUIT\n"
V4 = bytes([192, 0, 2, 1, 10, 0, 0, 1]) + struct.pack("!HH", 4711, 443)
V6 = ip_address("2001:db8::1").packed + ip_address("fd00::1").packed + struct.pack("!HH", 4711, 443)
UNIX = bytes(216)


def v2(family: int, payload: bytes, command: int = 0x21, length: int | None = None) -> bytes:
    return MARK + struct.pack("!BBH", command, family, len(payload) if length is None else length) + payload


def extra(kind: int, value: bytes, length: int | None = None) -> bytes:
    return struct.pack("!BH", kind, len(value) if length is None else length) + value


def summed(family: int, addresses: bytes, *extras: bytes) -> bytes:
    """With a checksum in the midst of the extras."""
    before, after = extras[:1], extras[1:]
    bare = v2(family, b"".join((addresses, *before, extra(3, bytes(4)), *after)))
    at = 16 + len(addresses) + len(b"".join(before)) + 3
    return bare[:at] + struct.pack("!I", crc32c(bare)) + bare[at + 4 :]


GOOD = [
    (b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 443\r\n", "192.0.2.1"),
    (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255"),
    (b"PROXY TCP4 192.0.2.1 10.0.0.1 0 0\r\n", "192.0.2.1"),
    (b"PROXY TCP6 2001:DB8:0::1 ::1 4711 443\r\n", "2001:db8::1"),
    (b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:10.0.0.1 4711 443\r\n", "192.0.2.1"),
    (b"PROXY TCP6 " + b" ".join([b"ffff:" * 7 + b"ffff"] * 2) + b" 65535 65535\r\n",
     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN " + b" ".join([b"ffff:" * 7 + b"ffff"] * 2) + b" 65535 65535\r\n", None),
    (v2(0x11, V4), "192.0.2.1"),
    (v2(0x21, V6), "2001:db8::1"),
    (v2(0x21, ip_address("::ffff:192.0.2.1").packed + V6[16:]), "192.0.2.1"),
    (v2(0x31, UNIX), None),
    (v2(0x00, b""), None),
    (v2(0x00, extra(4, b"")), None),
    (v2(0x11, V4, command=0x20), None),
    (v2(0xFF, b"whatever", command=0x20), None),
    (v2(0x00, b"", command=0x20), None),
    (v2(0x11, V4 + extra(4, bytes(9)) + extra(0xEA, b"vpce-1") + extra(0x20, b"\x01" + bytes(4))), "192.0.2.1"),
    (v2(0x11, V4 + extra(4, bytes(LONGEST_V2 - 16 - 12 - 3))), "192.0.2.1"),
    (summed(0x11, V4), "192.0.2.1"),
    (summed(0x21, V6, extra(1, b"h2"), extra(2, b"edge.test")), "2001:db8::1"),
]

BAD = [
    b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", b"PROXX", b"proxy TCP4 ", b" PROXY TCP4 ",
    b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 443\n", b"PROXY  TCP4 192.0.2.1 10.0.0.1 4711 443\r\n",
    b"PROXY TCP4 192.0.2.1  10.0.0.1 4711 443\r\n", b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 443 \r\n",
    b"PROXY TCP4\t192.0.2.1 10.0.0.1 4711 443\r\n", b"PROXY TCP4 192.0.2.1 10.0.0.1 4711\r\n",
    b"PROXY TCP4 192.0.2.01 10.0.0.1 4711 443\r\n", b"PROXY TCP4 192.0.2 10.0.0.1 4711 443\r\n",
    b"PROXY TCP4 192.0.2.1 x 4711 443\r\n", b"PROXY TCP4 ::1 ::1 4711 443\r\n",
    b"PROXY TCP6 192.0.2.1 10.0.0.1 4711 443\r\n", b"PROXY TCP6 fe80::1%lo ::1 4711 443\r\n",
    b"PROXY TCP4 192.0.2.1 10.0.0.1 65536 443\r\n", b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 99999\r\n",
    b"PROXY TCP4 192.0.2.1 10.0.0.1 04711 443\r\n", b"PROXY TCP4 192.0.2.1 10.0.0.1 +1 443\r\n",
    b"PROXY TCP4 192.0.2.1 10.0.0.1 -1 443\r\n", b"PROXY TCP4 192.0.2.1 10.0.0.1 1_0 443\r\n",
    b"PROXY UDP4 192.0.2.1 10.0.0.1 4711 443\r\n", b"PROXY UNKNOWNS\r\n", b"PROXY UNKNOWN a\rb\r\n", b"PROXY \r\n",
    b"PROXY UNKNOWN \xff\r\n", b"PROXY TCP4 \xd9\xa1.2.3.4 10.0.0.1 4711 443\r\n",
    b"PROXY UNKNOWN " + b"x" * LONGEST_V1, b"PROXY UNKNOWN " + b"x" * (LONGEST_V1 - 15) + b"\r\n",
    v2(0x11, V4, command=0x11), v2(0x11, V4, command=0x31), v2(0x11, V4, command=0x22),
    v2(0x12, V4), v2(0x22, V6), v2(0x32, UNIX), v2(0x10, V4), v2(0x13, V4), v2(0x41, V4), v2(0x01, V4),
    v2(0x11, V4[:-1]), v2(0x21, V6[:-1]), v2(0x21, V4), v2(0x31, UNIX[:-1]), v2(0x11, b""),
    v2(0x11, V4 + b"\x04"), v2(0x11, V4 + b"\x04\0"), v2(0x11, V4 + extra(4, b"ab", length=3)),
    v2(0x11, V4, length=LONGEST_V2 - 15), v2(0x11, V4, length=65535), v2(0, b"", command=0x20, length=65535),
    v2(0x11, V4 + extra(3, b"1234")), v2(0x11, V4 + extra(3, b"12")), v2(0x11, V4 + extra(3, b"")),
    summed(0x11, V4)[:-1] + b"\0", summed(0x11, V4, extra(3, bytes(4))),
]


@pytest.mark.parametrize(("header", "client"), GOOD)
def test_headers(header: bytes, client: str | None) -> None:
    assert read(header) == Introduction(client, len(header))
    assert read(header + b"GET / HTTP/1.1\r\n") == Introduction(client, len(header))


@pytest.mark.parametrize("header", [header for header, _ in GOOD])
def test_headers_that_come_byte_by_byte(header: bytes) -> None:
    assert [end for end in range(len(header)) if read(header[:end]) is not None] == []
    assert all(begins(header[:end]) for end in range(len(header)))


@pytest.mark.parametrize("header", BAD)
def test_headers_that_break_the_rules(header: bytes) -> None:
    with pytest.raises(Malformed):
        read(header + b"GET / HTTP/1.1\r\n" if header.endswith(b"\n") else header)


def test_a_header_is_waited_for_only_within_its_bound() -> None:
    line = b"PROXY UNKNOWN " + b"x" * LONGEST_V1
    assert read(line[: LONGEST_V1 - 1]) is None
    with pytest.raises(Malformed):
        read(line[:LONGEST_V1])


def test_what_is_no_header_is_known_at_once() -> None:
    assert [begins(data) for data in (b"", b"P", b"\r\n\r\n", b"PROXY TCP4")] == [True] * 4
    assert [begins(data) for data in (b"POST / ", b"PRI * HTTP", b"\x16\x03", b"\r\n\r\nG", b"\r\nGET")] == [False] * 5


def test_the_checksum_is_that_of_the_standard() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720 appendix B.4


@given(st.one_of(
    st.binary(max_size=300),
    st.binary(max_size=120).map(lambda rest: b"PROXY " + rest),
    st.text("TCP46UNKOW 0123456789abf:.\r\n", max_size=120).map(lambda rest: b"PROXY " + rest.encode()),
    st.builds(lambda command, family, length, rest: MARK + struct.pack("!BBH", command, family, length) + rest,
              st.sampled_from([0x20, 0x21, 0x11, 0]), st.sampled_from([0, 0x11, 0x21, 0x31, 0x12]),
              st.integers(0, 300), st.binary(max_size=300)),
    st.sampled_from([header for header, _ in GOOD]).flatmap(
        lambda header: st.tuples(st.integers(0, len(header) - 1), st.integers(0, 255)).map(
            lambda change: header[: change[0]] + bytes([change[1]]) + header[change[0] + 1 :])),
))
def test_whatever_comes_is_a_header_or_too_little_or_refused(data: bytes) -> None:
    try:
        found = read(data)
    except Malformed:
        return
    if found is None:
        assert len(data) < LONGEST_V2
        return
    assert 0 < found.octets <= min(len(data), LONGEST_V2)
    assert found.client is None or str(ip_address(found.client)) == found.client
    assert read(data[: found.octets]) == found
    with_less = data[: found.octets - 1]
    assert read(with_less) is None
