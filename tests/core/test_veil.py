"""Credentials that are kept: covered, and lifted for the session alone that they belong to."""

from hypothesis import given
from hypothesis import strategies as st

from sbc.core.seal import KEY_BYTES, Seal
from sbc.core.veil import CREDENTIALS, Veil
from sbc.model.http import Request
from sbc.model.ids import SessionId

OLD, NEW = Seal({"k1": b"o" * KEY_BYTES}), Seal({"k2": b"n" * KEY_BYTES, "k1": b"o" * KEY_BYTES})
S, T = SessionId("s"), SessionId("t")


def asked(*fields: tuple[bytes, bytes], target: bytes = b"/") -> Request:
    return Request(b"GET", target, b"h", list(fields))


@given(st.binary(max_size=9000), st.sampled_from(sorted(CREDENTIALS)))
def test_covered_and_lifted(secret: bytes, name: bytes) -> None:
    request = asked((b"a", b"b"), (name, secret), (b"c", b"d"))
    kept = Veil(OLD, S).cover(request)
    assert len(secret) < 4 or secret not in kept.fields[1][1]
    assert b"\n" not in kept.fields[1][1] and (kept.fields[0], kept.fields[2]) == ((b"a", b"b"), (b"c", b"d"))
    assert Veil(NEW, S).lift(kept.fields) == request.fields
    assert Veil(OLD, T).lift(kept.fields) == [(b"a", b"b"), (b"c", b"d")], "another's"
    assert request.fields[1] == (name, secret), "what is sent on is untouched"


def test_what_no_key_opens_is_left_out() -> None:
    kept = Veil(NEW, S).cover(asked((b"cookie", b"x=1"), (b"x-own", b"1")))
    assert Veil(OLD, S).lift(kept.fields) == [(b"x-own", b"1")]
    spoilt = [(b"cookie", b"k1."), (b"cookie", b"\xff\xfe"), (b"cookie", b"k1.AAAA"), (b"cookie", b"plain")]
    assert Veil(OLD, S).lift(spoilt) == []


def test_the_same_is_sealed_once_and_tokens_in_the_query_are_gone() -> None:
    veil = Veil(OLD, S)
    first, again, other = (veil.cover(asked((b"authorization", value), target=b"/a?access_token=x&n=1"))
                           for value in (b"Bearer 1", b"Bearer 1", b"Bearer 2"))
    assert first.fields == again.fields != other.fields
    assert first.target == b"/a?n=1"
