"""Field sections: QPACK without its dynamic table, and the form of what stands in them (RFC 9204, RFC 9114 section 4).

With no dynamic table (a capacity of 0 is announced, and the other side's is not used) a section depends on nothing
but itself: none can wait for another (no blocked streams), and a bad one is its stream's fault alone.
"""

import re
from typing import Final

from pylsqpack import Decoder, DecoderStreamError, DecompressionFailed, Encoder, EncoderStreamError, StreamBlocked

from sbc.model.http import Fields
from sbc.wire.http3.frames import Fault, H3Error

MOST_FIELDS: Final = 1000
"""Beyond which a section is not looked at; how many are taken is for the owner to say."""
_FIELD_OVERHEAD: Final = 32
"""RFC 9114 section 4.2.2."""

_NAMES = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9a-z-]+\n)*")
_VALUES = re.compile(rb"[\t\n\x20-\x7e\x80-\xff]*")
_PSEUDO: Final = frozenset({b":method", b":scheme", b":authority", b":path", b":protocol"})
_OF_CONNECTIONS: Final = frozenset({
    b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade",
})  # fmt: skip


class Malformed(Exception):
    """A message that is to be treated as malformed (RFC 9114 section 4.1.2)."""


class TooLarge(Exception):
    """A field section that is not worth reading."""


class Coder:
    """Both directions of one connection."""

    __slots__ = ("_decoder", "_encoder", "_most_octets")

    def __init__(self, most_octets: int) -> None:
        """most_octets: how long a decoded section may be (RFC 9114 section 4.2.2)."""
        self._decoder = Decoder(0, 0)
        self._encoder = Encoder()
        self._most_octets = most_octets

    def encode(self, stream: int, fields: Fields) -> bytes:
        """A field section; empty if there is a field that none can carry: without a name, or longer than 64 KiB."""
        try:
            _, section = self._encoder.encode(stream, fields)
        except ValueError:
            return b""
        return section

    def decode(self, stream: int, section: bytes) -> Fields:
        """Raises Fault or TooLarge."""
        # A field of one byte may stand for 108: they are counted before anything is made of them.
        if len(section) > MOST_FIELDS and count_fields(section, MOST_FIELDS) > MOST_FIELDS:
            raise TooLarge
        try:
            _, fields = self._decoder.feed_header(stream, section)
        except (DecompressionFailed, StreamBlocked):
            raise Fault(H3Error.QPACK_DECOMPRESSION_FAILED, "a field section that cannot be read") from None
        size = sum([len(name) + len(value) for name, value in fields]) + _FIELD_OVERHEAD * len(fields)
        if size > self._most_octets or len(fields) > MOST_FIELDS:
            raise TooLarge
        return fields

    def instructed(self, data: bytes) -> None:
        """What came on the other side's encoder stream. Raises Fault."""
        try:
            self._decoder.feed_encoder(data)
        except EncoderStreamError:
            raise Fault(H3Error.QPACK_ENCODER_STREAM_ERROR, "there is no dynamic table here") from None

    def acknowledged(self, data: bytes) -> None:
        """What came on the other side's decoder stream. Raises Fault."""
        try:
            self._encoder.feed_decoder(data)
        except DecoderStreamError:
            raise Fault(H3Error.QPACK_DECODER_STREAM_ERROR, "nothing was sent that this could be about") from None


def count_fields(section: bytes, most: int) -> int:
    """How many fields stand in an encoded section; no more than one above `most` (RFC 9204 section 4.5)."""
    end = len(section)
    _, at = _integer(section, 0, 0xFF)
    _, at = _integer(section, at, 0x7F)
    count = 0
    while at < end and count <= most:
        count += 1
        first = section[at]
        if first & 0x80:  # indexed
            _, at = _integer(section, at, 0x3F)
        elif first & 0x40:  # its name is indexed
            _, at = _integer(section, at, 0x0F)
            length, at = _integer(section, at, 0x7F)
            at += length
        elif first & 0x20:
            length, at = _integer(section, at, 0x07)
            length, at = _integer(section, at + length, 0x7F)
            at += length
        else:  # of the dynamic table that there is not
            break
    return count


def _integer(section: bytes, at: int, prefix: int) -> tuple[int, int]:
    """RFC 7541 section 5.1: the number at `section[at]`, and where it ends. Behind the end it is 0."""
    if at >= len(section):
        return 0, at
    value = section[at] & prefix
    at += 1
    if value < prefix:
        return value, at
    shift = 0
    while at < len(section):
        octet = section[at]
        at += 1
        value += (octet & 0x7F) << shift
        shift += 7
        if octet < 0x80:
            break
    return value, at


def check_request(fields: Fields) -> None:
    """Raise Malformed for the head of a request that is not well-formed (RFC 9114 section 4.3.1, RFC 9220)."""
    seen: dict[bytes, bytes] = {}
    for name, value in fields:
        if name[:1] != b":":
            break
        if name not in _PSEUDO or name in seen:
            raise Malformed(f"pseudo-header {name[:40]!r}")
        seen[name] = value
    _check(fields[len(seen):])
    _check_values(list(seen.values()))
    if b":method" not in seen:
        raise Malformed("no :method")
    if b":protocol" in seen and seen[b":method"] != b"CONNECT":
        raise Malformed(":protocol without CONNECT")
    if seen[b":method"] == b"CONNECT" and b":protocol" not in seen:
        if b":scheme" in seen or b":path" in seen:
            raise Malformed("CONNECT with a :path")
    elif b":scheme" not in seen or not seen.get(b":path"):
        raise Malformed("no :scheme, or no :path")


def check_trailers(fields: Fields) -> None:
    """Raise Malformed for trailers that are not well-formed."""
    _check(fields)


def _check(fields: Fields) -> None:
    """Names and values such as HTTP/1.1 can carry, too, and nothing that is about a connection (section 4.2)."""
    # In one go: a line break would stand out, as there would be more of them than names.
    names = b"".join([name + b"\n" for name, _ in fields])
    if not _NAMES.fullmatch(names) or names.count(b"\n") != len(fields):
        raise Malformed("a field name")
    _check_values([value for _, value in fields])
    for name, value in fields:
        if name in _OF_CONNECTIONS or (name == b"te" and value.lower() != b"trailers"):
            raise Malformed(f"{name!r} is of HTTP/1.1")


def _check_values(values: list[bytes]) -> None:
    text = b"\n".join(values)
    if not _VALUES.fullmatch(text) or text.count(b"\n") > max(0, len(values) - 1):
        raise Malformed("a field value")
