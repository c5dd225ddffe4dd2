"""How loudly events are logged: those that no name stands here for, as what is worth knowing."""

from collections.abc import Mapping
from typing import Any

from sbc.telemetry.logs import Log

QUIET_EVENTS = frozenset({"client_refused"})
"""What is told to whoever listens, but logged only in detail: hostile clients must not fill the disk."""

TROUBLE = frozenset({
    "address_lost", "certificate_rejected", "discovery_fails", "durability_lost", "edge_fenced", "jwks_rejected",
    "leg_failed", "node_down", "node_slow", "predecessor_lost", "protocol_broken", "records_fail", "reload_rejected",
    "session_not_moved",
    "shedding_began", "source_barred", "source_blocked", "store_fails", "store_replaced", "successor_lost",
    "trunk_lost", "upgrade_failed",
})  # fmt: skip
"""What an operator may have to see to."""


def say(log: Log, event: str, fields: Mapping[str, Any]) -> None:
    """One line of the log."""
    if event in QUIET_EVENTS:
        log.debug(event, **fields)
    elif event in TROUBLE:
        log.warning(event, **fields)
    else:
        log.info(event, **fields)
