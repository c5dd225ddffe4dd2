"""The few operations on raw bytes that the relay path and every request stand on.

In a compiled build octets.pxd puts inlined C twins of the same names in their place.
"""


def cut(data: bytes, start: int, end: int) -> bytes:
    """data[start:end], which has to lie within."""
    return data[start:end]


def index(data: bytes, octet: int) -> int:
    """Where an octet stands first; -1: nowhere."""
    return data.find(octet)


def decimal(number: int) -> bytes:
    """A number, which must not be negative, in digits."""
    return b"%d" % number


def number_of(digits: bytes, longest: int) -> int:
    """The number that these digits are; -1: they are none, or more than `longest`, of which 18 are the most."""
    return int(digits) if digits.isdigit() and len(digits) <= longest else -1


def in_eight(number: int) -> bytes:
    """A number in eight octets, the greatest first."""
    return number.to_bytes(8, "big")


def copy_into(buffer: bytearray, at: int, source: bytes, start: int, end: int) -> None:
    """Copy source[start:end] to buffer[at:], without changing the buffer's length."""
    buffer[at : at + end - start] = source[start:end]


def put_length(buffer: bytearray, at: int, length: int) -> None:
    """Write a length into four bytes, little-endian."""
    buffer[at : at + 4] = length.to_bytes(4, "little")


def get_length(buffer: bytearray, at: int) -> int:
    """Read what put_length wrote."""
    return int.from_bytes(buffer[at : at + 4], "little")


_HIGH = bytes(range(128, 256))


def ascii_text(data: bytes, start: int, end: int, mask_at: int) -> bool:
    """Whether data[start:end], unmasked with the four bytes at `mask_at` (-1: not masked), is plain ASCII.

    A masked byte is ASCII exactly if its highest bit is that of its mask byte, so nothing needs to be unmasked.
    """
    if mask_at < 0:
        return data[start:end].isascii()
    for lane in range(4):
        octets = data[start + lane : end : 4]
        if data[mask_at + lane] < 128:
            if not octets.isascii():
                return False
        elif octets.translate(None, _HIGH):
            return False
    return True


def unmasked(data: bytes, start: int, end: int, mask_at: int) -> bytes:
    """data[start:end] with the mask at `mask_at` taken off (RFC 6455 section 5.3); -1: not masked."""
    if mask_at < 0:
        return data[start:end]
    length = end - start
    key = data[mask_at : mask_at + 4] * (length // 4 + 1)
    return (int.from_bytes(data[start:end], "little") ^ int.from_bytes(key[:length], "little")).to_bytes(
        length, "little"
    )


def decodes(data: bytes, start: int, end: int, mask_at: int) -> bool:
    """Whether data[start:end], unmasked, is UTF-8."""
    try:
        unmasked(data, start, end, mask_at).decode()
    except UnicodeDecodeError:
        return False
    return True
