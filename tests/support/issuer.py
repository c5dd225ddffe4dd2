"""An issuer of bearer tokens: its keys, the file in which others find them, and tokens of every kind."""

import json
import time
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

ISSUER, AUDIENCE = "https://idp.example", "agents"


class Issuer:
    """One signing key at a time."""

    def __init__(self, kid: str = "k1", algorithm: str = "ES256") -> None:
        self.algorithm = algorithm
        options: Any = {"kid": kid, "use": "sig", "alg": algorithm}
        self.key: ECKey | OKPKey | RSAKey
        if algorithm.startswith("ES"):
            self.key = ECKey.generate_key("P-256", options)
        elif algorithm in ("Ed25519", "EdDSA"):
            self.key = OKPKey.generate_key("Ed25519", options)
        else:
            self.key = RSAKey.generate_key(2048, options)

    def jwks(self) -> dict[str, Any]:
        """What the world may know of the key."""
        return dict(KeySet([self.key]).as_dict(private=False))

    def write(self, path: Path) -> str:
        """Put it where an edge finds it; gives what the configuration says of it."""
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(self.jwks()))
        fresh.rename(path)
        return f"file:{path}"

    def token(self, name: str, lasts: float = 300.0, head: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token; claims that are None are left out."""
        said = {"iss": ISSUER, "aud": AUDIENCE, "sub": name, "exp": time.time() + lasts} | claims
        said = {key: value for key, value in said.items() if value is not None}
        header = {"alg": self.algorithm, "kid": self.key.kid} | (head or {})
        return jwt.encode({key: value for key, value in header.items() if value is not None}, said, self.key,
                          algorithms=[header["alg"]])  # fmt: skip
