"""The first bytes of a datagram, before it is known whose it is: what is the same in every version of QUIC (RFC 8999),
and of version 1 what a door has to know (RFC 9000 section 17.2)."""

import os
from dataclasses import dataclass
from enum import Enum
from typing import Final

from aioquic.quic.packet import encode_quic_retry

from sbc.wire.http3.frames import read_varint

CONNECTION_ID_OCTETS: Final = 8
"""How long the ids are that the edge gives its connections; the first byte is the worker's number."""
VERSIONS: Final = (0x00000001,)
"""RFC 9000 section 15: the versions that are spoken."""

_LONG = 0x80
_FIXED = 0x40
_LONGEST_ID: Final = 20
"""Of version 1; RFC 8999 would allow 255."""


class Kind(Enum):
    """What stands first in a datagram."""

    INITIAL = "initial"
    ZERO_RTT = "0-rtt"
    HANDSHAKE = "handshake"
    RETRY = "retry"
    NEGOTIATION = "negotiation"
    OTHER_VERSION = "other version"
    """With a long header of a version that is not spoken."""
    SHORT = "short"


_KINDS: Final = (Kind.INITIAL, Kind.ZERO_RTT, Kind.HANDSHAKE, Kind.RETRY)


@dataclass(frozen=True, slots=True)
class Header:
    """The head of a datagram's first packet."""

    kind: Kind
    version: int
    """0 for a short header, and for a version negotiation."""
    destination: bytes
    source: bytes
    token: bytes
    """Of an Initial."""


def read_header(datagram: bytes) -> Header | None:
    """What a datagram begins with; None: nothing that makes sense."""
    if not datagram:
        return None
    first = datagram[0]
    if not first & _LONG:
        ours = datagram[1 : 1 + CONNECTION_ID_OCTETS]
        if not first & _FIXED or len(ours) < CONNECTION_ID_OCTETS:
            return None
        return Header(Kind.SHORT, 0, ours, b"", b"")
    version = int.from_bytes(datagram[1:5], "big")
    destination, at = _opaque(datagram, 5)
    source, at = _opaque(datagram, at)
    if at < 0:
        return None
    if version == 0:
        return Header(Kind.NEGOTIATION, 0, destination, source, b"")
    if version not in VERSIONS:
        return Header(Kind.OTHER_VERSION, version, destination, source, b"")
    if not first & _FIXED or len(destination) > _LONGEST_ID or len(source) > _LONGEST_ID:
        return None
    kind = _KINDS[first >> 4 & 0x3]
    token = b""
    if kind is Kind.INITIAL:
        length, at = read_varint(datagram, at)
        if at < 0 or at + length > len(datagram):
            return None
        token = datagram[at : at + length]
    return Header(kind, version, destination, source, token)


def _opaque(datagram: bytes, at: int) -> tuple[bytes, int]:
    """Bytes behind their length; (empty, -1) if they are not all there."""
    if not 0 <= at < len(datagram):
        return b"", -1
    end = at + 1 + datagram[at]
    return (datagram[at + 1 : end], end) if end <= len(datagram) else (b"", -1)


def version_negotiation(header: Header) -> bytes:
    """The answer to a datagram of another version (RFC 8999 section 6), with a version that nobody speaks so that
    clients go on expecting such (RFC 9000 section 15)."""
    noise = os.urandom(5)
    reserved = bytes([octet & 0xF0 | 0x0A for octet in noise[1:]])
    versions = b"".join([version.to_bytes(4, "big") for version in VERSIONS])
    return b"".join([
        bytes([noise[0] | _LONG | _FIXED]), bytes(4), bytes([len(header.source)]), header.source,
        bytes([len(header.destination)]), header.destination, versions, reserved,
    ])  # fmt: skip


def retry(header: Header, connection_id: bytes, token: bytes) -> bytes:
    """The answer to an Initial that its client has to send again, with the token and to another id (RFC 9000 section
    17.2.5)."""
    return encode_quic_retry(
        version=header.version, source_cid=connection_id, destination_cid=header.source,
        original_destination_cid=header.destination, retry_token=token,
    )  # fmt: skip
