"""What is asked of events and done to them on the quick way is the same in C and in Python."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.twins import TWINS, Twin

BOTH = pytest.mark.parametrize("twin", TWINS, ids=repr)
BITS = st.lists(st.sampled_from([b"a", b"i", b"d", b":", b"\n", b"\r", b"\r\n", b"id"]), max_size=12).map(b"".join)


@BOTH
@pytest.mark.parametrize(("data", "end"), [
    (b"", 0), (b"\n", 0), (b"\n\n", 0), (b"a", 0), (b"a\n", 0), (b"a\n\n", 3), (b"a\n\nb\n\n", 3), (b"a\n\n\n", 3),
    (b"a\r\n\r\n", 5), (b"a\r\n\r", 0), (b"a\r\n\n", 4), (b"a\n\r\n", 4), (b"a\r\r", 0), (b"a\rb\n\n", 0),
    (b"a\r\r\n\n", 0), (b"a\nb\n\n", 5),
])  # fmt: skip
def test_an_event_ends_with_its_blank_line(twin: Twin, data: bytes, end: int) -> None:
    assert twin.lines.event_end(data, 0) == end
    assert twin.lines.event_end(b"x\n\n" + data, 3) == (end and end + 3)


@BOTH
@given(data=BITS, before=BITS)
def test_lines_are_told_from_what_only_looks_like_one(twin: Twin, data: bytes, before: bytes) -> None:
    assert bool(twin.lines.may_have_id(data)) == any(line.startswith(b"id") for line in data.splitlines())
    ends = {one.lines.event_end(before + data, len(before)) for one in TWINS}
    assert len(ends) == 1


@BOTH
@pytest.mark.parametrize(("read", "plain"), [
    (b"data: x\n\n", True), (b"data:\n\n", True), (b"event: a\ndata: x\ndata: y\n\n", True),
    (b": c\ndata: x\n\n", True),
    (b"", False), (b"\n", False), (b"data:", False), (b"data: x", False), (b"data: x\n", False), (b"data\n\n", False),
    (b"\ndata: x\n\n", False), (b": c\n\n", False), (b"retry: 1\n\n", False), (b"data: x\n\n\n", False),
    (b"data: x\n\ndata: y\n\n", False), (b"id: 1\ndata: x\n\n", False), (b"data: x\nid\n\n", False),
    (b"data: x\r\n\r\n", False), (b"data: x\ry\n\n", False), (b"i\n\n", False), (b"data: x\ni\n\n", True),
])  # fmt: skip
def test_what_is_just_one_event_with_data_and_without_an_id(twin: Twin, read: bytes, plain: bool) -> None:
    assert twin.lines.just_data(read) == plain


@BOTH
@given(read=st.lists(st.sampled_from([b"data:", b"id:", b"a", b"i", b"\n", b"\r", b"\n\n"]), max_size=9).map(b"".join))
def test_just_data_is_what_the_closer_look_finds_too(twin: Twin, read: bytes) -> None:
    if twin.lines.just_data(read):
        assert twin.lines.event_end(read, 0) == len(read)
        assert not twin.lines.may_have_id(read)
        assert twin.events.event_data(read) is not None
    assert len({bool(one.lines.just_data(read)) for one in TWINS}) == 1


@BOTH
@pytest.mark.parametrize("number", [0, 9, 10, 12345678901, 2**63 - 1])
def test_an_event_behind_a_numbered_line(twin: Twin, number: int) -> None:
    assert twin.lines.numbered(b"id: a-", number, b"data: x\n\n") == b"id: a-%d\ndata: x\n\n" % number
    assert twin.lines.numbered(b"", number, b"") == b"%d\n" % number
