"""The record in which every session ends (docs/DESIGN.md P7): what it used, what it went through, how it ended."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from sbc.model.errors import CloseCode
from sbc.model.interfaces import Stored
from sbc.runtime.house import House
from sbc.runtime.session import Session


class Records(Protocol):
    """Where the records of sessions go."""

    def write(self, fields: Mapping[str, Any]) -> None:
        """Have one written. Never waits."""


def fields(session: Session) -> dict[str, Any]:
    """The session detail record of a session, ended or not."""
    dialog, account, entry = session.dialog, session.dialog.account, session.record
    closed = session.closed
    lasted = time.monotonic() - dialog.began  # in this process: what was before a restart of the edge is not known
    idle = account.held_seconds + account.parked_seconds
    return {
        "session": dialog.session, "agent": dialog.manifest.agent, "class": dialog.manifest.continuity.value,
        "principal": entry.principal, "created": _stamp(entry.created), "ended": _stamp(time.time()),
        "result": closed.result if closed else "", "code": int(closed.code) if closed else 0,
        "reason": closed.reason if closed else "",
        "recovered": account.recovered,
        "owner": dialog.binding.owner if dialog.binding else None,
        "epoch": dialog.binding.epoch if dialog.binding else 0,
        "messages": {"client": dialog.inbound.count, "node": dialog.outbound.count},
        "handovers": account.handovers, "replayed": account.replayed, "lost": account.lost,
        "unknown": account.unknown,
        "seconds": {
            "confirmed": round(max(0.0, lasted - idle), 3), "held": round(account.held_seconds, 3),
            "parked": round(account.parked_seconds, 3),
        },
    }  # fmt: skip


def write_absent(house: House, entry: Stored, result: str, records: Records | None) -> None:
    """The same for a session that was read back from the store and never woken: what it went through is not known."""
    ended: dict[str, Any] = {
        "session": entry.binding.session, "agent": entry.agent, "class": None, "principal": entry.principal,
        "created": _stamp(entry.created), "ended": _stamp(time.time()), "result": result,
        "code": int(CloseCode.GOING_AWAY), "reason": "", "recovered": True, "owner": entry.binding.owner,
        "epoch": entry.binding.epoch,
    }  # fmt: skip
    house.announce("session_ended", ended)
    if records is not None:
        records.write(ended)


def write(session: Session, records: Records | None) -> None:
    """Count and announce the end of a session, and put it on record."""
    ended = fields(session)
    for state, seconds in ended["seconds"].items():
        session.house.metrics.session_seconds[state] += seconds
    session.house.announce("session_ended", ended)
    if records is not None:
        records.write(ended)


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
