"""What operators ask of an edge with several workers: implements Operations of model/operations.py for all of them.

What is ordered of all is done by those that live; a worker that is started again learns it from another one
(`brief`). A question is answered by those that live too, so that one that is dead does not make the rest invisible.
"""

import asyncio
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector

from sbc.config import redacted
from sbc.model.errors import Refusal
from sbc.model.identity import Revoked
from sbc.supervisor.merging import Families, merged, own_families, written
from sbc.supervisor.process import State, WorkerProcess
from sbc.supervisor.reloading import CrewReload
from sbc.supervisor.rows import abuse_rows, node_rows
from sbc.supervisor.supervisor import Supervisor
from sbc.supervisor.upgrade import CrewUpgrade
from sbc.telemetry.collector import render
from sbc.wire.channel import ChannelLost


class CrewOperations:
    """Asks the workers, and makes one answer of theirs."""

    def __init__(self, supervisor: Supervisor, reload: CrewReload, upgrade: CrewUpgrade) -> None:
        self._supervisor = supervisor
        self._reload = reload
        self._upgrade = upgrade
        self.listen = supervisor.listen
        self._process = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._process)

    # Asking.

    async def _each(self, what: str, /, **given: Any) -> list[tuple[int, Any]]:
        """What each worker answers, or raises."""
        workers = self._supervisor.workers
        answers = await asyncio.gather(*(worker.ask(what, **given) for worker in workers), return_exceptions=True)
        return [(worker.number, answer) for worker, answer in zip(workers, answers, strict=True)]

    async def _all(self, what: str, /, **given: Any) -> list[Any]:
        """The answers of those that live and do it. Raises the Refusal of one if none does it: 503 if none lives."""
        answers = [answer for _, answer in await self._each(what, **given)]
        done = [answer for answer in answers if not isinstance(answer, BaseException)]
        if not done:
            raise _told(min((answer for answer in answers if isinstance(answer, BaseException)), key=_severity))
        return done

    async def _one(self, what: str, /, **given: Any) -> dict[str, Any]:
        """The answer of the one whose session it is, with its number. Raises Refusal: 503 if it may be that of a worker
        that is dead."""
        answers = await self._each(what, **given)
        for number, answer in answers:
            if not isinstance(answer, BaseException):
                return dict(answer) | {"worker": number}
        raise _told(max((answer for _, answer in answers if isinstance(answer, BaseException)), key=_severity))

    # Sessions.

    async def sessions(
        self, *, state: str | None, agent: str | None, node: str | None, continuity: str | None, limit: int,
        after: str | None,
    ) -> list[dict[str, Any]]:  # fmt: skip
        answers = await self._each("sessions", state=state, agent=agent, node=node, continuity=continuity, limit=limit,
                                   after=after)
        rows = [row | {"worker": number} for number, answer in answers if not isinstance(answer, BaseException)
                for row in answer]  # fmt: skip
        return sorted(rows, key=lambda row: str(row["session"]))[:limit]

    async def session(self, session: str) -> dict[str, Any]:
        return await self._one("session", session=session)

    async def migrate(self, session: str, to: str | None) -> dict[str, Any]:
        return await self._one("migrate", session=session, to=to)

    async def end(self, session: str) -> dict[str, Any]:
        return await self._one("end", session=session)

    # Revocations.

    async def revoke(self, kind: Revoked, name: str, lasts: float) -> dict[str, Any]:
        answers = await self._all("revoke", kind=kind.value, name=name, lasts=lasts)
        return dict(answers[0]) | {"ended": sum(answer["ended"] for answer in answers)}

    async def forgive(self, kind: Revoked, name: str) -> dict[str, Any]:
        return dict((await self._all("forgive", kind=kind.value, name=name))[0])

    async def revocations(self) -> list[dict[str, Any]]:
        rows = {(row["kind"], row["name"]): row for rows in await self._all("revocations") for row in rows}
        return sorted(rows.values(), key=lambda row: float(row["since"]))

    # Edges and nodes.

    async def edges(self) -> list[dict[str, Any]]:
        of_all = [row for rows in await self._all("edges") for row in rows]
        rows, here = {row["edge"]: row for row in of_all}, {row["edge"] for row in of_all if row["here"]}
        return [row | {"here": name in here} for name, row in sorted(rows.items())]

    async def nodes(self) -> list[dict[str, Any]]:
        return node_rows(await self._all("nodes"))

    async def drain(self, node: str) -> dict[str, Any]:
        return node_rows([[row] for row in await self._all("drain", node=node)])[0]

    async def undrain(self, node: str) -> dict[str, Any]:
        return node_rows([[row] for row in await self._all("undrain", node=node)])[0]

    # Who misbehaves.

    async def abuse(self, limit: int) -> list[dict[str, Any]]:
        return abuse_rows(await self._all("abuse", limit=limit))[:limit]

    async def pardon(self, source: str) -> dict[str, Any]:
        return dict((await self._all("pardon", source=source))[0])

    # The edge.

    async def reload(self) -> dict[str, Any]:
        return await self._reload.begin()

    async def depart(self, settle: float) -> dict[str, Any]:
        answers = await self._all("depart", settle=settle)
        self._supervisor.depart(settle)
        away = all(answer["state"] == "drained" for answer in answers)
        return {"state": "drained" if away else "draining", "sessions": sum(answer["sessions"] for answer in answers)}

    async def upgrade(self) -> dict[str, Any]:
        return await self._upgrade.begin()

    async def config(self) -> dict[str, Any]:
        return redacted(self._supervisor.config)

    async def unready(self) -> str | None:
        if self._supervisor.phase is not None:
            return self._supervisor.phase
        for worker in self._supervisor.workers:
            try:
                why = await worker.ask("ready") if worker.state is State.READY else "is being started again"
            except ChannelLost:
                why = "does not answer"
            if why is not None:
                return f"worker {worker.number}: {why}"
        return None

    # Metrics.

    async def exposition(self, accept: str) -> tuple[bytes, str]:
        """All metrics, in the form that an Accept header asks for, and its content type."""
        told: dict[str, Any] = {str(number): answer for number, answer in await self._each("metrics")
                                if not isinstance(answer, BaseException)}
        supervisor, trunk = self._supervisor, self._supervisor.trunk
        restarts = {worker.number: worker.restarts.total for worker in supervisor.workers}
        own = own_families(_states(supervisor.workers), restarts, self._reload.outcomes, self._reload.ok,
                           supervisor.upgrades, trunk.counts.by_kind() if trunk is not None else {})
        told["supervisor"] = written([*self._process.collect(), *own])
        registry = CollectorRegistry(auto_describe=False)
        registry.register(Families(merged(told)))
        return render(registry, accept)


def _states(workers: list[WorkerProcess]) -> dict[str, int]:
    counts = dict.fromkeys((state.value for state in State), 0) | {"looping": 0}
    for worker in workers:
        counts["looping" if worker.looping and worker.state is not State.READY else worker.state.value] += 1
    return counts


def _told(fault: BaseException) -> BaseException:
    """What an operator is told of a fault."""
    return Refusal(503, "worker_down", str(fault), retry_after=1) if isinstance(fault, ChannelLost) else fault


def _severity(fault: BaseException) -> int:
    """Of several faults, how much one says of why nothing was done: a worker that is dead might have had it."""
    match fault:
        case Refusal(status=404):
            return 0
        case ChannelLost():
            return 2
        case _:
            return 1
