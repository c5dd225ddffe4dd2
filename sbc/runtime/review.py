"""Whether what is open would be let in now: asked when a reload, an issuer or an operator has taken something away.

Judged is what could change: the rules of access, the proofs that are taken, the revocations. A route that is no longer
there ends nothing, and neither do limits.
"""

from dataclasses import dataclass
from enum import Enum

from sbc.core.authority import INVALID
from sbc.core.revocations import Revocations
from sbc.model.errors import Refusal
from sbc.model.http import Request
from sbc.model.identity import Identity
from sbc.model.ids import PrincipalId
from sbc.protocols.cors import is_preflight
from sbc.runtime.rules import Rules


class Ousted(Enum):
    """Why somebody who was let in is not served any more."""

    EXPIRED = "expired"
    """The time of the proof is over."""
    REVOKED = "revoked"
    """The proof is not taken any more."""
    FORBIDDEN = "forbidden"
    """The rules of access have changed."""


_REFUSALS = {
    Ousted.EXPIRED: (401, "what you showed has expired"),
    Ousted.REVOKED: (401, "what you showed is good no more"),
    Ousted.FORBIDDEN: (403, "nothing is served to you here any more"),
}


def refusal_of(why: Ousted) -> Refusal:
    """What a request is told that was sent to no node."""
    status, detail = _REFUSALS[why]
    challenge = [("WWW-Authenticate", INVALID)] if status == 401 else []
    return Refusal(status, why.value, detail, headers=challenge)


@dataclass(frozen=True, slots=True)
class Review:
    """What holds now."""

    rules: Rules
    revocations: Revocations

    def verdict(self, request: Request, principal: PrincipalId, identity: Identity | None) -> Ousted | None:
        """Why a request that was let in would not be now; None: it would. identity: by what it was proven who asks."""
        if self.revocations.shuts_out(principal, identity):
            return Ousted.REVOKED
        route = self.rules.routes.find(request.authority.decode("latin-1"), request.path.decode("latin-1"))
        if route is None:
            return None
        doorman = self.rules.doormen.get(route.policy)
        try:
            if doorman is not None:
                doorman.check(request)
        except Refusal:
            return Ousted.FORBIDDEN
        authority = self.rules.authorities.of(route.policy)
        if authority is None or is_preflight(request):
            return None
        return None if identity is not None and authority.stands(identity.proof) else Ousted.REVOKED
