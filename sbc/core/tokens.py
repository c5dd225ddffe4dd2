"""Bearer tokens (RFC 7519) of one issuer: verified with its public keys, once, and remembered while they are good.

What RFC 8725 asks for holds: the algorithms are given and never a secret one (3.1), issuer and audience have to be the
expected ones (3.8, 3.9), and a token that does not expire is none.
"""

import hashlib
import warnings
from collections.abc import Mapping
from typing import Any, Final, Protocol
from urllib.parse import quote

import orjson
from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import Key, KeySet

from sbc.model.identity import Identity, Jwt, TokenProof
from sbc.model.ids import PrincipalId

LONGEST_TOKEN: Final = 8 * 1024
MOST_VERIFIED: Final = 4096
"""Tokens that are remembered, by their hashes; the oldest is forgotten first."""
LONGEST_PRINCIPAL: Final = 512
LONGEST_NAME: Final = 256
"""Of a token's own name, and of a tenant."""
MOST_AUDIENCES: Final = 32
MOST_KEYS: Final = 100
_PUBLIC: Final = frozenset({"RSA", "EC", "OKP"})

# RFC 9864 has deprecated the name and not the signature, and what is taken is for the operator to say.
warnings.filterwarnings("ignore", "EdDSA is deprecated", SecurityWarning)


class BadToken(Exception):
    """A token that is not taken; the text says why, in words that may be told."""


class KeysAway(Exception):
    """Nobody can tell at the moment whether a token is good: the keys of its issuer are not here, or not all."""


class Keys(Protocol):
    """The keys of an issuer, as they are known at the moment."""

    @property
    def current(self) -> KeySet | None:
        """Another object whenever they have changed; None: they are not known."""

    def missed(self) -> bool:
        """A token names a key that is not among them. Whether that may be another thing in a moment."""


def key_set(text: bytes) -> KeySet:
    """The keys of a JWKS (RFC 7517 section 5) that can verify a signature. Raises ValueError."""
    try:
        written: Any = orjson.loads(text)
        entries = written["keys"]
        if not isinstance(entries, list) or len(entries) > MOST_KEYS:
            raise ValueError(f"keys has to be a list of at most {MOST_KEYS}")
        # Section 5: what is not understood is passed over. Secrets and keys for encryption have no place here.
        usable = [entry for entry in entries if entry["kty"] in _PUBLIC and entry.get("use", "sig") == "sig"]
        return KeySet.import_key_set({"keys": usable})
    except ValueError:
        raise
    except (KeyError, TypeError, AttributeError, JoseError) as error:
        raise ValueError(f"not a JWKS: {type(error).__name__}") from None


