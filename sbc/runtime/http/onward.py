"""Where a request goes whose session is not here: what is asked of those who know (runtime/siblings.py)."""

from collections.abc import Callable, Sequence
from typing import Protocol

from sbc.model.ids import SessionId
from sbc.protocols.protocol import Key
from sbc.runtime.http.asked import Asked

ROUTE = "route"
"""The kind of the keys that the route itself finds."""


class Onward(Protocol):
    """The other workers and edges, which may have sessions that this one has not."""

    def leads(self, asked: Asked, session: SessionId) -> bool:
        """A token names a session that is not here; whether the request is seen to. Raises Refusal."""

    def seeks(self, asked: Asked, beginning: Sequence[Key], anew: Callable[[], None]) -> bool:
        """No session here is known by the keys of the request; whether it is seen to: sent to where one is, or where
        one that is known by `beginning` is to begin; else `anew` is called. Raises Refusal."""

    def follows(self, asked: Asked, holder: str, instead: Callable[[], None]) -> bool:
        """Another edge, of this name, which lives, has the session: whether the request was sent there; if nobody is
        reached there, `instead` is called. Raises Refusal."""
