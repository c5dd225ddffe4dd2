"""Requests that come to a process with a successor, on connections from before, for sessions that it has no more.

They are passed on as to another worker (runtime/interconnect.py); the successor takes them as if their clients had come
to it. So a client with several connections is answered on each of them, wherever its session is by now.
"""

from collections.abc import Callable, Sequence

from sbc.model.errors import Refusal
from sbc.model.ids import SessionId
from sbc.model.node import Node
from sbc.protocols.protocol import Key
from sbc.runtime.http.asked import Asked
from sbc.runtime.http.passing import Passing, Unknowing
from sbc.runtime.interconnect import Interconnect


class ToSuccessor:
    """Implements Onward, and Whereabouts for WebSockets: what is not here is there, or begins there."""

    def __init__(self, interconnect: Interconnect, metrics: Unknowing, node: Node) -> None:
        """node: the successor."""
        self._interconnect = interconnect
        self._metrics = metrics
        self._node = node

    def leads(self, asked: Asked, session: SessionId) -> bool:
        """See Onward."""
        if asked.arrived is None:  # it was here before there was a successor
            raise Refusal(503, "leaving", "the session is with another process by now", retry_after=1)
        Passing(self._interconnect, self._metrics, asked, self._node, None).begin()
        return True

    def seeks(self, asked: Asked, beginning: Sequence[Key], anew: Callable[[], None]) -> bool:
        """See Onward."""
        return self.leads(asked, SessionId(""))

    def follows(self, asked: Asked, holder: str, instead: Callable[[], None]) -> bool:
        """See Onward. Nobody is asked here who has a session."""
        return False

    def elsewhere(self, session: SessionId) -> Node | None:
        """See Whereabouts (runtime/websocket/front.py)."""
        return self._node