class Tokens:
    """Verifies the tokens of one issuer for one audience."""

    __slots__ = ("_jwt", "_keys", "_prints", "_registry", "_source", "_verified")

    def __init__(self, jwt: Jwt, source: Keys) -> None:
        self._jwt = jwt
        self._source = source
        self._keys: KeySet | None = None
        self._prints: frozenset[str] = frozenset()
        """Of those keys, which proofs name them by."""
        # What else a header says is the issuer's business; `crit` is looked at all the same.
        self._registry = jws.JWSRegistry(algorithms=jwt.algorithms, strict_check_header=False)
        self._verified: dict[bytes, Identity] = {}

    def identify(self, token: bytes, now: float) -> Identity:
        """Whose token this is. now: wall-clock seconds. Raises BadToken and KeysAway."""
        if len(token) > LONGEST_TOKEN:
            raise BadToken("the token is too long")
        keys = self._present()
        digest = hashlib.sha256(token).digest()
        known = self._verified.get(digest)
        if known is None:
            if keys is None:
                raise KeysAway
            known = self._verify(token, digest.hex(), keys, now)
            if len(self._verified) >= MOST_VERIFIED:
                del self._verified[next(iter(self._verified))]
            self._verified[digest] = known
        if known.good_until <= now:
            raise BadToken("the token has expired")
        return known

    def _present(self) -> KeySet | None:
        keys = self._source.current
        if keys is not self._keys:  # what the former ones signed is to be proven again
            self._keys = keys
            self._prints = frozenset() if keys is None else frozenset(key.thumbprint() for key in keys.keys)
            self._verified.clear()
        return keys

    def stands(self, proof: TokenProof) -> bool:
        """Whether a token that was good would be taken now, its time aside. While the keys are away nobody says no."""
        jwt, keys = self._jwt, self._present()
        return (
            proof.issuer == jwt.issuer and jwt.audience in proof.audiences and proof.algorithm in jwt.algorithms
            and proof.claim == jwt.principal
            and (keys is None or proof.key in self._prints)
        )  # fmt: skip

    def _verify(self, token: bytes, digest: str, keys: KeySet, now: float) -> Identity:
        used: list[Key] = []

        def key(said: Any) -> Key:
            used.append(_key(said, keys))
            return used[0]

        try:
            signed = jws.deserialize_compact(token, key, registry=self._registry)
            claims: Any = orjson.loads(signed.payload)
            algorithm = str(signed.headers()["alg"])
        except _UnknownKey:
            if self._source.missed():
                raise KeysAway from None
            raise BadToken("the token is not signed by a key of its issuer") from None
        except (JoseError, ValueError, TypeError, KeyError):
            raise BadToken("the token is not signed by a key of its issuer") from None
        if not isinstance(claims, dict):
            raise BadToken("the token makes no claims")
        return self._judge(claims, now, digest, used[0].thumbprint(), algorithm)

    def _judge(self, claims: Mapping[str, Any], now: float, digest: str, key: str, algorithm: str) -> Identity:
        jwt = self._jwt
        if claims.get("iss") != jwt.issuer:
            raise BadToken("the token is of another issuer")
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        if jwt.audience not in audiences:
            raise BadToken("the token is for another audience")
        expiry = _moment(claims, "exp")
        if expiry is None:
            raise BadToken("the token does not expire")
        not_before = _moment(claims, "nbf")
        if not_before is not None and not_before > now + jwt.leeway:
            raise BadToken("the token is not good yet")
        name = claims.get(jwt.principal)
        if not isinstance(name, str) or not name:
            raise BadToken("the token names nobody")
        # What comes behind so many audiences is not remembered: such a token may have to be shown anew after a reload.
        known = tuple(each for each in [jwt.audience, *audiences[:MOST_AUDIENCES]] if isinstance(each, str))
        proof = TokenProof(_named(claims, "jti") or digest, key, algorithm, jwt.issuer, known, jwt.principal)
        tenant = _named(claims, jwt.tenant) if jwt.tenant is not None else ""
        return Identity(_principal(jwt.issuer, name), expiry + jwt.leeway, proof, tenant)


class _UnknownKey(Exception):
    pass


def _key(said: Any, keys: KeySet) -> Key:
    """The key that a token names; one without a key id is taken if there is but one key."""
    kid = said.headers().get("kid")
    if kid is None and len(keys.keys) == 1:
        return keys.keys[0]
    for key in keys.keys:
        if kid is not None and key.kid == kid:
            return key
    raise _UnknownKey if kid is not None else ValueError("no key is named, and there are several")


def _named(claims: Mapping[str, Any], claim: str) -> str:
    """What a claim says; empty: nothing, or nothing that could be taken for a name."""
    value = claims.get(claim)
    return value if isinstance(value, str) and len(value) <= LONGEST_NAME else ""


def _principal(issuer: str, name: str) -> PrincipalId:
    # One issuer's names are never another's: the first `#` ends the issuer. Nodes are told it in a header.
    principal = f"jwt:{quote(issuer, safe=':/')}#{quote(name, safe='!$&()*+,/:;=@|')}"
    if len(principal) > LONGEST_PRINCIPAL:
        raise BadToken("the name in the token is too long")
    return PrincipalId(principal)


def _moment(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadToken(f"{name} of the token is no time")
    return float(value)
