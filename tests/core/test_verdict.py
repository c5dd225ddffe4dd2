"""Every way to tamper with a chain is found, in the right line, and a crash is not taken for tampering."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from sbc.core.receipt import GENESIS, ChainEnd, seal_record
from sbc.core.verdict import FAULTS_LISTED, FaultKind, Verdict, verify_lines

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
Lines = list[bytes]


def chain(count: int, key: Ed25519PrivateKey | None = KEY) -> tuple[Lines, list[ChainEnd]]:
    """A sound chain, and its end before each line and after the last."""
    lines: Lines = []
    ends = [GENESIS]
    for number in range(count):
        line, end = seal_record(ends[-1], {"session": f"s-{number}", "messages": 10 * number}, key)
        lines.append(line)
        ends.append(end)
    return lines, ends


def judge(lines: Lines, key: Ed25519PrivateKey | None = KEY) -> Verdict:
    return verify_lines(lines, key.public_key() if key else None)


def found(verdict: Verdict) -> list[tuple[int, FaultKind]]:
    assert verdict.faulty == len(verdict.faults)
    assert verdict.sound == (not verdict.faults)
    return [(fault.line, fault.kind) for fault in verdict.faults]


@pytest.mark.parametrize("count", [0, 1, 9])
@pytest.mark.parametrize("key", [KEY, None])
def test_a_sound_chain(count: int, key: Ed25519PrivateKey | None) -> None:
    lines, ends = chain(count, key)
    assert judge(lines, key) == Verdict(count, ends[-1], (), 0, None, 0)


def test_declared_losses_are_added_up() -> None:
    first, end = seal_record(GENESIS, {"missing": 2}, KEY)
    second, _ = seal_record(end, {"missing": 5}, KEY)
    verdict = judge([first, second])
    assert verdict.sound and verdict.missing == 7


@pytest.mark.parametrize("key", [KEY, None])
@pytest.mark.parametrize("change, faults", [
    (lambda x: [*x[:4], x[4].replace(b'"messages":40', b'"messages":4'), *x[5:]], [(5, FaultKind.ALTERED)]),
    (lambda x: [*x[:4], x[4].replace(b'"number":5', b'"number":6'), *x[5:]], [(5, FaultKind.ALTERED)]),
    (lambda x: [*x[:4], b"nonsense\n", *x[5:]], [(5, FaultKind.ALTERED)]),
    (lambda x: [*x[:4], b"\n", *x[4:]], [(5, FaultKind.ALTERED)]),
    (lambda x: [*x[:4], b"\n", b"{}\n", b"[]\n", *x[5:]], [(5, FaultKind.ALTERED), (6, FaultKind.ALTERED),
                                                          (7, FaultKind.ALTERED)]),
    (lambda x: x[:4] + x[5:], [(5, FaultKind.REMOVED)]),
    (lambda x: x[:4] + x[7:], [(5, FaultKind.REMOVED)]),
    (lambda x: x[1:], [(1, FaultKind.HEAD)]),
    (lambda x: x[5:], [(1, FaultKind.HEAD)]),
    (lambda x: [x[1], x[0], *x[2:]], [(2, FaultKind.MOVED)]),
    (lambda x: [*x[:3], x[4], x[3], *x[5:]], [(5, FaultKind.MOVED)]),
    (lambda x: [*x[:7], x[8], x[7]], [(9, FaultKind.MOVED)]),
    (lambda x: [*x[:3], *x[4:7], x[3], *x[7:]], [(7, FaultKind.MOVED)]),
    (lambda x: [*x[:3], x[6], x[4], x[5], x[3], *x[7:]], [(5, FaultKind.MOVED), (6, FaultKind.MOVED),
                                                         (7, FaultKind.MOVED)]),
    (lambda x: [*x[:3], x[5], x[3], *x[6:]], [(4, FaultKind.REMOVED), (5, FaultKind.MOVED)]),
    (lambda x: [*x[:6], x[2], *x[6:]], [(7, FaultKind.INSERTED)]),
    (lambda x: [*x[:6], x[5], *x[6:]], [(7, FaultKind.INSERTED)]),
    (lambda x: [x[0], *x], [(2, FaultKind.INSERTED)]),
])
def test_tampering_is_found_where_it_is(
    key: Ed25519PrivateKey | None, change: Callable[[Lines], Lines], faults: list[tuple[int, FaultKind]],
) -> None:
    lines, _ = chain(9, key)
    assert found(judge(change(lines), key)) == faults


def forged(end: ChainEnd, key: Ed25519PrivateKey | None) -> bytes:
    """A record made by somebody who knows the format, and not the edge's key."""
    return seal_record(end, {"session": "s-4", "messages": 0}, key)[0]


