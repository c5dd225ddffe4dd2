"""Retry tokens (RFC 9000 section 8.1.2): a client shows by one that it is where it says, and nothing is kept meanwhile.

A token holds the connection id that the client chose first, sealed for its address and for the id that the Retry gave
it. Which tokens are ours shows at their beginning: others were made by another edge, or another server of that name,
for later connections, and count as none (RFC 9000 section 8.1.3).
"""

import os
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sbc.wire.http3.engine import Address

LIFE = 10.0
"""How long a token is good, in seconds: what a round trip takes, and the loss of a packet or two."""

_MARK, _NONCE = 4, 12
_TIME = struct.Struct(">d")


class RetryTokens:
    """Seals and opens tokens, with a key that lives as long as the door."""

    __slots__ = ("_cipher", "_mark")

    def __init__(self) -> None:
        self._cipher = AESGCM(AESGCM.generate_key(128))
        self._mark = os.urandom(_MARK)

    def seal(self, original: bytes, retried: bytes, source: Address, now: float) -> bytes:
        """A token. original: the connection id of the client's first Initial; retried: the one that it is given."""
        nonce = os.urandom(_NONCE)
        sealed = self._cipher.encrypt(nonce, _TIME.pack(now) + original, _bound_to(retried, source))
        return self._mark + nonce + sealed

    def ours(self, token: bytes) -> bool:
        """Whether it was made here."""
        return token[:_MARK] == self._mark

    def open(self, token: bytes, retried: bytes, source: Address, now: float) -> bytes | None:
        """The original connection id; None if it is forged, too old, or somebody else's."""
        nonce, sealed = token[_MARK : _MARK + _NONCE], token[_MARK + _NONCE :]
        try:
            opened = self._cipher.decrypt(nonce, sealed, _bound_to(retried, source))
        except (InvalidTag, ValueError):
            return None
        (made,) = _TIME.unpack_from(opened)
        return opened[_TIME.size :] if 0.0 <= now - made <= LIFE else None


def _bound_to(retried: bytes, source: Address) -> bytes:
    return f"{source[0]} {source[1]} ".encode() + retried
