"""Credentials of requests that are kept for a handover: sealed, so that who reads a store does not come by them.

A new owner is told them as the client did, after a restart of the edge too, as long as the key is there that has sealed
them. Sealed for one session: what is copied into another's journal opens nothing.
"""

import os
from dataclasses import replace
from typing import Final

from sbc.core.forwarding import node_target
from sbc.core.seal import NONCE_BYTES, Seal
from sbc.model.http import Fields, Request
from sbc.model.ids import SessionId

CREDENTIALS: Final = frozenset({
    b"authorization", b"cookie", b"api-key", b"x-api-key", b"x-auth-token", b"x-goog-api-key",
})  # fmt: skip
"""The fields by which clients show nodes who they are."""


class Veil:
    """Covers the credentials of one session."""

    __slots__ = ("_covered", "_session", "seal")

    def __init__(self, seal: Seal, session: SessionId) -> None:
        self.seal = seal
        self._session = session
        self._covered: dict[bytes, tuple[bytes, bytes]] = {}
        """What each field said last, and that covered: a client shows the same with every request."""

    def cover(self, request: Request) -> Request:
        """A request as it may be kept."""
        fields = [(name, self._cover(name, value) if name in CREDENTIALS else value) for name, value in request.fields]
        return replace(request, target=node_target(request.target), fields=fields)

    def lift(self, fields: Fields) -> Fields:
        """Fields of a request that was kept, as the client sent them, without those that no key opens any more."""
        lifted = []
        for name, value in fields:
            opened = self.seal.open_secret(value, self._session) if name in CREDENTIALS else value
            if opened is not None:
                lifted.append((name, opened))
        return lifted

    def _cover(self, name: bytes, value: bytes) -> bytes:
        known = self._covered.get(name)
        if known is None or known[0] != value:
            known = self._covered[name] = value, self.seal.seal_secret(value, self._session, os.urandom(NONCE_BYTES))
        return known[1]
