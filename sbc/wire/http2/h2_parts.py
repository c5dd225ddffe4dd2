"""Parts of the engine on h2: what h2 leaves to its user, and what it leaves open to the other side."""

import re
from typing import Final

from hpack import Encoder

from sbc.model.http import Fields

_LARGEST_TABLE: Final = 4096
_HEAD_OCTETS: Final = 9
_RST_STREAM: Final = 0x3
_NAME = re.compile(rb":?[!#$%&'*+.^_`|~0-9a-z-]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")


def well_formed(fields: Fields) -> bool:
    """Whether names and values are such as HTTP/1.1 can carry, too (RFC 9110 section 5)."""
    return all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in fields)


def reset_streams(frames: bytes) -> list[int]:
    """The streams that are reset in a row of whole frames (RFC 9113 sections 4.1, 6.4)."""
    found, at = [], 0
    while at < len(frames):
        if frames[at + 3] == _RST_STREAM:
            found.append(int.from_bytes(frames[at + 5 : at + 9], "big"))
        at += _HEAD_OCTETS + int.from_bytes(frames[at : at + 3], "big")
    return found


class SmallEncoder(Encoder):
    """RFC 7541 section 4.2: the other side says how large a table may be, not how large it has to be."""

    @property
    def header_table_size(self) -> int:
        return int(self.header_table.maxsize)

    @header_table_size.setter
    def header_table_size(self, octets: int) -> None:
        self.header_table.maxsize = min(octets, _LARGEST_TABLE)
        if self.header_table.resized:
            self.table_size_changes.append(self.header_table.maxsize)