def test_a_record_made_anew() -> None:
    lines, ends = chain(9, None)
    lines[4] = forged(ends[4], None)
    assert found(judge(lines, None)) == [(6, FaultKind.UNLINKED)]
    lines, ends = chain(9)
    lines[4] = forged(ends[4], OTHER_KEY)
    assert found(judge(lines)) == [(5, FaultKind.SIGNATURE)]
    lines[4] = forged(ends[4], None)
    assert found(judge(lines)) == [(5, FaultKind.SIGNATURE)]


def test_a_record_made_and_put_in() -> None:
    lines, ends = chain(9, None)
    lines.insert(4, forged(ends[4], None))
    assert found(judge(lines, None)) == [(6, FaultKind.INSERTED)]
    lines, ends = chain(9)
    lines.insert(4, forged(ends[4], OTHER_KEY))
    assert found(judge(lines)) == [(5, FaultKind.SIGNATURE)]


def test_a_whole_chain_made_anew_needs_the_key() -> None:
    lines, _ = chain(3, OTHER_KEY)
    assert judge(lines, OTHER_KEY).sound
    assert [kind for _, kind in found(judge(lines))] == [FaultKind.SIGNATURE] * 3


def test_a_signature_swapped_for_that_of_another_record() -> None:
    lines, _ = chain(5)
    stolen = orjson.loads(lines[1])["signature"]
    record: dict[str, Any] = {**orjson.loads(lines[3]), "signature": stolen}
    lines[3] = orjson.dumps(record, option=orjson.OPT_SORT_KEYS) + b"\n"
    assert found(judge(lines)) == [(4, FaultKind.SIGNATURE)]


def test_a_torn_last_line_is_not_tampering() -> None:
    lines, ends = chain(5)
    for cut in (1, len(lines[4]) // 2, len(lines[4]) - 2):
        verdict = judge([*lines[:4], lines[4][:cut]])
        assert (found(verdict), verdict.torn, verdict.end) == ([], 5, ends[4])


def test_a_last_line_without_its_line_feed_is_whole() -> None:
    lines, ends = chain(5)
    verdict = judge([*lines[:4], lines[4][:-1]])
    assert (found(verdict), verdict.torn, verdict.end) == ([], None, ends[5])
    altered = lines[4][:-1].replace(b'"messages":40', b'"messages":41')
    assert found(judge([*lines[:4], altered])) == [(5, FaultKind.ALTERED)]


def test_a_cut_off_tail_shows_in_the_end() -> None:
    lines, ends = chain(5)
    verdict = judge(lines[:3])
    assert verdict.sound and verdict.end == ends[3] != ends[5]


def test_a_verdict_is_bounded() -> None:
    verdict = judge([b"x\n"] * 1000)
    assert (verdict.faulty, len(verdict.faults), verdict.records) == (1000, FAULTS_LISTED, 0)
    lines, _ = chain(1000, None)
    verdict = judge(lines[::2][1:], None)
    assert (verdict.faulty, len(verdict.faults), verdict.records) == (499, FAULTS_LISTED, 499)
    assert verdict.faults[0].line == 1


@given(st.lists(st.integers(0, 6), max_size=8))
def test_only_the_beginning_of_a_chain_is_sound(order: list[int]) -> None:
    lines, _ = SEVEN
    assert judge([lines[place] for place in order], None).sound == (order == list(range(len(order))))


SEVEN = chain(7, None)
