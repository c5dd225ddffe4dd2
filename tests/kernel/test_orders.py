"""Orders to the warden: what is written is read, and nothing else is."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbc.kernel.orders import (
    Assign,
    Block,
    Order,
    OrderError,
    Release,
    Shape,
    Share,
    Unblock,
    Unshape,
    decode,
    encode,
)

SHAPE = Shape("eth0", 10_000_000, (Share(46, 4_000_000), Share(26, 2_000_000)))


@pytest.mark.parametrize("order", [
    SHAPE, Unshape("eth0.7"), Block("203.0.113.7", 600), Block("2001:db8:0:1::", 1), Unblock("203.0.113.7"),
    Assign("eth0", "192.0.2.10/24", 123_456_789, 1_700_000_000_000), Release("eth0", "2001:db8::10/64"),
])  # fmt: skip
def test_what_is_written_is_read(order: Order) -> None:
    line = encode(order)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert decode(line) == order


@pytest.mark.parametrize(("changed", "why"), [
    ({"order": "reboot"}, "no such order"),
    ({"order": None}, "no such order"),
    ({"device": "eth0; reboot"}, "device"),
    ({"device": "../../etc/pass"}, "device"),
    ({"device": "a" * 16}, "device"),
    ({"rate": True}, "rate"),
    ({"rate": 1}, "rate"),
    ({"rate": 5_000_000}, "leave nothing"),
    ({"shares": []}, "shares"),
    ({"shares": [{"dscp": 64, "rate": 1}]}, "dscp"),
    ({"shares": [{"dscp": 1, "rate": 1}] * 2}, "same mark"),
    ({"shares": [{"dscp": 1, "rate": 1, "run": "sh"}]}, "fields"),
    ({"shares": ["EF"]}, "shares"),
    ({"run": "sh"}, "fields"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused_with_a_reason(changed: dict[str, object], why: str) -> None:
    said = orjson.loads(encode(SHAPE)) | changed
    with pytest.raises(OrderError, match=why):
        decode(orjson.dumps(said))


@pytest.mark.parametrize("source", [
    "", 7, None, "eth0", "203.0.113.0/24", "203.0.113.07", "2001:db8::1", "2001:DB8::", "2001:db8:0::", "fe80::%eth0",
    "fe80::%a}; flush ruleset", "1.2.3.4; flush ruleset", "1.2.3.4\n", "@ipv4",
])  # fmt: skip
def test_only_an_address_or_a_64_can_be_blocked(source: object) -> None:
    for order in ({"order": "block", "source": source, "seconds": 60}, {"order": "unblock", "source": source}):
        with pytest.raises(OrderError, match="source"):
            decode(orjson.dumps(order))


@pytest.mark.parametrize("address", [
    "", 7, None, "192.0.2.10", "192.0.2.010/24", "192.0.2.10/33", "224.0.0.1/24", "0.0.0.0/0", "2001:DB8::1/64",
    "fe80::1%eth0/64", "192.0.2.10/24; reboot", "192.0.2.10/255.255.255.0",
])  # fmt: skip
def test_only_an_address_with_its_prefix_can_be_assigned(address: object) -> None:
    order = {"order": "release", "device": "eth0", "address": address}
    for more in ({}, {"order": "assign", "until": 1, "number": 1}):
        with pytest.raises(OrderError, match="address"):
            decode(orjson.dumps(order | more))


@given(st.one_of(st.binary(max_size=200), st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["order", "device", "rate", "shares", "dscp", "source", "seconds", "address", "until",
                         "number"]) | st.text(max_size=5),
        inner, max_size=5),
    max_leaves=12).map(lambda value: orjson.dumps(value, option=0) if _fits(value) else b"0")))
def test_no_line_does_more_than_be_refused(line: bytes) -> None:
    try:
        order = decode(line)
    except OrderError:
        return
    assert decode(encode(order)) == order


def _fits(value: object) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:  # beyond 64 bits
        return False
    return True
