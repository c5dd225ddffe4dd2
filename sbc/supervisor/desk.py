"""A worker's side of the channel to the supervisor: what it does when it is asked, and what it tells."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from socket import recv_fds, send_fds, socket
from typing import Any, Final

from prometheus_client import CollectorRegistry

from sbc.config import Config
from sbc.model.errors import SbcError
from sbc.model.identity import Revoked
from sbc.runtime.census import EVERY, Census
from sbc.runtime.operations import EdgeOperations
from sbc.runtime.reload import Prepared, drop
from sbc.runtime.server import Server
from sbc.supervisor.briefing import briefing
from sbc.supervisor.merging import written
from sbc.supervisor.outfit import socket_of
from sbc.supervisor.trunks import Trunks
from sbc.telemetry import logs
from sbc.transports.sockets import Supply
from sbc.wire.channel import Channel

MOST_PASSED: Final = 128
"""Sockets that come with one reload: two for each of 64 listeners."""

log = logs.get("sbc.workers")


class Desk:
    """Implements Hearer. Every method that takes `given` answers one question of the supervisor's."""

    def __init__(
        self, server: Server, operations: EdgeOperations, registry: CollectorRegistry, supply: Supply, passing: socket,
        config_of: Callable[[str], Config],
    ) -> None:  # fmt: skip
        """passing: over which sockets come that a reload opens. config_of: the worker's part of a text."""
        self._server = server
        self._operations = operations
        self._registry = registry
        self._supply = supply
        self._passing = passing
        self._config_of = config_of
        self._prepared: Prepared | None = None
        self._unlisten: Callable[[], None] = lambda: None
        self.channel: Channel
        self.trunks: Trunks
        self.census: Census
        self.questions: Mapping[str, Callable[..., Awaitable[Any]]] = {
            "alive": self._alive, "ready": self._ready, "metrics": self._metrics,
            "briefing": partial(briefing, server),
            "prepare": self._prepare, "apply": self._apply, "discard": self._discard,
            "sessions": operations.sessions, "session": operations.session, "migrate": operations.migrate,
            "end": operations.end, "revoke": self._revoke, "forgive": self._forgive,
            "revocations": operations.revocations, "edges": operations.edges, "nodes": operations.nodes,
            "drain": operations.drain,
            "undrain": operations.undrain, "abuse": operations.abuse, "pardon": operations.pardon,
            "depart": operations.depart,
            "passed_on": self._passed_on, "succeed": self._succeed, "leave": self._leave, "go": self._go,
        }  # fmt: skip

    async def asked(self, what: str, given: Mapping[str, Any]) -> Any:
        question = self.questions.get(what)
        if question is None:
            raise SbcError(f"a worker is not asked {what!r}")
        return await question(**given)

    def noted(self, what: str, given: Mapping[str, Any]) -> None:
        match what:
            case _ if what.startswith("trunk_"):
                self.trunks.noted(what, given)
            case "census":
                self.census.hear(given["worker"], given["told"])
            case "census_of_all":
                self.census.again()
            case "census_over":
                self.census.forget(given["worker"])
            case "listen":
                self._unlisten()
                self._unlisten = self._operations.listen(self._tell)
            case "unlisten":
                self._unlisten()

    def _tell(self, event: dict[str, Any]) -> None:
        self.channel.note("event", event=event)

    async def count(self) -> None:
        """Tell the other workers what is counted here, until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            told = self.census.tell()
            if told:
                self.channel.note("census", told=told)

    def cut(self) -> None:
        """The supervisor has ended: so does its worker, in order if it has come to serve."""
        signal.raise_signal(signal.SIGTERM)

    async def _alive(self) -> bool:
        return True

    async def _ready(self) -> str | None:
        return await self._operations.unready()

    async def _metrics(self) -> Any:
        return written(self._registry.collect())

    # A reload, in two steps: whatever can fail is in the first.

    async def _prepare(self, text: str, passed: list[str]) -> None:
        """passed: the listeners whose sockets have come, one after the other."""
        await self._discard()
        if passed:
            _, descriptors, _, _ = recv_fds(self._passing, 1, MOST_PASSED)
            for name, descriptor in zip(passed, descriptors, strict=True):
                self._supply.add(name, [socket_of(descriptor)])
        try:
            self._prepared = await self._server.prepare(self._config_of(text))
        finally:
            self._supply.close()

    async def _apply(self) -> dict[str, Any]:
        prepared, self._prepared = self._prepared, None
        if prepared is None:
            raise SbcError("nothing is prepared")
        return await self._server.apply(prepared)

    async def _discard(self) -> None:
        if self._prepared is not None:
            drop(self._prepared)
            self._prepared = None

    # An upgrade, in steps of all workers (supervisor/succession.py).

    async def _passed_on(self) -> dict[str, Any]:
        """What opens the store beside this process; and whether a socket comes, at which other edges come in."""
        self._server.upgrade.check()
        sock = self._server.crossing.socket
        if sock is not None:
            send_fds(self._passing, [b"s"], [sock.fileno()])
        return {"beside": self._server.store.passed_on, "edges": sock is not None}

    async def _succeed(self) -> None:
        """The sockets have come of a successor; answered when it could go on."""
        _, descriptors, _, _ = recv_fds(self._passing, 1, 2)
        channel, passing = map(socket_of, descriptors)
        await self._server.upgrade.meet(channel, passing)

    async def _leave(self, where: str) -> None:
        """where: the socket at which the successor is reached."""
        await self._server.upgrade.leave(Path(where))

    async def _go(self) -> None:
        self._server.upgrade.go()

    # What does not go through JSON as it is.

    async def _revoke(self, kind: str, name: str, lasts: float) -> dict[str, Any]:
        return await self._operations.revoke(Revoked(kind), name, lasts)

    async def _forgive(self, kind: str, name: str) -> dict[str, Any]:
        return await self._operations.forgive(Revoked(kind), name)
