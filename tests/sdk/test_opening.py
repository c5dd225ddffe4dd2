"""What the headers of a leg say, and which state goes with it."""

import pytest

from sbc.model.binding import Checkpoint, Resume
from sbc.model.leg import Role
from sbc.sdk.link import LegRefused
from sbc.sdk.opening import Invite, read_checkpoint, read_opening, state_for


def test_all_of_it() -> None:
    opening = read_opening({
        "Session-Id": "s", "Session-Epoch": "3", "Session-Class": "synchronous", "Session-Agent": "tutor",
        "Session-Role": "standby", "Session-Principal": "me",
        "Session-Resume": "received=41,sent=97;x=1,  delivered=103, cause=failover, later=?1"})
    assert (opening.session, opening.epoch, opening.role) == ("s", 3, Role.STANDBY)
    assert (opening.continuity, opening.agent, opening.principal) == ("synchronous", "tutor", "me")
    assert opening.resume == Resume(41, 97, 103, "failover")


def test_the_least_of_it() -> None:
    opening = read_opening({"Session-Id": "s", "Session-Epoch": "1"})
    assert (opening.role, opening.resume, opening.principal) == (Role.OWNER, None, None)


@pytest.mark.parametrize("resume", ["", "received=1", "received=a, sent=1, delivered=1", "received, sent, delivered"])
def test_a_resume_that_cannot_be_understood(resume: str) -> None:
    with pytest.raises(LegRefused) as refused:
        read_opening({"Session-Id": "s", "Session-Epoch": "1", "Session-Resume": resume})
    assert refused.value.status == 400


def test_checkpoints() -> None:
    assert read_checkpoint(None) is None
    assert read_checkpoint({"received": 1, "sent": 2, "state": None}) == Checkpoint(1, 2, None)
    with pytest.raises(KeyError):
        read_checkpoint({"received": 1})


def test_the_state_must_be_of_the_counts() -> None:
    kept = Checkpoint(1, 2, "x")
    assert state_for(Resume(1, 2, 9, ""), kept) == "x"
    assert state_for(None, Checkpoint(0, 0, "fresh")) == "fresh"
    assert state_for(Resume(5, 5, 5, ""), None) is None
    for point in (None, Resume(1, 3, 9, "")):
        with pytest.raises(LookupError):
            state_for(point, kept)


@pytest.mark.parametrize(("manifest", "regenerates"), [
    ({}, False), ({"migration": None}, False), ({"migration": {"output": "continue"}}, False),
    ({"migration": {"output": "regenerate"}}, True)])
def test_what_the_manifest_says_of_the_output(manifest: dict[str, object], regenerates: bool) -> None:
    assert Invite("s", 1, Role.OWNER, "a", manifest, None, 0.0).regenerates is regenerates
