"""What the headers of a leg say (docs/DESIGN.md section 5.3), and what an invitation on the trunk said before."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sbc.model.binding import BIRTH, Checkpoint, Resume
from sbc.model.leg import Role
from sbc.sdk.link import LegRefused


@dataclass(frozen=True, slots=True)
class Opening:
    """A leg that the edge wants to open."""

    session: str
    epoch: int
    role: Role
    agent: str
    continuity: str
    principal: str | None
    resume: Resume | None
    open: int = 0
    """Of HTTP: how many of the requests that the checkpoint covers will come again, for the rest of their answers."""
    number: int = 0
    """Of HTTP: which request of the session this is, from 1; 0: one that is not counted."""
    given: int = 0
    """Of HTTP: how many messages of the answer the client has already."""
    covered: int = 0
    """Of HTTP: how many of those the checkpoint knows of."""
    whole: bool = False
    """Of HTTP: the client has the whole answer."""

    @property
    def is_under_way(self) -> bool:
        """Whether the session was somewhere else before."""
        resume = self.resume
        return self.number > 1 or (resume is not None and (resume.received > 0 or resume.sent > 0))


@dataclass(frozen=True, slots=True)
class Invite:
    """A session that this node was asked to take. `expires`: when the edge must have thought better of it."""

    session: str
    epoch: int
    role: Role
    agent: str
    manifest: Mapping[str, Any]
    checkpoint: Checkpoint | None
    expires: float
    edge: str = ""
    """The name of the edge that asks."""
    made: float = 0.0
    """When it came, by the loop's clock."""

    @property
    def regenerates(self) -> bool:
        """Whether the edge suppresses what the client already has: then all of it has to be said again."""
        migration = self.manifest.get("migration")
        return isinstance(migration, Mapping) and migration.get("output") == "regenerate"


def read_opening(headers: Mapping[str, str]) -> Opening:
    """The opening in a leg's headers. Raises LegRefused."""
    session = headers.get("Session-Id")
    if not session:
        raise LegRefused(400, "no Session-Id: this node is spoken to through its edge")
    try:
        told, answered = _members(headers.get("Session-Resume")), _members(headers.get("Session-Answered"))
        return Opening(
            session, int(headers.get("Session-Epoch", "")), Role(headers.get("Session-Role", "owner")),
            headers.get("Session-Agent", ""), headers.get("Session-Class", ""), headers.get("Session-Principal"),
            Resume(int(told["received"]), int(told["sent"]), int(told["delivered"]), told.get("cause", ""))
            if told else None,
            open=int(told.get("open", 0)), number=int(headers.get("Session-Message", 0)),
            given=int(answered.get("messages", 0)), covered=int(answered.get("covered", 0)), whole="whole" in answered,
        )
    except (ValueError, KeyError) as fault:
        raise LegRefused(400, f"a Session header that cannot be understood: {fault}") from None


def _members(text: str | None) -> dict[str, str]:
    # RFC 8941 section 3.2: a dictionary, here of integers, tokens and truths; a member may have parameters after `;`.
    if text is None:
        return {}
    pairs = (member.partition(";")[0].strip().partition("=") for member in text.split(","))
    return {name: value for name, _, value in pairs}


def read_checkpoint(told: Mapping[str, Any] | None) -> Checkpoint | None:
    """The checkpoint in an `invite` or a `promote`. Raises ValueError, KeyError or TypeError."""
    if told is None:
        return None
    state = told["state"]
    return Checkpoint(int(told["received"]), int(told["sent"]), None if state is None else str(state))


def state_for(resume: Resume | None, checkpoint: Checkpoint | None) -> str | None:
    """The state that a session with these counts goes on from. Raises LookupError if it is not the one at hand."""
    if checkpoint is None:
        return None
    point = resume or Resume(BIRTH.received, BIRTH.sent, BIRTH.sent, "")
    if (checkpoint.received, checkpoint.sent) != (point.received, point.sent):
        raise LookupError(f"the checkpoint at hand is of {checkpoint.received}/{checkpoint.sent} messages, "
                          f"not of {point.received}/{point.sent}")
    return checkpoint.state
