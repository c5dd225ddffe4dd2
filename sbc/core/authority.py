"""Who a client is: what its request shows, held against what the policy takes as proof.

The first proof that is shown is the one that counts: a token that is not good is not made up for by a key.
"""

import hashlib
import math
from collections.abc import Sequence
from urllib.parse import parse_qsl

from sbc.core.tokens import BadToken, KeysAway, Tokens
from sbc.model.errors import Refusal
from sbc.model.http import Request, first
from sbc.model.identity import Auth, CertificateProof, Identity, KeyProof, Proof, TokenProof
from sbc.model.ids import PrincipalId

INVALID = 'Bearer error="invalid_token"'
"""The challenge (RFC 6750 section 3) to whom a bearer token does not help."""
_BEARER = b"bearer "


class Authority:
    """What one policy takes as proof."""

    __slots__ = ("_api_keys", "_certificate", "_policy", "challenge", "hidden", "tokens")

    def __init__(self, policy: str, auth: Auth, tokens: Tokens | None) -> None:
        """policy: its name. tokens: verifies them, if the policy takes any."""
        self._policy = policy
        self._api_keys = auth.api_keys
        self._certificate = auth.certificate
        self.tokens = tokens
        self.hidden = auth.api_keys.header if auth.api_keys is not None else None
        """The header with a secret that is no node's business."""
        self.challenge = _challenge(auth)

    def identify(self, request: Request, now: float) -> Identity:
        """Who asks. now: wall-clock seconds. Raises Refusal 400, 401 and 503."""
        if self.tokens is not None:
            token = _bearer(request)
            if token is not None:
                try:
                    return self.tokens.identify(token, now)
                except BadToken as error:
                    raise self._refusal("bad_token", str(error), INVALID) from None
                except KeysAway:
                    raise Refusal(503, "no_keys", "the keys of the token's issuer are not known at the moment",
                                  retry_after=1) from None  # fmt: skip
        if self._api_keys is not None:
            secret = first(request.fields, self._api_keys.header)
            if secret is not None:
                return self._of_key(secret)
        if self._certificate and request.certificate:
            return Identity(PrincipalId(f"certificate:{request.certificate}"), math.inf, CertificateProof())
        raise self._refusal("unauthenticated", "this route asks who you are", *self.challenge)

    def _of_key(self, secret: bytes) -> Identity:
        assert self._api_keys is not None
        # How long the look-up takes tells of the hash at most, and no secret can be made for a hash.
        digest = hashlib.sha256(secret).digest()
        name = self._api_keys.names.get(digest)
        if name is None:
            raise self._refusal("bad_key", "no such API key", *self.challenge)
        return Identity(PrincipalId(f"key:{self._policy}/{name}"), math.inf, KeyProof(digest, name))

    def stands(self, proof: Proof) -> bool:
        """Whether who came in with this would be let in with it now; a token's own time is not looked at."""
        match proof:
            case TokenProof():
                return self.tokens is not None and self.tokens.stands(proof)
            case KeyProof():
                return self._api_keys is not None and self._api_keys.names.get(proof.digest) == proof.name
            case CertificateProof():
                return self._certificate

    def _refusal(self, code: str, detail: str, *challenges: str) -> Refusal:
        # RFC 9110 section 15.5.2: a 401 says by which ways one may come in.
        return Refusal(401, code, detail, headers=[("WWW-Authenticate", words) for words in challenges])

    def withhold(self, request: Request) -> None:
        """Take the secret out of a request that goes on to a node."""
        if self.hidden is not None:
            request.fields = [field for field in request.fields if field[0] != self.hidden]


def _challenge(auth: Auth) -> Sequence[str]:
    challenges = ["Bearer"] if auth.jwt is not None else []
    if auth.api_keys is not None:
        challenges.append(f'ApiKey header="{auth.api_keys.header.decode()}"')
    if auth.certificate:
        challenges.append("Certificate")
    return challenges


def _bearer(request: Request) -> bytes | None:
    """The token of a request: in `Authorization`, or where a browser cannot set that, in the query (RFC 6750)."""
    lines = [value for name, value in request.fields if name == b"authorization"]
    if len(lines) > 1:  # of two, nodes might believe the other one
        raise Refusal(400, "two_tokens", "more than one Authorization header")
    written, shown = lines[0] if lines else None, _parameter(request.target)
    in_header = written is not None and written[: len(_BEARER)].lower() == _BEARER
    if in_header and shown is not None:
        raise Refusal(400, "two_tokens", "a token in the header and one in the query")  # RFC 6750 section 2
    return written[len(_BEARER) :].strip() if in_header and written is not None else shown


def _parameter(target: bytes) -> bytes | None:
    if target.find(b"access_token") < 0:
        return None
    for name, value in parse_qsl(target.partition(b"?")[2], keep_blank_values=True):
        if name == b"access_token":
            return value
    return None
