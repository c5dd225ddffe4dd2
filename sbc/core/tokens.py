"""Bearer tokens (RFC 7519) of one issuer: verified with its public keys, once, and remembered while they are good.

What RFC 8725 asks for holds: the algorithms are given and never a secret one (3.1), issuer and audience have to be the
expected ones (3.8, 3.9), and a token that does not expire is none.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet

from sbc.model.identity import Identity, Jwt
from sbc.model.ids import PrincipalId

LONGEST_TOKEN: Final = 8 * 1024
MOST_VERIFIED: Final = 4096
"""Tokens that are remembered, by their hashes; the oldest is forgotten first."""
LONGEST_PRINCIPAL: Final = 512
MOST_KEYS: Final = 100
_PUBLIC: Final = frozenset({"RSA", "EC", "OKP"})


class BadToken(Exception):
    """A token that is not taken; the text says why, in words that may be told."""


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

    __slots__ = ("_jwt", "_keys", "_registry", "_verified")

    def __init__(self, jwt: Jwt, keys: KeySet) -> None:
        self._jwt = jwt
        self._keys = keys
        # What else a header says is the issuer's business; `crit` is looked at all the same.
        self._registry = jws.JWSRegistry(algorithms=jwt.algorithms, strict_check_header=False)
        self._verified: dict[bytes, Identity] = {}

    def replace_keys(self, keys: KeySet) -> None:
        """From now on these are the issuer's keys: what the former ones signed is to be proven again."""
        self._keys = keys
        self._verified.clear()

    def identify(self, token: bytes, now: float) -> Identity:
        """Whose token this is. now: wall-clock seconds. Raises BadToken."""
        if len(token) > LONGEST_TOKEN:
            raise BadToken("the token is too long")
        digest = hashlib.sha256(token).digest()
        known = self._verified.get(digest)
        if known is None:
            known = self._verify(token, now)
            if len(self._verified) >= MOST_VERIFIED:
                del self._verified[next(iter(self._verified))]
            self._verified[digest] = known
        if known.good_until <= now:
            raise BadToken("the token has expired")
        return known

    def _verify(self, token: bytes, now: float) -> Identity:
        try:
            claims: Any = orjson.loads(jws.deserialize_compact(token, self._key, registry=self._registry).payload)
        except (JoseError, ValueError, TypeError, KeyError):
            raise BadToken("the token is not signed by a key of its issuer") from None
        if not isinstance(claims, dict):
            raise BadToken("the token makes no claims")
        return self._judge(claims, now)

    def _key(self, said: Any) -> Key:
        """The key that a token names. Raises ValueError: a token without a key id is taken if there is but one key."""
        kid = said.headers().get("kid")
        if kid is None and len(self._keys.keys) == 1:
            return self._keys.keys[0]
        for key in self._keys.keys:
            if kid is not None and key.kid == kid:
                return key
        raise ValueError("no such key")

    def _judge(self, claims: Mapping[str, Any], now: float) -> Identity:
        jwt = self._jwt
        if claims.get("iss") != jwt.issuer:
            raise BadToken("the token is of another issuer")
        audience = claims.get("aud")
        if audience != jwt.audience and not (isinstance(audience, list) and jwt.audience in audience):
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
        return Identity(_principal(jwt.issuer, name), expiry + jwt.leeway)


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
