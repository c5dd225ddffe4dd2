"""What is good no more before its time: principals, tokens, sessions. A bounded table; each entry has an end.

A token that is revoked for longer than it would be good is revoked for good; a principal and a session come back when
their time is over.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from sbc.core.authority import INVALID
from sbc.model.errors import Refusal
from sbc.model.identity import Identity, Revocation, Revoked, TokenProof
from sbc.model.ids import PrincipalId, SessionId
from sbc.model.interfaces import Stored

MOST_REVOCATIONS: Final = 10_000


class Revocations:
    """Those in force."""

    __slots__ = ("_entries", "_next")

    def __init__(self) -> None:
        self._entries: dict[tuple[Revoked, str], Revocation] = {}
        self._next = 0.0
        """Before then none of them ends."""

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, revocation: Revocation) -> bool:
        """Whether exactly this one is in force."""
        return self._entries.get((revocation.kind, revocation.name)) == revocation

    def __iter__(self) -> Iterator[Revocation]:
        """The oldest first."""
        return iter(self._entries.values())

    def take(self, revocation: Revocation) -> None:
        """From now on it is in force, in the place of one that names the same. Raises Refusal if there are too many."""
        key = (revocation.kind, revocation.name)
        if key not in self._entries and len(self._entries) >= MOST_REVOCATIONS:
            raise Refusal(409, "revocations_full", f"at most {MOST_REVOCATIONS} revocations may be in force at a time")
        self._next = min(self._next, revocation.until) if self._entries else revocation.until
        self._entries[key] = revocation

    def restore(self, revocations: Sequence[Revocation]) -> None:
        """These are on record since before the edge was started."""
        for revocation in revocations[-MOST_REVOCATIONS:]:
            self.take(revocation)

    def names(self, kind: Revoked, name: str) -> bool:
        """Whether one that names this is in force."""
        return (kind, name) in self._entries

    def forgive(self, kind: Revoked, name: str) -> bool:
        """It is in force no more; False: it was not."""
        return self._entries.pop((kind, name), None) is not None

    def expire(self, now: float) -> list[Revocation]:
        """Those whose time is over; they are in force no more. now: wall-clock seconds."""
        if not self._entries or now < self._next:
            return []
        over = [entry for entry in self._entries.values() if entry.until <= now]
        for entry in over:
            del self._entries[entry.kind, entry.name]
        self._next = min((entry.until for entry in self._entries.values()), default=0.0)
        return over

    def shuts_out(self, principal: PrincipalId, identity: Identity | None) -> bool:
        """Whether who asks may not. identity: by what it is proven; None: nobody was asked."""
        if (Revoked.PRINCIPAL, principal) in self._entries:
            return True
        proof = identity.proof if identity is not None else None
        return isinstance(proof, TokenProof) and (Revoked.TOKEN, proof.id) in self._entries

    def check(self, principal: PrincipalId, identity: Identity | None) -> None:
        """Raises Refusal if who asks may not."""
        if self.shuts_out(principal, identity):
            if identity is None:
                raise Refusal(403, "revoked", "nothing is served to you here")
            raise Refusal(401, "revoked", "what you show is good no more", headers=[("WWW-Authenticate", INVALID)])

    def check_session(self, session: SessionId) -> None:
        """Raises Refusal if the session may not come back."""
        if (Revoked.SESSION, session) in self._entries:
            raise Refusal(403, "revoked", "this session was revoked")


def names(revocation: Revocation, entry: Stored) -> bool:
    """Whether a session is what is revoked, or its principal's."""
    match revocation.kind:
        case Revoked.PRINCIPAL:
            return entry.principal == revocation.name
        case Revoked.SESSION:
            return entry.binding.session == revocation.name
        case Revoked.TOKEN | Revoked.NODE:
            return False
