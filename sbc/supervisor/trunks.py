"""The trunks of nodes, as a worker has them: each ends at the supervisor, which brings what the node says and takes
along what it is to be told.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from sbc.model.errors import Refusal
from sbc.model.ids import NodeId, SessionId, node_id
from sbc.model.interfaces import TrunkListener

SILENCE: Final = 0.3
"""After so many seconds without a word of the supervisor's it is he who is silent, not the nodes."""

Note = Callable[..., None]


class FarTrunk:
    """Implements Trunk."""

    def __init__(self, number: int, node: NodeId, note: Note) -> None:
        self.node = node
        self._number = number
        self._note = note

    def send(self, message: Mapping[str, Any]) -> None:
        self._note("trunk_say", trunk=self._number, message=message)

    def close(self, reason: str) -> None:
        self._note("trunk_hang_up", trunk=self._number, reason=reason)


class Trunks:
    """All of them."""

    def __init__(self, listener: TrunkListener, concerns: Callable[[SessionId], bool],
                 note: Note) -> None:  # fmt: skip
        """listener: who is told. concerns: whether a word about a session is for it. note: tells the supervisor."""
        self._listener = listener
        self._concerns = concerns
        self._note = note
        self._now = asyncio.get_running_loop().time
        self._trunks: dict[int, FarTrunk] = {}
        self._heard = self._now()

    @property
    def silent(self) -> bool:
        """Whether nothing of any node could be heard at the moment."""
        return self._now() - self._heard > SILENCE

    def noted(self, what: str, given: Mapping[str, Any]) -> None:
        """A word of the supervisor's."""
        match what, given:
            case "trunk_beats", {"beats": beats}:
                self._heard = self._now()
                for number, message in beats:
                    self._pass_on(number, message)
            case "trunk_heard", {"trunk": number, "message": message}:
                if "session" not in message or self._concerns(SessionId(message["session"])):
                    self._pass_on(number, message)
            case "trunk_registered", {"trunk": number, "message": message}:
                self._register(number, message)
            case "trunk_lost", {"trunk": number}:
                trunk = self._trunks.pop(number, None)
                if trunk is not None:
                    self._listener.lost(trunk)

    def _register(self, number: int, message: Mapping[str, Any]) -> None:
        trunk = FarTrunk(number, node_id(message["pool"], message["node"]), self._note)
        try:
            self._listener.registered(trunk, message)
        except Refusal as refusal:
            trunk.close(refusal.detail)
        else:
            self._trunks[number] = trunk

    def _pass_on(self, number: int, message: Mapping[str, Any]) -> None:
        trunk = self._trunks.get(number)
        if trunk is not None:
            self._listener.heard(trunk, message)
