"""What operators may ask of the running edge: implements Operations of model/operations.py for the admin API."""

import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sbc.config import Config, redacted
from sbc.core.dialog import NodeSide
from sbc.core.roster import Standing
from sbc.model.errors import CloseCode, Refusal, StoreError
from sbc.model.events import EndOrdered
from sbc.model.fellow import Fellow
from sbc.model.identity import Revocation, Revoked
from sbc.model.ids import NodeId, SessionId
from sbc.model.interfaces import Stored
from sbc.model.leg import Cause, State
from sbc.runtime import record
from sbc.runtime.hall import Hall
from sbc.runtime.session import Session

Listener = Callable[[dict[str, Any]], None]


class Events:
    """Who listens to `GET /api/v1/events`."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()

    @property
    def heard(self) -> bool:
        """Whether anybody listens."""
        return bool(self._listeners)

    def tell(self, event: str, fields: Mapping[str, Any]) -> None:
        if self._listeners:
            self.pass_on({"event": event, "time": round(time.time(), 3), **fields})

    def pass_on(self, told: dict[str, Any]) -> None:
        """Tell what was told already, in another process."""
        for listener in tuple(self._listeners):
            listener(told)

    def listen(self, listener: Listener) -> Callable[[], None]:
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)


class EdgeOperations:
    """Looks things up and gives orders; all that takes time is done by others."""

    def __init__(
        self, hall: Hall, events: Events, config: Callable[[], Config],
        reload: Callable[[], Awaitable[dict[str, Any]]], unready: Callable[[], str | None],
        depart: Callable[[float], dict[str, Any]],
        upgrade: Callable[[], Awaitable[dict[str, Any]]],
        edges: Callable[[], Awaitable[Sequence[Fellow]]],
    ) -> None:  # fmt: skip
        self._hall = hall
        self._config = config
        self._reload = reload
        self._unready = unready
        self._depart = depart
        self._upgrade = upgrade
        self._edges = edges
        self.listen = events.listen

    # Sessions.

    async def sessions(
        self, *, state: str | None, agent: str | None, node: str | None, continuity: str | None, limit: int,
        after: str | None,
    ) -> list[dict[str, Any]]:  # fmt: skip
        rows = [row(session) for session in self._hall.sessions.values()]
        rows += [dormant_row(found.entry) for found in self._hall.dormant.sleepers.values()]
        wanted = {"state": state, "agent": agent, "class": continuity}
        rows = [
            found for found in rows
            if all(value is None or found[key] == value for key, value in wanted.items())
            and (node is None or found["owner"] == node or found["owner"].partition("/")[2] == node)
            and (after is None or found["session"] > after)
        ]  # fmt: skip
        return sorted(rows, key=lambda found: str(found["session"]))[:limit]

    async def session(self, session: str) -> dict[str, Any]:
        dormant = self._hall.dormant.sleepers.get(SessionId(session))
        if dormant is not None:
            return dormant_row(dormant.entry)
        found = self._found(session)
        dialog = found.dialog
        checkpoint = dialog.checkpoint
        return row(found) | {
            "principal": found.record.principal, "replica": dialog.binding.replica if dialog.binding else None,
            "checkpoint": {"received": checkpoint.received, "sent": checkpoint.sent} if checkpoint else None,
            "standby": dialog.standby.node if dialog.standby else None,
            "move": dialog.move.step.value if dialog.move else None,
            "journal_bytes": {"client": dialog.inbound.journal.octets, "node": dialog.outbound.journal.octets},
            "record": record.fields(found), "manifest": dialog.manifest.declared,
        }  # fmt: skip

    def _found(self, session: str) -> Session:
        found = self._hall.sessions.get(SessionId(session))
        if found is None:
            raise Refusal(404, "no_session", f"there is no session {session!r}")
        return found

    async def migrate(self, session: str, to: str | None) -> dict[str, Any]:
        found = self._found(session)
        dialog = found.dialog
        if not dialog.manifest.migration.allowed:
            raise Refusal(409, "not_allowed", "the session's manifest does not allow it to move")
        target = self._target(found, to) if to is not None else None
        if dialog.node is not NodeSide.SERVING or dialog.move is not None:
            raise Refusal(409, "busy", "the session is moving, or has no owner at the moment")
        self._hall.move(found, target, Cause.MIGRATION)
        return row(found)

    def _target(self, session: Session, to: str) -> NodeId:
        standings = self._hall.house.roster.find(to, session.dialog.manifest.pool)
        if not standings:
            raise Refusal(404, "no_node", f"there is no node {to!r} in the pool of this session")
        target = standings[0].node.id
        owner = session.dialog.owner
        if owner is not None and owner.node == target:
            raise Refusal(409, "owner", f"{to} owns the session already")
        if standings[0].health.state.value != "up":
            raise Refusal(503, "node_not_up", f"{to} is {standings[0].health.state.value}", retry_after=1)
        return target

    async def end(self, session: str) -> dict[str, Any]:
        found = self._found(session)
        found.tell(EndOrdered(CloseCode.NORMAL, "ended by the operator"))
        return row(found)

    # Revocations.

    async def revoke(self, kind: Revoked, name: str, lasts: float) -> dict[str, Any]:
        now = time.time()
        revocation = Revocation(kind, name, now, now + lasts)
        ended = self._hall.revoke(revocation)
        self._hall.house.announce("revoked", {kind.value: name, "seconds": lasts, "ended": ended})
        await self._hall.house.store.revoke(revocation)
        return revocation_row(revocation) | {"ended": ended}

    async def forgive(self, kind: Revoked, name: str) -> dict[str, Any]:
        if not self._hall.house.revocations.forgive(kind, name):
            raise Refusal(404, "not_revoked", f"the {kind.value} {name!r} is not revoked")
        self._hall.house.announce("forgiven", {kind.value: name})
        await self._hall.house.store.forgive(kind, name)
        return {"kind": kind.value, "name": name}

    async def revocations(self) -> list[dict[str, Any]]:
        return [revocation_row(revocation) for revocation in self._hall.house.revocations]

    # Edges and nodes.

    async def edges(self) -> list[dict[str, Any]]:
        here = self._config().edge.name
        return [{"edge": edge.name, "state": edge.state, "here": edge.name == here, "silence": round(edge.silence, 1),
                 **edge.words, "nodes": list(edge.nodes)} for edge in await self._edges()]

    async def nodes(self) -> list[dict[str, Any]]:
        return [self._node_row(standing) for standing in sorted(self._hall.house.roster, key=lambda one: one.node.id)]

    def _node_row(self, standing: Standing) -> dict[str, Any]:
        node, roster = standing.node, self._hall.house.roster
        return {
            "node": node.id, "name": node.name, "pool": node.pool, "state": standing.health.state.value,
            "sessions": roster.ledger.seats(node.id), "elsewhere": standing.elsewhere, "capacity": node.capacity,
            "load": round(roster.load(node), 4),
            "reported_load": standing.reported_load, "zone": node.zone, "url": node.url, "trunk": standing.trunk,
            "checkpoints": standing.checkpoints, "slow": standing.punctuality.slow, "labels": dict(node.labels),
        }  # fmt: skip

    def _one_node(self, name: str) -> Standing:
        standings = self._hall.house.roster.find(name)
        if not standings:
            raise Refusal(404, "no_node", f"there is no node {name!r}")
        if len(standings) > 1:
            names = ", ".join(standing.node.id for standing in standings)
            raise Refusal(409, "ambiguous", f"{name!r} may be {names}: say which")
        return standings[0]

    async def drain(self, node: str) -> dict[str, Any]:
        standing = self._one_node(node)
        await self.keep_out(standing.node.id)
        return self._node_row(standing)

    async def keep_out(self, node: NodeId) -> None:
        """Give a node no more sessions, be it there or not. Raises Refusal: there are too many such."""
        order = Revocation(Revoked.NODE, node, time.time(), math.inf)
        self._hall.house.roster.keep_out(order)
        self._hall.node_leaves(node, None)
        with suppress(StoreError):  # readiness tells of it; edges that share a store say it again
            await self._hall.house.store.revoke(order)

    async def undrain(self, node: str) -> dict[str, Any]:
        standing = self._one_node(node)
        await self.let_in(standing.node.id)
        return self._node_row(standing)

    async def let_in(self, node: NodeId) -> None:
        """Let a node have sessions again, be it there or not."""
        self._hall.house.roster.let_in(node)
        self._hall.node_ready()
        with suppress(StoreError):
            await self._hall.house.store.forgive(Revoked.NODE, node)

    # Who misbehaves.

    async def abuse(self, limit: int) -> list[dict[str, Any]]:
        return self._hall.house.constable.rows(limit)

    async def pardon(self, source: str) -> dict[str, Any]:
        if not self._hall.house.constable.pardon(source):
            raise Refusal(404, "no_source", f"nothing is held against {source!r}")
        return {"source": source, "standing": "pardoned"}

    # The edge.

    async def upgrade(self) -> dict[str, Any]:
        return await self._upgrade()

    async def reload(self) -> dict[str, Any]:
        return await self._reload()

    async def depart(self, settle: float) -> dict[str, Any]:
        return self._depart(settle)

    async def config(self) -> dict[str, Any]:
        return redacted(self._config())

    async def unready(self) -> str | None:
        return self._unready()


def row(session: Session) -> dict[str, Any]:
    """One session in a list."""
    dialog = session.dialog
    return {
        "session": dialog.session, "state": dialog.state.value, "agent": dialog.manifest.agent,
        "class": dialog.manifest.continuity.value, "owner": dialog.binding.owner if dialog.binding else "",
        "epoch": dialog.binding.epoch if dialog.binding else 0, "received": dialog.inbound.count,
        "sent": dialog.outbound.count, "handovers": dialog.account.handovers,
        "age": round(time.time() - session.record.created, 1),
    }  # fmt: skip


def revocation_row(revocation: Revocation) -> dict[str, Any]:
    """One revocation in a list."""
    return {"kind": revocation.kind.value, "name": revocation.name, "since": round(revocation.since, 3),
            "until": round(revocation.until, 3)}  # fmt: skip


def dormant_row(entry: Stored) -> dict[str, Any]:
    """A session that was read back from the store and waits for its client."""
    return {
        "session": entry.binding.session, "state": State.PARKED.value, "agent": entry.agent, "class": "",
        "owner": entry.binding.owner, "epoch": entry.binding.epoch, "received": None, "sent": None, "handovers": None,
        "age": round(time.time() - entry.created, 1),
    }  # fmt: skip
