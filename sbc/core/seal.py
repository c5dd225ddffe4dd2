"""Session tokens: the plain session id, sealed for one principal, so that what a client holds says nothing about
nodes, cannot be made up, and opens nobody else's session.

`key-id.base64url(nonce | AES-256-GCM ciphertext and tag)`; the principal is authenticated along (RFC 5116 section 2.1).
The first key seals, all keys open, so keys rotate without dropping anyone.
"""

import base64
import binascii
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sbc.model.ids import PrincipalId, SessionId

NONCE_BYTES = 12
KEY_BYTES = 32
LONGEST_TOKEN = 512

_KEY = b"key\n"
_SECRET = b"secret\n"
"""These keep the kinds of tokens apart: a node that chose a key well could else open other people's sessions."""


class Seal:
    """Seals and opens tokens. `keys`: id -> 32 secret bytes, the sealing key first."""

    __slots__ = ("_ciphers", "_first")

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._first = next(iter(keys))

    def seal(self, session: SessionId, principal: PrincipalId, nonce: bytes) -> str:
        """The token of a session. nonce: 12 bytes that were never used before."""
        return self._seal(session, principal.encode(), nonce)

    def open(self, token: str, principal: PrincipalId) -> SessionId | None:
        """The session of a token; None if it is not ours, was altered, or belongs to another principal."""
        opened = self._open(token, principal.encode())
        return None if opened is None else SessionId(opened)

    def seal_key(self, key: str, principal: PrincipalId, nonce: bytes) -> str:
        """A session key that a node made, as the client is to know it. It opens no session: who made it is no edge."""
        return self._seal(key, _KEY + principal.encode(), nonce)

    def open_key(self, token: str, principal: PrincipalId) -> str | None:
        """The node's key; None as with `open`."""
        return self._open(token, _KEY + principal.encode())

    def seal_secret(self, secret: bytes, session: SessionId, nonce: bytes) -> bytes:
        """A secret of a session's client that is to be kept."""
        return self._seal(secret.decode("latin-1"), _SECRET + session.encode(), nonce).encode()

    def open_secret(self, sealed: bytes, session: SessionId) -> bytes | None:
        """The secret; None: it was not sealed for this session, or by no key that is known."""
        opened = self._open(sealed.decode("latin-1"), _SECRET + session.encode(), longest=len(sealed))
        return None if opened is None else opened.encode("latin-1")

    def _seal(self, text: str, bound_to: bytes, nonce: bytes) -> str:
        sealed = self._ciphers[self._first].encrypt(nonce, text.encode(), bound_to)
        return f"{self._first}.{base64.urlsafe_b64encode(nonce + sealed).rstrip(b'=').decode()}"

    def _open(self, token: str, bound_to: bytes, longest: int = LONGEST_TOKEN) -> str | None:
        key_id, _, text = token.rpartition(".")
        cipher = self._ciphers.get(key_id)
        if cipher is None or len(token) > longest:
            return None
        try:
            blob = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
            return cipher.decrypt(blob[:NONCE_BYTES], blob[NONCE_BYTES:], bound_to).decode()
        except (binascii.Error, ValueError, InvalidTag):
            return None

    def ours(self, token: str) -> bool:
        """Whether this looks like a token of ours, however spoilt."""
        return token.rpartition(".")[0] in self._ciphers
