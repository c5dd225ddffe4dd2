"""Who a client is: each kind of proof, and what is said to those who have none."""

import hashlib
import math
import time

import pytest

from sbc.core.authority import Authority
from sbc.core.tokens import Tokens
from sbc.model.errors import Refusal
from sbc.model.http import Request
from sbc.model.identity import ApiKeys, Auth, Jwt
from tests.core.test_tokens import Held
from tests.support.issuer import AUDIENCE, ISSUER, Issuer

NOW = time.time()
KEYS = ApiKeys(b"x-api-key", {hashlib.sha256(b"s3cret").digest(): "acme", hashlib.sha256(b"new").digest(): "acme"})
TERMS = Jwt("", ISSUER, AUDIENCE, ("ES256",), "sub", 30.0)


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


def asked(*fields: tuple[str, str], target: str = "/", certificate: str = "") -> Request:
    given = [(name.encode(), value.encode()) for name, value in fields]
    return Request(b"GET", target.encode(), b"h", given, client="192.0.2.1", certificate=certificate)


def all_of_them(issuer: Issuer) -> Authority:
    tokens = Tokens(TERMS, Held(issuer))
    return Authority("p", Auth(TERMS, KEYS, True), tokens)


def refused(authority: Authority, request: Request) -> Refusal:
    with pytest.raises(Refusal) as why:
        authority.identify(request, NOW)
    return why.value


def test_each_proof_names_its_client(issuer: Issuer) -> None:
    authority, token = all_of_them(issuer), issuer.token("ann")
    for request, principal in (
        (asked(("authorization", f"Bearer {token}")), "jwt:https://idp.example#ann"),
        (asked(("authorization", f"bearer  {token} ")), "jwt:https://idp.example#ann"),
        (asked(target=f"/?a=1&access_token={token}"), "jwt:https://idp.example#ann"),
        (asked(("x-api-key", "s3cret")), "key:p/acme"), (asked(("x-api-key", "new")), "key:p/acme"),
        (asked(certificate="dns:a.example"), "certificate:dns:a.example"),
    ):
        assert authority.identify(request, NOW).principal == principal
    assert authority.identify(asked(("x-api-key", "new")), NOW).good_until == math.inf


def test_who_proves_nothing_is_told_how_to(issuer: Issuer) -> None:
    authority = all_of_them(issuer)
    for request in (asked(), asked(("authorization", "Basic YTpi")), asked(target="/?x=access_token")):
        refusal = refused(authority, request)
        assert (refusal.status, refusal.code) == (401, "unauthenticated")
        assert [value for _, value in refusal.headers] == ["Bearer", 'ApiKey header="x-api-key"', "Certificate"]


def test_a_proof_that_is_not_good_is_not_made_up_for_by_another(issuer: Issuer) -> None:
    authority, token = all_of_them(issuer), issuer.token("ann", exp=NOW - 60)
    good = ("x-api-key", "s3cret")
    refusal = refused(authority, asked(("authorization", f"Bearer {token}"), good))
    assert (refusal.status, refusal.code, refusal.headers) == (
        401, "bad_token", (("WWW-Authenticate", 'Bearer error="invalid_token"'),))
    assert refused(authority, asked(("x-api-key", "wrong"), certificate="dns:a")).code == "bad_key"
    assert refused(authority, asked(("authorization", "Bearer "))).code == "bad_token"
    token = ("authorization", f"Bearer {issuer.token('ann')}")
    twice = refused(all_of_them(issuer), asked(token, ("authorization", "Bearer of another")))
    assert (twice.status, twice.code) == (400, "two_tokens"), "nodes see both, and might take the other one"
    two = asked(token, target="/?access_token=x")
    assert refused(authority, two).status == 400


def test_what_a_policy_does_not_take_is_nothing(issuer: Issuer) -> None:
    only_keys = Authority("p", Auth(None, KEYS, False), None)
    request = asked(("authorization", f"Bearer {issuer.token('ann')}"), certificate="dns:a")
    assert refused(only_keys, request).code == "unauthenticated"


def test_nodes_do_not_see_the_secret() -> None:
    request = asked(("a", "b"), ("x-api-key", "s3cret"), ("x-api-key", "two"))
    Authority("p", Auth(None, KEYS, False), None).withhold(request)
    assert request.fields == [(b"a", b"b")]


def test_what_stands_after_a_change(issuer: Issuer) -> None:
    authority = all_of_them(issuer)
    shown = [authority.identify(request, NOW).proof for request in (
        asked(("authorization", f"Bearer {issuer.token('ann')}")), asked(("x-api-key", "s3cret")),
        asked(certificate="dns:a"))]
    changes = [
        (Authority("p", Auth(TERMS, KEYS, True), Tokens(TERMS, Held(issuer))), [True, True, True]),
        (Authority("p", Auth(None, KEYS, False), None), [False, True, False]),
        (Authority("p", Auth(TERMS, None, True), Tokens(TERMS, Held(Issuer("k2")))), [False, False, True]),
        (Authority("p", Auth(None, ApiKeys(b"k", {hashlib.sha256(b"new").digest(): "acme"}), True), None),
         [False, False, True]),
        (Authority("p", Auth(None, ApiKeys(b"k", {hashlib.sha256(b"s3cret").digest(): "other"}), True), None),
         [False, False, True]),
    ]  # fmt: skip
    for changed, stands in changes:
        assert [changed.stands(proof) for proof in shown] == stands


def test_while_keys_are_away_the_client_is_to_come_again(issuer: Issuer) -> None:
    authority = Authority("p", Auth(TERMS, None, False), Tokens(TERMS, Held(None)))
    refusal = refused(authority, asked(("authorization", f"Bearer {issuer.token('ann')}")))
    assert (refusal.status, refusal.code, refusal.retry_after) == (503, "no_keys", 1)
