"""The form of a receipt: what is written can be read back, and nothing else can."""

import hashlib
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sbc.core.receipt import GENESIS, ChainEnd, NotSigned, Unreadable, Unsound, read_record, seal_record

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
FIELDS: dict[str, Any] = {"session": "s-1", "messages": 7, "seconds": {"held": 0.25, "served": 12.0}, "note": "größe"}


def test_a_record_carries_its_place_and_its_digest() -> None:
    line, end = seal_record(ChainEnd(4, "ab" * 32), FIELDS, None)
    record = orjson.loads(line)
    assert (record["number"], record["previous"], record["session"]) == (5, "ab" * 32, "s-1")
    digest = record.pop("digest")
    # The digest is reproducible with nothing but JSON and SHA-256.
    assert digest == hashlib.sha256(orjson.dumps(record, option=orjson.OPT_SORT_KEYS)).hexdigest()
    assert end == ChainEnd(5, digest)
    assert line.endswith(b"}\n") and line.count(b"\n") == 1


def test_a_record_is_read_back() -> None:
    line, end = seal_record(GENESIS, {**FIELDS, "missing": 3}, KEY)
    record = read_record(line[:-1], KEY.public_key())
    assert (record.end, record.previous, record.missing) == (end, GENESIS.digest, 3)
    assert record.follows(GENESIS) and not record.follows(end)


@pytest.mark.parametrize("fields", [
    {"number": 1}, {"digest": ""}, {"a": object()}, {"a": "\ud800"}, {"a": 2**70}, {1: "a"},
])
def test_fields_that_cannot_be_sealed_are_refused(fields: dict[Any, Any]) -> None:
    with pytest.raises(ValueError):
        seal_record(GENESIS, fields, None)


def test_what_json_cannot_hold_exactly_still_has_its_digest() -> None:
    line, _ = seal_record(GENESIS, {"rate": float("nan"), "far": 1e308, "tiny": 5e-324, "zero": -0.0}, KEY)
    read_record(line[:-1], KEY.public_key())


@pytest.mark.parametrize("line, error", [
    (b"", Unreadable), (b"{", Unreadable), (b"\xff\xfe", Unreadable), (b"[1]", Unsound), (b"null", Unsound),
    (b"{}", Unsound), (b'{"digest":1,"number":1,"previous":"x"}', Unsound),
    (b'{"a":' * 250 + b"1" + b"}" * 250, Unsound),
    (b'{"digest":"","number":1,"previous":"","z":' + b"[" * 400 + b"]" * 400 + b"}", Unsound),
])
def test_lines_that_are_no_record(line: bytes, error: type[Unsound]) -> None:
    with pytest.raises(error):
        read_record(line, None)


def test_every_byte_of_a_line_counts() -> None:
    line = seal_record(GENESIS, FIELDS, KEY)[0][:-1]
    for place in range(len(line)):
        for changed in (line[:place] + bytes([line[place] ^ 1]) + line[place + 1:], line[:place] + line[place + 1:],
                        line[:place] + b" " + line[place:]):
            with pytest.raises(Unsound):
                read_record(changed, KEY.public_key())


def test_a_key_twice_is_not_a_record() -> None:
    line = seal_record(GENESIS, {"messages": 7}, None)[0][:-1]
    with pytest.raises(Unsound, match="canonical"):
        read_record(line.replace(b'{"digest"', b'{"messages":9000,"digest"'), None)


def test_a_signature_is_asked_for_only_with_a_key() -> None:
    unsigned = seal_record(GENESIS, FIELDS, None)[0][:-1]
    foreign = seal_record(GENESIS, FIELDS, OTHER_KEY)[0][:-1]
    read_record(unsigned, None)
    read_record(foreign, None)
    with pytest.raises(NotSigned, match="not signed"):
        read_record(unsigned, KEY.public_key())
    with pytest.raises(NotSigned, match="not of this key"):
        read_record(foreign, KEY.public_key())
