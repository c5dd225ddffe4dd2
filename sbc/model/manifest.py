"""What an agent declares about its sessions. Durations are in seconds, sizes in bytes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from sbc.model.ids import AgentName, PoolName
from sbc.model.marking import Mark


class Continuity(Enum):
    """The class of a session: how soon its silence hurts. Lower `rank` is served first."""

    SYNCHRONOUS = "synchronous"
    INTERACTIVE = "interactive"
    AUTONOMOUS = "autonomous"

    def __init__(self, word: str) -> None:
        self.rank = ("synchronous", "interactive", "autonomous").index(word)


class Standby(Enum):
    COLD = "cold"
    WARM = "warm"


class Output(Enum):
    CONTINUE = "continue"
    REGENERATE = "regenerate"


class Replay(Enum):
    AUTO = "auto"
    ALL = "all"
    NONE = "none"


class Durability(Enum):
    """What of a session's messages is in the store before its edge may die."""

    NONE = "none"
    ASYNC = "async"
    SYNC = "sync"


class When(Enum):
    TURN = "turn"
    NOW = "now"


@dataclass(frozen=True, slots=True)
class Placement:
    regions: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    spread: str | None = "zone"
    """Where the replica goes: `zone` asks for another zone than the owner's."""


@dataclass(frozen=True, slots=True)
class Migration:
    """How a session moves to another node."""
    allowed: bool = True
    when: When = When.TURN
    standby: Standby = Standby.COLD
    output: Output = Output.CONTINUE
    replay: Replay = Replay.AUTO
    tolerated_loss: int | None = 0
    """Messages a held client may lose before its session has to end; None: any number."""
    trust: tuple[str, ...] = ()
    """What is believed of a request's being safe to say twice: `annotations` (MCP), `message_ids` (A2A)."""
    deadline: float = 5.0
    """How long a planned move waits for the turn's end."""
    hold: float = 30.0
    """How long a client is kept while no node can take its session, and a dialog while its client is away."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an agent declares about its sessions."""
    agent: AgentName
    pool: PoolName
    continuity: Continuity = Continuity.INTERACTIVE
    latency_ceiling: float | None = None
    refuses_late: bool = False
    """Whether a request whose answer has not begun within the ceiling is refused."""
    placement: Placement = field(default_factory=Placement)
    migration: Migration = field(default_factory=Migration)
    rising: bool = True
    """Whether a session is worth more the longer it lasts; those of flat value are shed first."""
    durability: Durability = Durability.ASYNC
    mark: Mark | None = None
    """What the packets of its sessions bear."""
    declared: Mapping[str, Any] = field(default_factory=dict)
    """The whole of it as plain JSON values, with defaults: what an invited node is shown."""
