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
        told = headers.get("Session-Resume")
        return Opening(
            session, int(headers.get("Session-Epoch", "")), Role(headers.get("Session-Role", "owner")),
            headers.get("Session-Agent", ""), headers.get("Session-Class", ""), headers.get("Session-Principal"),
            None if told is None else _read_resume(told),
        )
    except (ValueError, KeyError) as fault:
        raise LegRefused(400, f"a Session header that cannot be understood: {fault}") from None


def _read_resume(text: str) -> Resume:
    # RFC 8941 section 3.2: a dictionary, here of integers and one token; a member may carry parameters after `;`.
    members = dict(member.partition(";")[0].strip().split("=", 1) for member in text.split(","))
    return Resume(int(members["received"]), int(members["sent"]), int(members["delivered"]), members.get("cause", ""))


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
