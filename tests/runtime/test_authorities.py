"""The authorities of policies, and the files with issuers' keys: what happens when they change, or are no good."""

import time
from collections.abc import Awaitable
from pathlib import Path

import pytest

from sbc.core.tokens import BadToken
from sbc.model.identity import Auth, Jwt
from sbc.model.policy import Limits, Policy
from sbc.runtime.authorities import Authorities
from tests.support.issuer import AUDIENCE, ISSUER, Issuer


def no_task(name: str, work: Awaitable[None]) -> None:
    raise AssertionError(f"a file needs no {name}")


def test_keys_are_read_again_when_they_change(tmp_path: Path) -> None:
    path, old, new = tmp_path / "jwks.json", Issuer(), Issuer("k2")
    old.write(path)
    auth = Auth(Jwt(str(path), ISSUER, AUDIENCE, ("ES256",), "sub", 30.0), None, False)
    authorities = Authorities({"open": Policy("open", Limits()), "p": Policy("p", Limits(), auth=auth)})
    assert authorities.of("open") is None and not authorities.incomplete and not authorities.ages
    authority = authorities.of("p")
    assert authority is not None and authority.tokens is not None
    tokens, now, faults = authority.tokens, time.time(), list[str]()

    def look() -> tuple[bool, int]:
        faults.clear()
        return authorities.look(no_task, faults.append), len(faults)

    assert tokens.identify(old.token("ann").encode(), now)
    path.write_text("{")
    assert look() == (False, 1)
    assert look() == (False, 0), "a fault is told once"
    assert tokens.identify(old.token("ann").encode(), now), "the keys that were read last stay"
    path.unlink()
    assert look() == (False, 1)
    assert look() == (False, 0)
    assert tokens.identify(old.token("ann").encode(), now)
    new.write(path)
    assert look() == (True, 0)
    assert look() == (False, 0)
    assert tokens.identify(new.token("ann").encode(), now)
    with pytest.raises(BadToken):
        tokens.identify(old.token("ann").encode(), now)


def test_an_edge_does_not_start_without_the_keys(tmp_path: Path) -> None:
    for written in (None, "{}", "x" * (2 * 1024 * 1024)):
        path = tmp_path / "jwks.json"
        if written is not None:
            path.write_text(written)
        auth = Auth(Jwt(str(path), ISSUER, AUDIENCE, ("ES256",), "sub", 30.0), None, False)
        with pytest.raises(OSError, match=r"jwks\.json"):
            Authorities({"p": Policy("p", Limits(), auth=auth)})
