"""The agent of the tests: a deterministic conversation, so that what it must say next is known after any handover.

A client message is `{"n": 3, "say": 2, "every": 0.01, "pad": 0}`: number, how many messages to answer with, seconds
between them, bytes of padding in each (`ballast` is padding of its own). An answer is `{"m": 7, "n": 3, "i": 0, "sum":
6, ...}`: the number among all of the session's node messages, what it answers, and the sum of all `n` processed so far,
which gives away a client message that was lost, doubled or swapped by whatever owner.
"""

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Conversation:
    received: int = 0
    sent: int = 0
    total: int = 0
    queue: list[dict[str, Any]] = field(default_factory=list)
    """Client messages not answered in full; the first may be half answered (`i` is how far)."""

    def hear(self, text: str) -> None:
        """Take a client message."""
        self.received += 1
        item = {"say": 1, "every": 0.0, "pad": 0, "i": None, **json.loads(text)}
        item.pop("ballast", None)
        self.queue.append(item)

    def answer(self, **extra: Any) -> tuple[str, float] | None:
        """The next message to the client and the pause after it, or None if there is nothing to say."""
        while self.queue:
            item = self.queue[0]
            if item["i"] is None:
                item["i"] = 0
                self.total += item["n"]
            if item["i"] < item["say"]:
                self.sent += 1
                body = {"m": self.sent, "n": item["n"], "i": item["i"], "sum": self.total, **extra}
                if item["pad"]:
                    body["pad"] = "x" * item["pad"]
                item["i"] += 1
                if item["i"] == item["say"]:
                    del self.queue[0]
                return json.dumps(body), item["every"]
            del self.queue[0]
        return None

    @property
    def idle(self) -> bool:
        """Whether nothing is owed to the client."""
        return not self.queue

    def state(self) -> str:
        """All of it but the counts, for a checkpoint."""
        return json.dumps({"total": self.total, "queue": self.queue})

    @classmethod
    def resumed(cls, received: int, sent: int, state: str | None) -> "Conversation":
        """The conversation as a checkpoint has it; from the beginning without one."""
        kept = json.loads(state) if state else {"total": 0, "queue": []}
        return cls(received, sent, kept["total"], kept["queue"])
