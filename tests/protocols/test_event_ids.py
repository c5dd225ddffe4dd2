"""Ids of the edge's own making: what they say, and that nothing else is taken for one."""

import pytest

from sbc.protocols.event_ids import EventId, before_number, handle_of, new_handle, read_id
from sbc.protocols.protocol import Key


def test_ids_say_where_they_stand() -> None:
    handle = new_handle()
    assert handle != new_handle()
    assert read_id(before_number("", 7) + b"12") == EventId("", 7, 12)
    assert read_id(before_number(handle, 7) + b"12") == EventId(handle, 7, 12)
    assert handle_of(before_number(handle, 7) + b"12") == Key("stream", handle)
    assert handle_of(b"sbc-7-12") is None
    assert len(before_number(handle, 7)) - len(before_number("", 7)) == 17


@pytest.mark.parametrize("identity", [
    b"", b"7-12", b"sbc-", b"sbc-7", b"sbc-7-", b"sbc-7-x", b"sbc--7-12", b"sbc-abc-7-12", b"sbc-7-12 ", b"sbc-7-12\n",
    b"sbc-0123456789ABCDEF-7-12", b"sbc-7-" + b"9" * 30, b"xsbc-7-12", b"sbc-0123456789abcdef-7", b"sbc-\xff-1-2",
])  # fmt: skip
def test_what_is_none(identity: bytes) -> None:
    assert read_id(identity) is None and handle_of(identity) is None
