"""Where an exchange belongs: to a session, or to itself alone."""

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from sbc.core.relay import Relay
from sbc.model.http import Fields, Response
from sbc.protocols.protocol import Conversation, Key

if TYPE_CHECKING:
    from sbc.runtime.http.exchange import Exchange


MOST_TRIES = 4
"""How often an exchange is sent, or its rest asked for, without anything coming of it."""


class Loss(Enum):
    """Why a node will say no more to an exchange."""

    STREAM = "stream"
    """What carried it broke; of the node nothing is known."""
    NODE = "node"
    """The node cannot be reached."""
    MEMORY = "memory"
    """The node knows nothing of the session any more."""
    LEAVING = "leaving"
    """The node said that it is going away."""


class Home(Protocol):
    conversation: Conversation

    @property
    def outbound(self) -> Relay | None:
        """Where the node's messages are counted and kept, as `deliver` does it; None: only `deliver` knows."""

    def token(self) -> bytes:
        """The session's sealed token."""

    def greet(self, exchange: "Exchange", response: Response) -> None:
        """The head of a node's answer, as it came: what the session has to learn from it, or to hide of it."""

    def greeting(self, exchange: "Exchange") -> Fields:
        """Fields that the edge adds to an answer's head."""

    def learned(self, keys: Sequence[Key], *, dispensable: bool) -> None:
        """The session is known by these keys too. dispensable: whether it may still be dropped to make room."""

    def read_answer(self, exchange: "Exchange", body: bytes) -> None:
        """A whole answer, if the exchange waited for it."""

    def deliver(self, exchange: "Exchange", message: bytes) -> bytes:
        """A message of the node's for the client is to be counted and kept; as the client is to see it."""

    def suppressed(self) -> None:
        """A message of the node's was dropped: the client has it from a former owner."""

    def unknown(self, exchange: "Exchange") -> None:
        """The client is told that nobody knows the outcome."""

    def broken(self, exchange: "Exchange", loss: Loss) -> None:
        """The node's stream broke before its end."""

    def again(self, exchange: "Exchange", after: float) -> None:
        """The node wants to be asked for the rest, after so many seconds."""

    def client_left(self, exchange: "Exchange") -> bool:
        """The client is gone; whether the node's answer goes on without it."""

    def over(self, exchange: "Exchange") -> None:
        """There is nothing more to be done."""
