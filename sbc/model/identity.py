"""Who a client is proven to be, and what a policy takes as proof. Durations are in seconds."""

from collections.abc import Mapping
from dataclasses import dataclass

from sbc.model.ids import PrincipalId


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is proven to be, and for how long the proof holds."""

    principal: PrincipalId
    good_until: float
    """Wall-clock seconds, the leeway included; infinite for what does not expire."""


@dataclass(frozen=True, slots=True)
class Jwt:
    """Bearer tokens of one issuer (RFC 7519), for one audience."""

    jwks: str
    """The file with the issuer's public keys (RFC 7517)."""
    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    """Those of JWS (RFC 7518) that are taken, all of them with public keys."""
    principal: str
    """The claim that names the client."""
    leeway: float
    """By how much the clocks of issuer and edge may differ."""


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
