"""Bearer tokens: which are taken, and which are not, whatever is wrong with them."""

import base64
import hashlib
import json
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey

from sbc.core.tokens import LONGEST_TOKEN, MOST_VERIFIED, BadToken, KeysAway, Tokens, key_set
from sbc.model.identity import Jwt, TokenProof
from tests.support.issuer import AUDIENCE, ISSUER, Issuer

NOW = time.time()
ANYBODY = Issuer()


class Held:
    """Keys that are here. Implements Keys."""

    def __init__(self, issuer: Issuer | None, *, coming: bool = False) -> None:
        self.current = None if issuer is None else key_set(json.dumps(issuer.jwks()).encode())
        self.coming = coming

    def missed(self) -> bool:
        return self.coming


def verifier(issuer: Issuer, *algorithms: str) -> Tokens:
    terms = Jwt("", ISSUER, AUDIENCE, algorithms or (issuer.algorithm,), "sub", 30.0)
    return Tokens(terms, Held(issuer))


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


def refused(tokens: Tokens, token: str, now: float = NOW) -> str:
    with pytest.raises(BadToken) as why:
        tokens.identify(token.encode(), now)
    return str(why.value)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519", "EdDSA", "RS256", "PS256"])
def test_a_good_token_says_who_it_is(algorithm: str) -> None:
    issuer = Issuer(algorithm=algorithm)
    tokens = verifier(issuer)
    for _ in range(2):  # verified, and remembered
        known = tokens.identify(issuer.token("ann", exp=NOW + 60).encode(), NOW)
        assert known.principal == "jwt:https://idp.example#ann"
        assert known.good_until == pytest.approx(NOW + 90)
    assert tokens.identify(issuer.token("ann", aud=["x", AUDIENCE]).encode(), NOW)
    assert tokens.identify(issuer.token("ann", head={"kid": None}).encode(), NOW), "there is only one key"
    assert tokens.identify(issuer.token("ann", head={"typ": "at+jwt", "x5t": "abc"}).encode(), NOW)


def test_what_a_token_says_has_to_be_right(issuer: Issuer) -> None:
    tokens = verifier(issuer)
    for claims, why in (({"iss": "https://other"}, "issuer"), ({"iss": None}, "issuer"), ({"aud": "x"}, "audience"),
                        ({"aud": None}, "audience"), ({"aud": {AUDIENCE: 1}}, "audience"), ({"exp": None}, "expire"),
                        ({"exp": "never"}, "no time"), ({"exp": True}, "no time"), ({"exp": NOW - 31}, "expired"),
                        ({"nbf": NOW + 31}, "not good yet"), ({"sub": None}, "nobody"), ({"sub": ""}, "nobody"),
                        ({"sub": 5}, "nobody"), ({"sub": "x" * 600}, "too long")):
        assert why in refused(tokens, issuer.token("ann", **claims)), claims
    assert tokens.identify(issuer.token("ann", exp=NOW - 29, nbf=NOW + 29).encode(), NOW), "within the leeway"


def test_a_token_that_is_remembered_expires_too(issuer: Issuer) -> None:
    tokens, token = verifier(issuer), issuer.token("ann", exp=NOW + 60)
    assert tokens.identify(token.encode(), NOW)
    assert "expired" in refused(tokens, token, NOW + 91)


def test_only_the_issuers_keys_and_the_algorithms_that_were_given(issuer: Issuer) -> None:
    tokens, stranger = verifier(issuer), Issuer()
    head, body, signature = issuer.token("ann").split(".")
    other = base64.urlsafe_b64encode(b'{"alg":"none","kid":"k1"}').rstrip(b"=").decode()
    secret = OctKey.import_key(json.dumps(issuer.jwks()["keys"][0]))
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": NOW + 60}
    for token in (stranger.token("ann"), issuer.token("ann", head={"kid": "k2"}), f"{head}.{body}.", f"{head}.{body}",
                  f"{other}.{body}.{signature}", f"{other}.{body}.", f"{head}.{body[:-4]}.{signature}", "", "..",
                  "a.b.c", jwt.encode({"alg": "HS256", "kid": "k1"}, claims, secret), "\xff" * 20):
        assert "not signed" in refused(tokens, token), token
    assert "not signed" in refused(verifier(issuer, "RS256"), issuer.token("ann"))
    assert "too long" in refused(tokens, "x" * (LONGEST_TOKEN + 1))


