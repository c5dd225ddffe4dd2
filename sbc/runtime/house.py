"""What a session needs of the hall around it: one frozen set of collaborators, made once."""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sbc.core.dialog import Dialog
from sbc.core.homes import Homes
from sbc.core.journal import Journal
from sbc.core.relay import Relay, Tally
from sbc.core.revocations import Revocations
from sbc.core.roster import Roster
from sbc.core.seal import Seal
from sbc.core.turnstile import Turnstile
from sbc.kernel.ward import Ward
from sbc.model.ids import NodeId, SessionId
from sbc.model.interfaces import SharedStore, Spawn, Store, Stored
from sbc.model.manifest import Manifest
from sbc.model.policy import Limits
from sbc.nodes.pool import Pool
from sbc.runtime.burst import Burst
from sbc.runtime.clerk import Office
from sbc.runtime.constable import Constable
from sbc.runtime.pace import Pace
from sbc.runtime.usher import Usher
from sbc.telemetry.metrics import Metrics


class Signals(Protocol):
    """The fleet, as a session sees it."""

    def send(self, node: NodeId, message: Mapping[str, Any]) -> bool:
        """Send a message over the node's trunk; False if it has none."""

    def worked(self, node: NodeId) -> None:
        """A leg to the node was opened."""

    def emptied(self, node: NodeId) -> None:
        """A node that was drained has no sessions left."""

    def refused(self, node: NodeId) -> None:
        """The node could not be reached, or broke before a leg was open."""


@dataclass(slots=True)
class House:
    loop: asyncio.AbstractEventLoop
    spawn: Spawn
    store: Store
    shared: SharedStore | None
    """The store, if other edges have it too."""
    homes: Homes
    """At which worker sessions are at home."""
    office: Office
    roster: Roster
    turnstile: Turnstile
    revocations: Revocations
    usher: Usher
    signals: Signals
    pool: Pool
    """The way to nodes."""
    seal: Seal
    pace: Pace
    """Of sessions that lost their owner, or are moved."""
    returns: Pace
    """Of sessions that lost their edge."""
    burst: Burst
    metrics: Metrics
    constable: Constable
    ward: Ward | None
    """Where orders to the kernel are given; None: nothing is ordered of it."""
    closed: Callable[[SessionId], None]
    """A dialog has ended: the session is to be forgotten."""
    announce: Callable[[str, Mapping[str, Any]], None]
    """Tells operators of an event: log and `GET /api/v1/events`."""

    def new_id(self) -> SessionId:
        """An id for a session that begins here."""
        return self.homes.mint(secrets.randbits(128))

    def dialog(self, entry: Stored, manifest: Manifest, limits: Limits) -> Dialog:
        """A dialog with its relays and journals."""
        class_, session_id = manifest.continuity.value, entry.binding.session
        inbound = Relay(Journal(limits.journal), self._tally("client", class_), masked=True, limit=limits.message)
        outbound = Relay(Journal(limits.journal), self._tally("node", class_), masked=False, limit=limits.message)
        dialog = Dialog(session_id, manifest, self.roster, inbound, outbound, time.monotonic())
        if self.store.durable:
            self.office.appoint(dialog)
        if self.shared is not None:
            dialog.last_epoch = self.shared.first_epoch()
        return dialog

    def _tally(self, leg: str, class_: str) -> Tally:
        tally = self.metrics.tallies.setdefault((leg, class_), Tally())
        assert isinstance(tally, Tally)
        return tally
