"""An edge without an edge: Operations that records what it is asked, for the tests of the doors in front of it."""

from collections.abc import Callable
from typing import Any

from sbc.model.errors import ConfigError, Refusal, StoreError
from sbc.model.identity import Revoked

Row = dict[str, Any]

ROWS: list[Row] = [
    {"session": "s1", "state": "confirmed", "agent": "tutor", "class": "interactive", "owner": "tutors/a", "epoch": 1},
    {"session": "s2", "state": "held", "agent": "tutor", "class": "interactive", "owner": "tutors/b", "epoch": 2},
    {"session": "s/3 [bold]\x1b[2J", "state": "parked", "agent": "tools", "class": "synchronous",
     "owner": "tools/c", "epoch": 1},
]


class RecordingOperations:
    """Three sessions, one node, and a list of every order that was given."""

    def __init__(self) -> None:
        self.orders: list[tuple[Any, ...]] = []
        self.listeners: list[Callable[[Row], None]] = []
        self.reason: str | None = None
        self.state = "up"
        self.left = 2
        self.reload_fails: Exception | None = None

    async def sessions(self, *, state: str | None, agent: str | None, node: str | None, continuity: str | None,
                       limit: int, after: str | None) -> list[Row]:
        self.orders.append(("sessions", state, agent, node, continuity, limit, after))
        rows = [row for row in ROWS if state in (None, row["state"]) and (after is None or row["session"] > after)]
        return rows[:limit]

    async def session(self, session: str) -> Row:
        for row in ROWS:
            if row["session"] == session:
                return {**row, "journal": {"bytes": 12}, "replica": None}
        raise Refusal(404, "no_session", f"there is no session {session!r}")

    async def migrate(self, session: str, to: str | None) -> Row:
        self.orders.append(("migrate", session, to))
        if to == "tutors/full":
            raise Refusal(503, "no_room", "tutors/full has no room", retry_after=1.2)
        return {"session": session, "to": to, "epoch": 2}

    async def end(self, session: str) -> Row:
        await self.session(session)
        self.orders.append(("end", session))
        return {"session": session, "state": "ended"}

    async def revoke(self, kind: Revoked, name: str, lasts: float) -> Row:
        self.orders.append(("revoke", kind, name, lasts))
        return {"kind": kind.value, "name": name, "since": 0.0, "until": lasts, "ended": 1}

    async def forgive(self, kind: Revoked, name: str) -> Row:
        self.orders.append(("forgive", kind, name))
        return {"kind": kind.value, "name": name}

    async def revocations(self) -> list[Row]:
        return [{"kind": "principal", "name": "jwt:i#ann", "since": 0.0, "until": 4e9}]

    async def nodes(self) -> list[Row]:
        """A node that is drained loses one session each time somebody looks."""
        self.left -= self.state == "draining" and self.left > 0
        return [{"node": "tutors/a", "state": self.state, "sessions": self.left, "capacity": 200, "trunk": True}]

    async def edges(self) -> list[Row]:
        return [{"edge": "one", "state": "up", "here": True, "silence": 0.2, "trunk": "ws://one:9071/trunk",
                 "nodes": [{"node": "tutors/a"}, {"node": "tutors/b"}]}]

    async def drain(self, node: str) -> Row:
        self.orders.append(("drain", node))
        if node not in ("a", "tutors/a"):
            raise Refusal(404, "no_node", f"there is no node {node!r}")
        self.state = "draining"
        return {"node": "tutors/a", "state": "draining", "sessions": self.left}

    async def undrain(self, node: str) -> Row:
        self.orders.append(("undrain", node))
        self.state = "up"
        return {"node": "tutors/a", "state": "up"}

    async def reload(self) -> Row:
        if self.reload_fails is not None:
            raise self.reload_fails
        return {"applied": True, "changes": ["agents.tutor"]}

    async def depart(self, settle: float) -> Row:
        self.orders.append(("depart", settle))
        self.left -= self.left > 0
        return {"state": "draining" if self.left else "drained", "sessions": self.left}

    async def config(self) -> Row:
        return {"edge": {"name": "edge-1"}, "trunk": {"secret_file": "***"}}

    async def unready(self) -> str | None:
        return self.reason

    def listen(self, listener: Callable[[Row], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)


FAULTY = ConfigError(["sbc.yaml:3:5: unknown key `lisen`: `listen` is meant", "sbc.yaml:9:1: no pool `x`"])
STORELESS = StoreError("the disk is full")
BROKEN = RuntimeError("secret detail")
