"""What a configuration says about who may come in: proofs of who a client is, and access, as they are written."""

from typing import Annotated

from pydantic import Field

from sbc.config.section import Section, default
from sbc.config.units import Duration
from sbc.config.values import ClaimText, Digest, File, Jwks, Method, Name, Network, Origin, Token, choice

JWS_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
"""Those with public keys (RFC 7518, RFC 9864). Most issuers still call Ed25519 EdDSA (RFC 8037)."""


class Jwt(Section):
    """Bearer tokens (RFC 7519), in `Authorization` or the query parameter `access_token`."""

    jwks: Jwks
    """Where the issuer's public keys are (RFC 7517): `file:PATH`, which is read again when it changes, or a URL."""
    jwks_ca: File | None = None
    """The certificates (PEM) of those who vouch for the URL's host; null: those of the system."""
    jwks_refresh: Annotated[float, Duration("10s", "1d")] = default("10m")
    """How often keys are fetched from the URL; sooner if a token names one that is not known, each 10s at most."""
    jwks_keep: Annotated[float, Duration("1m", "30d")] = default("1d")
    """For how long the keys stay in force while they cannot be fetched again."""
    issuer: ClaimText
    """What `iss` has to say."""
    audience: ClaimText
    """What `aud` has to say, or to have in its list."""
    algorithms: list[Annotated[str, choice(*JWS_ALGORITHMS)]] = Field(
        default=["RS256", "PS256", "ES256", "Ed25519", "EdDSA"], min_length=1, max_length=len(JWS_ALGORITHMS))
    """Which signatures are taken (RFC 7518)."""
    principal: Token = "sub"
    """The claim that names the client."""
    tenant: Token | None = None
    """The claim that names whose client it is; null: nobody asks."""
    leeway: Annotated[float, Duration(0, "10m")] = default("30s")
    """By how much the clocks of the issuer and of the edge may differ."""


class ApiKey(Section):
    """A client that is known by a secret."""

    name: Name
    """What the client is called."""
    sha256: Digest
    """The SHA-256 of its secret, in hexadecimal."""


class ApiKeys(Section):
    """Secrets that clients show in a header; no node sees it."""

    header: Token = "X-Api-Key"
    """The header of this name."""
    keys: list[ApiKey] = Field(min_length=1, max_length=10_000)
    """Who may come in. A name may stand there more than once, while its secret is changed for another."""


class Auth(Section):
    """What is taken as proof of who a client is; at least one of these."""

    jwt: Jwt | None = None
    """Bearer tokens (RFC 7519)."""
    api_keys: ApiKeys | None = None
    """Secrets that clients show in a header."""
    certificate: bool = False
    """The certificate that the client has shown, where its listener asks for one (`client_ca`)."""


class Access(Section):
    """Who may ask at all; judged before anything else of a request."""

    allow: list[Network] = Field(default=[], max_length=256)
    """From which networks alone; others are answered with 403. Empty: from anywhere."""
    deny: list[Network] = Field(default=[], max_length=256)
    """From which networks nobody is let in, whatever `allow` says; the answer is 403."""
    methods: list[Method] = Field(default=[], max_length=64)
    """With which methods alone; others are answered with 405. Empty: with any. A WebSocket is a GET, and pages of other
    sites need OPTIONS too."""
    origins: list[Origin] = Field(default=[], max_length=256)
    """From which origins pages may ask; those of others are answered with 403. Empty: from any. Whoever is no browser
    names none, and is let in."""
