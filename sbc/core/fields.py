"""What is done with the header fields of every request and answer, on raw bytes.

In a compiled build _fields.pyx puts C twins of the same names in their place.
"""

from collections.abc import Set

from sbc.model.http import Fields

PROPER, UNDERSCORED, ODD = 0, 1, 2
"""What `form_of` finds: nothing to object to, a name with `_` in it, a character that has no place where it stands."""

_TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
_CONTROLS = bytes(code for code in range(32) if code != 9) + b"\x7f"


def form_of(fields: Fields) -> int:
    """Whether all names are tokens in lower case, and no value has a control character (RFC 9110 section 5)."""
    names = b"".join([name for name, _ in fields])
    values = b"".join([value for _, value in fields])
    if names.translate(None, _TOKEN) or len(values.translate(None, _CONTROLS)) < len(values):
        return ODD
    return UNDERSCORED if b"_" in names else PROPER


def without(fields: Fields, names: Set[bytes], prefixes: tuple[bytes, ...]) -> Fields:
    """The fields that have none of these names, and none that begins like this."""
    return [field for field in fields if field[0] not in names and not field[0].startswith(prefixes)]


def parted(fields: Fields, names: Set[bytes]) -> tuple[Fields, Fields]:
    """The fields of other names, and those of these."""
    return [field for field in fields if field[0] not in names], [field for field in fields if field[0] in names]


def unbroken(text: bytes) -> bool:
    """Whether this can stand in one line: no CR, no LF."""
    return b"\n" not in text and b"\r" not in text


def lines_of(fields: Fields) -> bytes | None:
    """The fields as lines of an HTTP/1.1 head; None if one has a character that would break its line."""
    lines = b"".join([b"%b: %b\r\n" % field for field in fields])
    whole = lines.count(b"\n") == lines.count(b"\r") == len(fields) and b"\0" not in lines
    return lines if whole else None
