"""The relay: whole messages pass as they came however they are cut, and nothing of a broken one does."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbc.core.relay import PORTION, PORTION_BYTES, Gate
from tests.core.twins import TWINS, Twin
from tests.core.wire import BAD_UTF8, Sent, bad_frames, frame, messages

LIMIT = 70000
BOTH = pytest.mark.parametrize("twin", TWINS, ids=repr)
SIDES = pytest.mark.parametrize("masked", [True, False], ids=["client", "node"])
FASTER = settings(max_examples=60, deadline=None)


def new_relay(twin: Twin, *, masked: bool, gate: Gate = Gate.OPEN, limit: int = LIMIT, journal: int = 1 << 22) -> Any:
    relay = twin.Relay(twin.Journal(journal), twin.Tally(), masked=masked, limit=limit)
    relay.set_gate(gate)
    return relay


def fed(relay: Any, data: bytes) -> bytes:
    """All of it, a portion at a time."""
    out: bytes = relay.admit(data)
    while relay.stopped:
        out += relay.admit(data, relay.stopped)
    return out


def chunks(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@st.composite
def streams(draw: st.DrawFn) -> tuple[bool, list[Sent], list[int]]:
    """Who sends, what is sent, and where the stream is cut."""
    masked = draw(st.booleans())
    sent = draw(st.lists(messages(masked=masked), min_size=1, max_size=5))
    size = sum(len(one.wire) for one in sent)
    cuts = draw(st.lists(st.integers(0, size) | st.integers(0, 40), max_size=12))
    return masked, sent, cuts


@BOTH
@FASTER
@given(stream=streams(), gate=st.sampled_from([Gate.OPEN, Gate.HOLD, Gate.SHUT]))
def test_any_messages_cut_anywhere(twin: Twin, stream: tuple[bool, list[Sent], list[int]], gate: Gate) -> None:
    masked, sent, cuts = stream
    relay = new_relay(twin, masked=masked, gate=gate)
    wire = b"".join(one.wire for one in sent)
    out = b"".join(fed(relay, chunk) for chunk in chunks(wire, cuts))
    whole = [one.message for one in sent]
    assert relay.fault is None
    assert out == (b"".join(whole) if gate is Gate.OPEN else b"")
    assert relay.count == relay.tally.messages == (0 if gate is Gate.SHUT else len(whole))
    assert relay.tally.stale == (len(whole) if gate is Gate.SHUT else 0)
    assert relay.journal.since(0) == ([] if gate is Gate.SHUT else whole)
    assert relay.tally.octets == (0 if gate is Gate.SHUT else sum(map(len, whole)))
    controls = [control for one in sent for control in one.controls]
    assert relay.notices == controls[-16:]
    held = gate is Gate.HOLD and masked and bool(whole)  # a client that waits is somebody to see to
    assert bool(relay.attention) == (bool(controls) or held)


@BOTH
@SIDES
@pytest.mark.parametrize("gate", list(Gate))
@pytest.mark.parametrize("cut", [0, 3, 150])
def test_of_very_much_it_takes_a_portion_at_a_time(twin: Twin, masked: bool, gate: Gate, cut: int) -> None:
    relay, one = new_relay(twin, masked=masked, gate=gate), frame(2, b"x" * 200, masked=masked)
    data = one[cut:] + one * (3 * PORTION)  # its first message may have begun in a read before
    out, at, turns = relay.admit(one[:cut]), 0, 0
    while True:
        before = relay.count + relay.tally.stale
        out += relay.admit(data, at)
        assert relay.count + relay.tally.stale <= before + PORTION + (cut > 0)
        turns += 1
        if relay.stopped == 0:
            break
        at = relay.stopped
    assert turns == 4 - (cut > 0)
    assert relay.count + relay.tally.stale == 3 * PORTION + 1
    assert out == (one * (3 * PORTION + 1) if gate is Gate.OPEN else b"")


@BOTH
@SIDES
@pytest.mark.parametrize("gate", list(Gate))
def test_a_portion_has_so_many_bytes_at_most(twin: Twin, masked: bool, gate: Gate) -> None:
    relay, one = new_relay(twin, masked=masked, gate=gate), frame(2, b"x" * 10_000, masked=masked)
    at, out = 0, b""
    while True:
        out += relay.admit(one * 20, at)
        if relay.stopped == 0:
            break
        assert 0 < relay.stopped - at < PORTION_BYTES + len(one)
        at = relay.stopped
    assert at > 0 and relay.count + relay.tally.stale == 20
    assert out == (one * 20 if gate is Gate.OPEN else b"")


@BOTH
@SIDES
def test_a_read_that_begins_within_a_frame_goes_on_the_fast_way(twin: Twin, masked: bool) -> None:
    """What the slow way costs for one message must not be paid for all that came behind it."""
    relay, one = new_relay(twin, masked=masked), frame(2, b"x" * 600, masked=masked)
    relay.admit(one[:10])
    assert relay.admit(one[10:] + one + one[:10]) == one * 2
    assert relay.admit(one[10:]) == one


@BOTH
@SIDES
def test_byte_by_byte(twin: Twin, masked: bool) -> None:
    relay = new_relay(twin, masked=masked)
    first, second = frame(1, "h\u00e9".encode(), masked=masked), frame(2, b"x" * 300, masked=masked)
    out = [relay.admit(bytes([octet])) for octet in first + second]
    assert [piece for piece in out if piece] == [first, second]


@BOTH
@SIDES
@pytest.mark.parametrize("gate", list(Gate))
def test_every_fault_has_its_close_code_and_nothing_of_it_passes(twin: Twin, masked: bool, gate: Gate) -> None:
    limit = 1000
    good = frame(1, b"good", masked=masked)
    for code, bad in bad_frames(masked=masked, limit=limit):
        for size in (len(bad) + len(good), 1 if len(bad) < 400 else 997):
            relay = new_relay(twin, masked=masked, gate=gate, limit=limit)
            wire = good + bad + good
            out = b"".join(fed(relay, wire[at : at + size]) for at in range(0, len(wire), size))
            assert relay.fault is not None, bad[:40]
            assert relay.fault.code == code, (bad[:40], relay.fault.reason)
            assert relay.attention
            assert out == (good if gate is Gate.OPEN else b"")
            assert relay.count == (0 if gate is Gate.SHUT else 1)
            assert relay.journal.since(0) == ([] if gate is Gate.SHUT else [good])


@BOTH
@SIDES
@given(text=st.sampled_from(BAD_UTF8) | st.binary(max_size=12), before=st.integers(0, 12),
       mask=st.binary(min_size=4, max_size=4))  # fmt: skip
def test_text_passes_exactly_if_it_is_utf8(twin: Twin, masked: bool, text: bytes, before: int, mask: bytes) -> None:
    payload = b"x" * before + text
    relay = new_relay(twin, masked=masked)
    message = frame(1, payload, masked=masked, mask=mask)
    try:
        payload.decode()
    except UnicodeDecodeError:
        assert relay.admit(message) == b""
        assert relay.fault.code == 1007
    else:
        assert relay.admit(message) == message
        assert relay.fault is None


@BOTH
@SIDES
def test_the_limit_is_a_message_longer_than_it(twin: Twin, masked: bool) -> None:
    for size in (125, 126, 1000):
        relay = new_relay(twin, masked=masked, limit=size)
        whole = frame(2, b"x" * size, masked=masked)
        parts = frame(2, b"x" * (size - 1), masked=masked, fin=False) + frame(0, b"x", masked=masked)
        assert relay.admit(whole) == whole
        assert relay.admit(parts) == parts
        assert relay.fault is None


@BOTH
@SIDES
def test_a_close_is_noticed_and_what_follows_is_discarded(twin: Twin, masked: bool) -> None:
    relay = new_relay(twin, masked=masked)
    payload = (4000).to_bytes(2, "big") + b"bye"
    good = frame(1, b"good", masked=masked)
    assert relay.admit(good + frame(8, payload, masked=masked) + good) == good
    assert relay.notices == [(8, payload)]
    assert relay.fault.code == 1000
    assert relay.admit(good) == b""
    assert relay.count == 1


@BOTH
def test_compressed_messages_pass_where_that_was_agreed_on(twin: Twin) -> None:
    relay = new_relay(twin, masked=True)
    message = frame(1, b"\xca\x49\x4d\x05\x00", masked=True, rsv=0x40)
    relay.restart(deflate=True)
    assert relay.admit(message) == message
    relay.admit(frame(2, b"a", masked=True, fin=False) + frame(0, b"b", masked=True, rsv=0x40))
    assert relay.fault.code == 1002
    relay.restart(deflate=False)
    assert relay.admit(message) == b""
    assert relay.fault.code == 1002


@BOTH
def test_suppressed_messages_are_dropped_and_do_not_count(twin: Twin) -> None:
    relay = new_relay(twin, masked=False)
    wire = [frame(1, f"{number}".encode(), masked=False) for number in range(5)]
    relay.suppress(3)
    assert relay.admit(wire[0] + wire[1][:2]) == b""
    assert relay.admit(wire[1][2:]) == b""
    assert relay.admit(wire[2] + wire[3] + wire[4]) == wire[3] + wire[4]
    assert (relay.count, relay.tally.suppressed) == (2, 3)
    assert relay.journal.since(0) == wire[3:]


@BOTH
@SIDES
def test_held_messages_are_kept_and_the_gate_opens_on_what_follows(twin: Twin, masked: bool) -> None:
    relay = new_relay(twin, masked=masked)
    wire = [frame(1, f"{number}".encode(), masked=masked) for number in range(4)]
    relay.admit(wire[0])
    relay.set_gate(Gate.HOLD)
    assert relay.admit(wire[1] + wire[2]) == b""
    assert relay.journal.since(1) == wire[1:3]
    relay.set_gate(Gate.OPEN)
    assert relay.admit(wire[3]) == wire[3]
    assert relay.journal.since(0) == wire


@BOTH
def test_a_client_that_is_held_loses_nothing_and_is_to_be_paused(twin: Twin) -> None:
    relay = new_relay(twin, masked=True, gate=Gate.HOLD, journal=64)
    wire = [frame(1, b"x" * 20, masked=True) for _ in range(5)]
    assert not relay.attention
    for message in wire:
        relay.admit(message)
    assert relay.attention
    assert relay.journal.since(0) == wire


@BOTH
def test_a_node_whose_client_is_away_keeps_to_the_bound(twin: Twin) -> None:
    relay = new_relay(twin, masked=False, gate=Gate.HOLD, journal=64)
    for _ in range(5):
        relay.admit(frame(1, b"x" * 20, masked=False))
    assert relay.journal.octets <= 64
    assert relay.journal.first in (4, 5)
    assert (relay.journal.last, relay.count) == (5, 5)


@BOTH
def test_without_keeping_only_what_is_held_is_in_the_journal(twin: Twin) -> None:
    relay = new_relay(twin, masked=True)
    wire = [frame(1, f"{number}".encode(), masked=True) for number in range(5)]
    relay.keep(False)
    assert relay.admit(wire[0] + wire[1]) == wire[0] + wire[1]
    assert relay.journal.octets == 0
    relay.set_gate(Gate.HOLD)
    relay.admit(wire[2])
    assert (relay.journal.first, relay.journal.since(0)) == (3, [wire[2]])
    relay.set_gate(Gate.OPEN)
    relay.keep(True)
    relay.admit(wire[3])
    assert (relay.journal.first, relay.journal.since(0), relay.count) == (4, [wire[3]], 4)


@BOTH
@SIDES
def test_a_new_link_begins_with_a_new_frame(twin: Twin, masked: bool) -> None:
    whole = frame(1, b"whole", masked=masked)
    ping, half = frame(9, b"ping", masked=masked), frame(1, b"half", masked=masked, fin=False)
    for unfinished in (whole[:-1], half, ping + b"\x81"):
        relay = new_relay(twin, masked=masked)
        assert relay.admit(unfinished) == b""
        relay.restart(deflate=False)
        assert relay.admit(whole) == whole
        assert (relay.count, relay.notices) == (1, [])


@BOTH
@SIDES
def test_the_rest_of_a_left_link_is_read_on_and_passes_nothing(twin: Twin, masked: bool) -> None:
    relay = new_relay(twin, masked=masked)
    whole = frame(1, b"whole", masked=masked)
    relay.admit(whole[:3])
    rest = relay.rest()
    assert rest.admit(whole[3:] + frame(9, b"ping", masked=masked) + whole) == b""
    assert (rest.notices, rest.fault, rest.count) == ([(9, b"ping")], None, 0)
    assert relay.tally.stale == 2


@BOTH
@SIDES
def test_the_longest_count_of_notices_is_bounded(twin: Twin, masked: bool) -> None:
    relay = new_relay(twin, masked=masked)
    fed(relay, frame(9, b"a", masked=masked) * 1000 + frame(9, b"b", masked=masked))
    assert relay.notices == [(9, b"a")] * 15 + [(9, b"b")]


@FASTER
@given(stream=streams(), limit=st.sampled_from([10, 200, LIMIT]), noise=st.binary(max_size=6), keep=st.booleans(),
       suppress=st.integers(0, 2))  # fmt: skip
def test_both_twins_do_the_same_with_anything(
    stream: tuple[bool, list[Sent], list[int]], limit: int, noise: bytes, keep: bool, suppress: int
) -> None:
    masked, sent, cuts = stream
    wire = b"".join(one.wire for one in sent[:2]) + noise + b"".join(one.wire for one in sent[2:])
    seen = []
    for twin in TWINS:
        relay = new_relay(twin, masked=masked, limit=limit, journal=400)
        relay.keep(keep)
        relay.suppress(suppress)
        out = [relay.admit(chunk) for chunk in chunks(wire, cuts)]
        fault = relay.fault and (relay.fault.code, relay.fault.reason)
        journal = (relay.journal.first, relay.journal.last, relay.journal.octets, relay.journal.since(0))
        seen.append((out, relay.count, relay.notices, fault, bool(relay.attention), journal, relay.tally.octets))
    assert all(one == seen[0] for one in seen)