@given(st.data())
def test_whatever_is_shown_is_a_token_or_a_bad_one(data: st.DataObject) -> None:
    good = ANYBODY.token("ann", exp=NOW + 60).encode()
    head, body, signature = good.split(b".")
    other = data.draw(st.sampled_from([
        b"[]", b"null", b"{}", b'{"alg":5}', b'{"alg":{"a":1}}', b'{"alg":"ES256","kid":["k1"]}', b"[" * 500, b"\xff",
        b'{"alg":"RS256","kid":"k1"}', b'{"alg":"ES256","kid":"k1","crit":5}',
        b'{"alg":"ES256","kid":"k1","crit":["b64"],"b64":false}', b'{"alg":"ES256","kid":"k1","jwk":{}}',
    ]) | st.binary(max_size=200))
    spoilt, at = bytearray(good), data.draw(st.integers(0, len(good) - 3))  # the last two hold unused bits
    spoilt[at] ^= data.draw(st.integers(1, 255))
    signed = base64.urlsafe_b64encode(data.draw(st.binary(max_size=80))).rstrip(b"=")
    for token in (b".".join([base64.urlsafe_b64encode(other).rstrip(b"="), body, signature]), bytes(spoilt),
                  b".".join([head, body, signed]), data.draw(st.binary(max_size=300))):
        with pytest.raises(BadToken):
            verifier(ANYBODY).identify(token, NOW)


def test_new_keys_end_what_the_former_ones_signed(issuer: Issuer) -> None:
    source, token, new = Held(issuer), issuer.token("ann"), Issuer("k2")
    tokens = Tokens(Jwt("", ISSUER, AUDIENCE, ("ES256",), "sub", 30.0), source)
    proof = tokens.identify(token.encode(), NOW).proof
    assert isinstance(proof, TokenProof) and tokens.stands(proof)
    source.current = Held(new).current
    assert "not signed" in refused(tokens, token)
    assert not tokens.stands(proof)
    assert tokens.identify(new.token("ann").encode(), NOW)


def test_while_keys_are_away_nobody_can_tell(issuer: Issuer) -> None:
    source = Held(issuer)
    tokens = Tokens(Jwt("", ISSUER, AUDIENCE, ("ES256",), "sub", 30.0), source)
    proof = tokens.identify(issuer.token("ann").encode(), NOW).proof
    source.coming = True
    with pytest.raises(KeysAway):
        tokens.identify(Issuer("k2").token("ann").encode(), NOW)
    assert "not signed" in refused(tokens, Issuer().token("ann")), "of a key that is here"
    source.current = None
    with pytest.raises(KeysAway):
        tokens.identify(issuer.token("ann").encode(), NOW)
    assert isinstance(proof, TokenProof) and tokens.stands(proof), "nothing ends for it"


def test_what_is_remembered_of_a_token(issuer: Issuer) -> None:
    terms = Jwt("", ISSUER, AUDIENCE, ("ES256", "RS256"), "sub", 30.0, "org")
    tokens = Tokens(terms, Held(issuer))
    known = tokens.identify(issuer.token("ann", jti="t1", org="acme", aud=["x", AUDIENCE]).encode(), NOW)
    assert known.tenant == "acme" and isinstance(known.proof, TokenProof)
    assert (known.proof.id, known.proof.algorithm, known.proof.claim) == ("t1", "ES256", "sub")
    nameless = issuer.token("ann", jti=5, org=["acme"])
    known_too = tokens.identify(nameless.encode(), NOW)
    assert known_too.tenant == "" and isinstance(known_too.proof, TokenProof)
    assert known_too.proof.id == hashlib.sha256(nameless.encode()).hexdigest()
    changes: list[tuple[dict[str, Any], bool]] = [
        ({"audience": "x"}, True), ({"audience": "y"}, False), ({"issuer": "https://o"}, False),
        ({"algorithms": ("RS256",)}, False), ({"principal": "email"}, False), ({"leeway": 1.0}, True),
    ]  # fmt: skip
    for changed, stands in changes:
        assert Tokens(replace(terms, **changed), Held(issuer)).stands(known.proof) is stands, changed


def test_names_are_kept_apart(issuer: Issuer) -> None:
    tokens = verifier(issuer)
    names = ["ann", "ann#", "a n n", "ann\n", "änn", "ann%23", "key:default/ann"]
    principals = [tokens.identify(issuer.token(name).encode(), NOW).principal for name in names]
    assert len(set(principals)) == len(names)
    assert all(" " < char < "\x7f" for principal in principals for char in principal)


def test_memory_is_bounded(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_VERIFIED == 4096
    monkeypatch.setattr("sbc.core.tokens.MOST_VERIFIED", 2)
    tokens = verifier(issuer)
    for number in range(5):
        tokens.identify(issuer.token(f"n{number}").encode(), NOW)
    assert len(tokens._verified) == 2


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b'{"keys": {}}', b'{"keys": []}', b'{"keys": [5]}',
                                  b'{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}', b'{"keys": [{"kty": "EC"}]}',
                                  b'{"keys": [{"kty": "RSA", "n": "x", "e": 5}]}'])
def test_what_is_no_jwks(text: bytes) -> None:
    with pytest.raises(ValueError):
        key_set(text)


def test_keys_for_other_uses_are_passed_over(issuer: Issuer) -> None:
    known = issuer.jwks()["keys"][0]
    strange = [{"kty": "AKP", "pub": "x"}, {"kty": "oct", "k": "c2VjcmV0"}, known | {"use": "enc", "kid": "e"}]
    assert [key.kid for key in key_set(json.dumps({"keys": [*strange, known]}).encode())] == ["k1"]
