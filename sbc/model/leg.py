"""How a dialog stands, what a node is to it, and why it comes to another one."""

from enum import Enum


class Role(Enum):
    """What a node is to a session; `Session-Role` on the wire."""

    OWNER = "owner"
    STANDBY = "standby"


class State(Enum):
    """The state of a dialog, as operators see it. core/dialog.py derives it from its two sides."""

    EARLY = "early"
    CONFIRMED = "confirmed"
    HELD = "held"
    PARKED = "parked"
    ENDED = "ended"


class Cause(Enum):
    """Why a dialog changed its owner; the `cause` of `Session-Resume` and of sbc_handovers_total."""

    FAILOVER = "failover"
    MIGRATION = "migration"
    ROLLOVER = "roll-over"
    CEILING = "ceiling"
    """Its node broke its latency ceilings."""
    RECOVERY = "recovery"
    """The edge was started again: the node is the same, the leg is new."""
