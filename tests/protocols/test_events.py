"""Event streams: whole events come out however the stream was cut, and mean what they meant."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocols.twins import TWINS, Twin

LIMIT = 4096
BOTH = pytest.mark.parametrize("twin", TWINS, ids=repr)

Meaning = list[tuple[bytes, bytes, bytes]]

LINES = st.sampled_from([
    b"data: one", b"data:two", b"data", b"data: {\"id\": 1}", b"event: tick", b"id: 7", b"id", b"id:", b"id: a\0b",
    b"idle: 1", b"retry: 10", b": ping", b":", b"", b"", b"other: x", b"data:  two blanks",
])  # fmt: skip
ENDINGS = st.sampled_from([b"\n", b"\n", b"\r\n", b"\r"])


def meaning(stream: bytes) -> Meaning:
    """What a listener is given (HTML 9.2.6): last event id, name and data of each event."""
    told: Meaning = []
    last, name, lines = b"", b"", []
    for line in stream.removeprefix(b"\xef\xbb\xbf").splitlines():
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            if lines:
                told.append((last, name, b"\n".join(lines)))
            name, lines = b"", []
        elif field == b"data":
            lines.append(value)
        elif field == b"event":
            name = value
        elif field == b"id" and b"\0" not in value:
            last = value
    return told


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def scanner(twin: Twin, limit: int = LIMIT) -> Any:
    return twin.events.Scanner(limit)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    lines = draw(st.lists(st.tuples(LINES, ENDINGS), max_size=25))
    if draw(st.booleans()):  # a stream with line ends of one kind, as real ones are
        ending = draw(ENDINGS)
        lines = [(line, ending) for line, _ in lines]
    return draw(st.sampled_from([b"", b"", b"\xef\xbb\xbf"])) + b"".join(line + end for line, end in lines)


@BOTH
@settings(max_examples=300, deadline=None)
@given(stream=streams(), cuts=st.lists(st.integers(0, 400), max_size=12), last=st.sampled_from([b"\n", b"\r\n"]))
def test_any_stream_cut_anywhere(twin: Twin, stream: bytes, cuts: list[int], last: bytes) -> None:
    reader = scanner(twin)
    stream += last + last
    found = [event for piece in pieces(stream, cuts) for event in reader.feed(piece)]
    assert not reader.fault
    assert meaning(b"".join(found)) == meaning(stream)
    for event in found:
        assert event.endswith((b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n", b"\r\n\n", b"\r\r\n", b"\n\r", b"\r\n\r"))
        assert event[:1] not in (b"\n", b"\r")
        assert len(meaning(event)) == twin.events.has_data(event) <= 1


@BOTH
def test_the_usual_reads_come_out_as_they_came_in(twin: Twin) -> None:
    reader = scanner(twin)
    for ending in (b"\n", b"\r\n"):
        one = b"event: message" + ending + b'data: {"id": 1}' + ending * 2
        assert reader.feed(one) == [one]
        assert reader.feed(one * 3) == [one] * 3
        assert reader.feed(one + one[:9]) == [one]
        assert reader.feed(one[9:] + one) == [one, one]
    assert reader.feed(b"") == []


@BOTH
@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
def test_each_cut_of_two_events(twin: Twin, ending: bytes) -> None:
    one, two = (b"id: %d%sdata: x%s" % (number, ending, ending * 2) for number in (1, 2))
    for cut in range(len(one + two) + 1):
        reader = scanner(twin)
        found = reader.feed((one + two)[:cut]) + reader.feed((one + two)[cut:])
        assert found == [one, two], cut


@BOTH
def test_octet_by_octet(twin: Twin) -> None:
    reader = scanner(twin)
    stream = b"\xef\xbb\xbf: hello\n\ndata: 1\r\n\r\n\n\ndata: 2\n\n"
    found = [event for at in range(len(stream)) for event in reader.feed(stream[at : at + 1])]
    assert found == [b": hello\n\n", b"data: 1\r\n\r\n", b"data: 2\n\n"]


@BOTH
def test_a_comment_does_not_wait_for_an_event(twin: Twin) -> None:
    reader = scanner(twin)
    assert reader.feed(b":\r\n") == [b":\r\n\r\n"]
    assert reader.feed(b": ping\n: pong\ndata") == [b": ping\n\n", b": pong\n\n"]
    assert reader.feed(b": x\n\n") == [b"data: x\n\n"]
    assert reader.feed(b": with it\ndata: y\n\n") == [b": with it\ndata: y\n\n"]
    assert reader.feed(b": half") == []
    assert reader.feed(b" a comment\r") == []  # an LF may be still to come
    assert reader.feed(b"\n") == [b": half a comment\r\n\r\n"]
    assert reader.feed(b"\r\ndata: z\r\n\r\n") == [b"data: z\r\n\r\n"]


@BOTH
def test_an_event_without_its_end_is_none(twin: Twin) -> None:
    reader = scanner(twin)
    assert reader.feed(b"data: 1\n\ndata: half of it\n") == [b"data: 1\n\n"]
    assert reader.feed(b"") == []
    assert reader.rest() == b"data: half of it\n"


@BOTH
def test_nothing_is_left_behind_whole_events(twin: Twin) -> None:
    reader = scanner(twin)
    assert reader.rest() == b""
    reader.feed(b"data: 1\n\n\n")
    assert reader.rest() == b""
    reader.feed(b"data: 2")
    reader.feed(b"\n\n")
    assert reader.rest() == b""
    reader.feed(b"data: 3" + b"x" * LIMIT)
    assert reader.fault and reader.rest() == b""


@BOTH
def test_an_event_has_a_bound(twin: Twin) -> None:
    fits, too_long = b"data: " + b"x" * (LIMIT - 8) + b"\n\n", b"data: " + b"x" * (LIMIT - 7) + b"\n\n"
    for ending in (b"", b"data: 3\n\n"):
        reader = scanner(twin)
        assert reader.feed(b"data: 1\n\n" + fits) == [b"data: 1\n\n", fits]
        assert reader.feed(b"data: 2\n\n" + too_long + ending) == [b"data: 2\n\n"]
        assert "4096" in reader.fault
        assert reader.feed(b"data: 4\n\n") == []
    reader = scanner(twin)
    reader.feed(b"data: 1\n\n")
    for _ in range(LIMIT // 16):
        assert reader.feed(b"data: 0123456789") == []
        assert not reader.fault
    reader.feed(b"x")
    assert reader.fault


@BOTH
def test_endless_comments_and_blank_lines_are_no_event_that_grows(twin: Twin) -> None:
    reader = scanner(twin)
    for _ in range(LIMIT):
        reader.feed(b": ping\r\n")
        reader.feed(b"\n")
    assert not reader.fault


@BOTH
@pytest.mark.parametrize(("event", "identity"), [
    (b"data: x\n\n", None), (b"id: 7\ndata: x\n\n", b"7"), (b"id:7\ndata: x\n\n", b"7"), (b"data: x\nid: 7\n\n", b"7"),
    (b"data: x\r\nid: 7\r\n\r\n", b"7"), (b"data: x\rid: 7\r\r", b"7"), (b"id: 1\nid: 2\ndata: x\n\n", b"2"),
    (b"id\ndata: x\n\n", b""), (b"id: a\0b\ndata: x\n\n", None), (b"id: 1\nid: a\0b\ndata: x\n\n", b"1"),
    (b"idle: 1\ndata: x\n\n", None), (b"data: id: 3\n\n", None), (b": id: 4\ndata: x\n\n", None),
    (b"id:  5\n\n", b" 5"),
])  # fmt: skip
def test_ids(twin: Twin, event: bytes, identity: bytes | None) -> None:
    assert twin.events.event_id(event) == identity
    bare = twin.events.without_id(event)
    assert twin.events.event_id(bare) is None
    assert twin.events.event_data(bare) == twin.events.event_data(event)
    assert meaning(b"id: edge-9\n" + bare) == [(b"edge-9", *rest) for _, *rest in meaning(event)]
    if b"id" not in {line.partition(b":")[0] for line in event.splitlines()}:
        assert bare == event


@BOTH
def test_what_an_event_says(twin: Twin) -> None:
    events = twin.events
    assert events.event_name(b"event: tick\ndata: x\n\n") == b"tick"
    assert events.event_name(b"data: x\n\n") == b""
    assert events.event_data(b"data: a\ndata\ndata:b\n\n") == b"a\n\nb"
    assert events.event_data(b"id: 1\ndata:\n\n") == b""
    assert events.event_data(b": data: x\n\n") is None
    assert not events.has_data(b"id: 1\nretry: 5\n\n")
    assert not events.has_data(events.KEEP_ALIVE)
    assert events.has_data(b"event: x\r\ndata\r\n\r\n")
    assert not events.has_data(b"database: x\n\n")
    assert events.without_id(b"id: 1\n\n") == b""


@BOTH
def test_events_that_are_made_are_found_again(twin: Twin) -> None:
    made = twin.events.make_event(b"{}", b"tick") + twin.events.make_event(b"x") + twin.events.gap(12)
    assert meaning(made) == [(b"", b"tick", b"{}"), (b"", b"", b"x"), (b"", b"session-gap", b'{"lost": 12}')]
    assert len(scanner(twin).feed(made)) == 3
    assert scanner(twin).feed(twin.events.KEEP_ALIVE) == [twin.events.KEEP_ALIVE]
