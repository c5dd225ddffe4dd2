"""Tokens: opened by whom they were sealed for, whole, with a key that is known; and by nobody else."""

from hypothesis import given
from hypothesis import strategies as st

from sbc.core.seal import KEY_BYTES, LONGEST_TOKEN, NONCE_BYTES, Seal
from sbc.model.ids import PrincipalId, SessionId

OLD, NEW = b"o" * KEY_BYTES, b"n" * KEY_BYTES
NONCE = b"1" * NONCE_BYTES
ANN, BOB = PrincipalId("ann"), PrincipalId("bob")


NONCES = st.binary(min_size=NONCE_BYTES, max_size=NONCE_BYTES)


@given(session=st.text(min_size=1, max_size=40), principal=st.text(max_size=40), nonce=NONCES)
def test_opened_again_and_by_nobody_else(session: str, principal: str, nonce: bytes) -> None:
    seal = Seal({"k1": NEW})
    token = seal.seal(SessionId(session), PrincipalId(principal), nonce)
    assert seal.open(token, PrincipalId(principal)) == session
    assert seal.open(token, PrincipalId(principal + "x")) is None
    assert (token.isascii() and session not in token) or len(session) < 4


def test_keys_rotate() -> None:
    old = Seal({"k1": OLD}).seal(SessionId("s"), ANN, NONCE)
    both = Seal({"k2": NEW, "k1": OLD})
    assert both.open(old, ANN) == "s"
    assert both.seal(SessionId("s"), ANN, NONCE).startswith("k2.")
    assert Seal({"k2": NEW}).open(old, ANN) is None
    assert both.ours(old) and not Seal({"k2": NEW}).ours(old)


@given(at=st.integers(0, 200), octet=st.characters(max_codepoint=0x2FF))
def test_an_altered_token_opens_nothing(at: int, octet: str) -> None:
    seal = Seal({"k1": NEW})
    token = seal.seal(SessionId("session"), ANN, NONCE)
    at %= len(token)
    spoilt = token[:at] + octet + token[at + 1 :]
    opened = seal.open(spoilt, ANN)
    # The last character of base64 without padding carries bits that mean nothing.
    assert opened is None or spoilt == token or at == len(token) - 1


@given(st.text(max_size=80))
def test_no_token_at_all(text: str) -> None:
    seal = Seal({"k1": NEW})
    assert seal.open(text, ANN) is None
    assert seal.open("k1." + text, BOB) is None


def test_a_token_that_is_too_long_is_not_looked_at() -> None:
    seal = Seal({"k1": NEW})
    assert seal.open(seal.seal(SessionId("s" * LONGEST_TOKEN), ANN, NONCE), ANN) is None
