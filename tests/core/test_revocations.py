"""What is good no more: taken, forgiven, over; how much of it there may be."""

import math

import pytest

from sbc.core.revocations import MOST_REVOCATIONS, Revocations
from sbc.model.errors import Refusal
from sbc.model.identity import CertificateProof, Identity, Revocation, Revoked, TokenProof
from sbc.model.ids import PrincipalId, SessionId

ANN, BOB = PrincipalId("jwt:i#ann"), PrincipalId("jwt:i#bob")


def token(name: str, principal: PrincipalId = ANN) -> Identity:
    return Identity(principal, 100.0, TokenProof(name, "k", "ES256", "i", ("a",), "sub"))


def revoked(kind: Revoked, name: str, until: float = 60.0) -> Revocation:
    return Revocation(kind, name, 0.0, until)


def status(revocations: Revocations, principal: PrincipalId, identity: Identity | None) -> int:
    try:
        revocations.check(principal, identity)
    except Refusal as refusal:
        assert refusal.code == "revoked"
        return refusal.status
    return 200


def test_who_is_shut_out() -> None:
    revocations = Revocations()
    certificate = Identity(ANN, math.inf, CertificateProof())
    assert not revocations
    revocations.take(revoked(Revoked.TOKEN, "t1"))
    assert revocations
    assert [status(revocations, ANN, shown) for shown in (token("t1"), token("t2"), certificate, None)] == [
        401, 200, 200, 200]
    revocations.take(revoked(Revoked.PRINCIPAL, ANN))
    assert [status(revocations, ANN, shown) for shown in (token("t2"), certificate, None)] == [401, 401, 403]
    assert status(revocations, BOB, token("t2", BOB)) == 200
    assert status(revocations, PrincipalId("t1"), None) == 200, "a token is no principal"
    assert revocations.forgive(Revoked.PRINCIPAL, ANN)
    assert not revocations.forgive(Revoked.PRINCIPAL, ANN)
    assert status(revocations, ANN, token("t2")) == 200


def test_a_session_does_not_come_back() -> None:
    revocations = Revocations()
    revocations.take(revoked(Revoked.SESSION, "s1"))
    revocations.check_session(SessionId("s2"))
    with pytest.raises(Refusal, match="403 revoked"):
        revocations.check_session(SessionId("s1"))


def test_each_has_its_end() -> None:
    revocations = Revocations()
    revocations.restore([revoked(Revoked.TOKEN, "a", 10.0), revoked(Revoked.TOKEN, "b", 5.0)])
    revocations.take(revoked(Revoked.TOKEN, "c", 20.0))
    for now, over in ((4.9, []), (5.0, ["b"]), (9.0, []), (25.0, ["a", "c"])):
        assert [entry.name for entry in revocations.expire(now)] == over
    assert not revocations and list(revocations) == []
    revocations.take(revoked(Revoked.TOKEN, "d", 30.0))
    assert [entry.name for entry in revocations.expire(31.0)] == ["d"]


def test_there_are_so_many_at_most() -> None:
    revocations = Revocations()
    revocations.restore([revoked(Revoked.TOKEN, str(number)) for number in range(MOST_REVOCATIONS + 3)])
    assert len(revocations) == MOST_REVOCATIONS
    with pytest.raises(Refusal, match="409"):
        revocations.take(revoked(Revoked.TOKEN, "one more"))
    revocations.take(revoked(Revoked.TOKEN, str(MOST_REVOCATIONS), 70.0))
    assert len(revocations) == MOST_REVOCATIONS, "the same once more is no other"
