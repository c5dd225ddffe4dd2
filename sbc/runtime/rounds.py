"""What the edge sees to once a second, beside its sessions: the keys of issuers, its records, the keys of tickets, what
other edges have revoked, and which edges there are."""

import ssl
from collections.abc import Callable, Mapping

from sbc.config import Config
from sbc.runtime.fellows import Fellows
from sbc.runtime.hall import Hall
from sbc.runtime.reload import security_of
from sbc.telemetry import logs
from sbc.telemetry.records import RecordWriter
from sbc.transports.listener import Listener

TICKETS = 12 * 3600.0
"""For how many seconds the keys of session tickets are used (RFC 5077 section 5.5: who has such a key reads what was
resumed with it). A TLS context makes its own and never another, so there is a new context then."""

log = logs.get("sbc")


class Rounds:
    """Goes round each second."""

    def __init__(self, hall: Hall, records: Callable[[], RecordWriter | None], config: Callable[[], Config],
                 listeners: Mapping[str, Listener], fellows: Fellows | None) -> None:  # fmt: skip
        """records, config, listeners: those of the moment. fellows: the other edges of the store, if it has others."""
        self._hall = hall
        self._records = records
        self._records_fault: str | None = None
        self._config = config
        self._listeners = listeners
        self._tickets_since = hall.house.loop.time()
        self._fellows = fellows

    def go(self) -> None:
        """Look at everything."""
        house = self._hall.house
        if self._hall.rules.authorities.look(house.spawn, self._reject_keys):
            self._hall.review()
        self._look_at_records()
        if house.loop.time() - self._tickets_since >= TICKETS:
            self._tickets_since = house.loop.time()
            self.renew_tickets()
        if self._fellows is not None:
            self._fellows.look()

    def _reject_keys(self, why: str) -> None:
        self._hall.house.announce("jwks_rejected", {"why": why})

    def _look_at_records(self) -> None:
        records = self._records()
        fault = records.fault if records is not None else None
        if fault != self._records_fault:
            self._records_fault = fault
            if fault is not None:
                log.error("records_fail", why=fault)
            else:
                log.info("records_work_again")

    def renew_tickets(self) -> None:
        """New keys for the tickets of all listeners; their certificates are read again on the way."""
        for written in self._config().listeners:
            door, security = self._listeners.get(written.name), security_of(written)
            if door is None or door.front is None or security is None:
                continue
            try:
                door.front.shelf = security.stock()
            except (OSError, ssl.SSLError) as error:  # those in force stay, tickets and all, until the next time
                self._hall.house.announce("certificate_rejected", {"listener": written.name, "why": str(error)})
