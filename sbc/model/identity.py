"""Who a client is proven to be, what a policy takes as proof, and what is good no more. Durations are in seconds."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from sbc.model.ids import PrincipalId


@dataclass(frozen=True, slots=True)
class TokenProof:
    """A bearer token, as far as it takes to judge it again without having it."""

    id: str
    """What it calls itself (`jti`), or its SHA-256 in hexadecimal if it has no name."""
    key: str
    """Which key has signed it: its thumbprint (RFC 7638)."""
    algorithm: str
    issuer: str
    audiences: tuple[str, ...]
    claim: str
    """The one that names the client."""


@dataclass(frozen=True, slots=True)
class KeyProof:
    """An API key."""

    digest: bytes
    """The SHA-256 of the secret."""
    name: str


@dataclass(frozen=True, slots=True)
class CertificateProof:
    """A certificate that the listener has verified."""


Proof = TokenProof | KeyProof | CertificateProof


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is proven to be, by what, and for how long the proof holds."""

    principal: PrincipalId
    good_until: float
    """Wall-clock seconds, the leeway included; infinite for what does not expire."""
    proof: Proof
    tenant: str = ""
    """Whose client it is, where the policy asks for that; empty: nobody said."""


Tenancy = tuple[str, str]
"""A policy, and the name of a tenant there: another policy may mean somebody else by it."""


def tenancy(policy: str, identity: Identity | None) -> Tenancy | None:
    """Whose client somebody is; None: nobody said."""
    return (policy, identity.tenant) if identity is not None and identity.tenant else None


class Revoked(Enum):
    """What a revocation names."""

    PRINCIPAL = "principal"
    TOKEN = "token"
    SESSION = "session"
    NODE = "node"
    """It is drained: not to have sessions until that is taken back."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """Something that is good no more, whatever was shown for it. Times are wall-clock seconds."""

    kind: Revoked
    name: str
    """The principal, the token's id (TokenProof.id), the session's plain id, or the node's id."""
    since: float
    until: float
    """When it is forgotten. 0: it was taken back, at `since`."""


@dataclass(frozen=True, slots=True)
class Jwt:
    """Bearer tokens of one issuer (RFC 7519), for one audience."""

    jwks: str
    """Where the issuer's public keys are (RFC 7517): the path of a file, or a URL."""
    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    """Those of JWS (RFC 7518) that are taken, all of them with public keys."""
    principal: str
    """The claim that names the client."""
    leeway: float
    """By how much the clocks of issuer and edge may differ."""
    tenant: str | None = None
    """The claim that names whose client it is; None: nobody asks."""
    jwks_ca: str | None = None
    """The PEM file of the authorities that vouch for the URL; None: those of the system."""
    jwks_refresh: float = 600.0
    """How often keys are fetched from a URL."""
    jwks_keep: float = 86_400.0
    """For how long keys stay in force that could not be fetched again."""

    @property
    def published(self) -> bool:
        """Whether the keys are at a URL."""
        return self.jwks.startswith(("https://", "http://"))


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """Secrets that clients show in a header; only their hashes are known here."""

    header: bytes
    """In lower case."""
    names: Mapping[bytes, str]
    """SHA-256 of the secret -> the client's name."""


@dataclass(frozen=True, slots=True)
class Auth:
    """What a policy takes as proof; each that is there is as good as the others."""

    jwt: Jwt | None
    api_keys: ApiKeys | None
    certificate: bool
    """Whether a certificate that the listener has verified is taken."""
