"""A reload of all workers or of none (docs/DESIGN.md P6): each builds all that the new configuration needs, and only if
every one of them could, it holds in all.

A worker that is lost while it prepares counts as one that refuses. One that does not carry out what it has prepared is
ended, and started again with the new configuration.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sbc.config import Config, Listener, diff, parse, text_of
from sbc.model.errors import ConfigError, SbcError
from sbc.runtime.reload import TrunkTerms, terms_of, trunk_terms
from sbc.supervisor import doors
from sbc.supervisor.doors import Doors
from sbc.supervisor.outfit import INTERCONNECT
from sbc.supervisor.process import State, WorkerProcess
from sbc.supervisor.supervisor import Supervisor
from sbc.telemetry import logs
from sbc.transports.quic.passing import WAY

STARTING: Final = 10.0
"""How long a reload waits for a worker that is being started, in seconds."""

log = logs.get("sbc.workers")


@dataclass(frozen=True, slots=True)
class Opening:
    """The sockets of a new configuration."""

    new: Mapping[str, Doors]
    """Of listeners that are new or moved."""
    more: Mapping[str, Doors]
    """Of those that begin to serve QUIC: these alone."""

    def close(self) -> None:
        """They are not needed after all."""
        for of_listener in (*self.new.values(), *self.more.values()):
            doors.close(of_listener)


def check(old: Config, new: Config) -> None:
    """Raises ConfigError if it cannot take the place of the old one while the edge runs."""
    changes = diff(old, new)
    if changes.restart_needed:
        raise ConfigError([f"{new.source}: {key}: cannot change while the edge runs; restart it, or put the old value "
                           "back" for key in changes.restart_needed])  # fmt: skip


def open_sockets(old: Config, new: Config, workers: int) -> Opening:
    """Those that the workers will need. Raises ConfigError."""
    before = {listener.name: listener for listener in old.listeners}
    fresh, more = dict[str, Doors](), dict[str, Doors]()
    try:
        for listener in new.listeners:
            former = before.get(listener.name)
            if former is None or former.listen != listener.listen:
                fresh[listener.name] = doors.open_doors(listener, terms_of(listener, new), workers)
            elif _begins_quic(former, listener):
                more[listener.name] = doors.more_datagrams(listener, terms_of(listener, new), workers)
    except OSError as error:
        Opening(fresh, more).close()
        raise ConfigError([f"{new.source}: {error}"]) from None
    return Opening(fresh, more)


def changed(sockets: Mapping[str, Doors], config: Config, opening: Opening) -> dict[str, Doors]:
    """All that the supervisor has from now on. Those who leave are kept by the workers until what is open there has
    ended."""
    wanted = {listener.name: listener for listener in config.listeners}
    kept = dict[str, Doors](opening.new)
    for name, had in sockets.items():
        if name in (INTERCONNECT, WAY):
            kept[name] = had
        elif name not in wanted or name in opening.new:
            doors.close(had)
        else:
            more = opening.more.get(name, [[]] * len(had))
            both = [[*of_worker, *new] for of_worker, new in zip(had, more, strict=True)]
            kept[name] = doors.needed(both, terms_of(wanted[name], config))
    return kept


def _begins_quic(former: Listener, listener: Listener) -> bool:
    return "quic" in listener.transports and "quic" not in former.transports


async def prepare(workers: list[WorkerProcess], text: str, opening: Opening) -> None:
    """Have all of them build what they need. Raises ConfigError: one could not, and none has anything built."""
    answers = await asyncio.gather(*(_prepare(worker, text, opening) for worker in workers), return_exceptions=True)
    faults = [answer for answer in answers if isinstance(answer, BaseException)]
    if not faults:
        return
    await asyncio.gather(*(worker.ask("discard") for worker in workers), return_exceptions=True)
    for fault in faults:
        if not isinstance(fault, SbcError | OSError | ssl.SSLError):
            raise fault
    raise next((fault for fault in faults if isinstance(fault, ConfigError)), ConfigError([str(faults[0])]))


async def _prepare(worker: WorkerProcess, text: str, opening: Opening) -> None:
    passed = [(name, sock) for found in (opening.new, opening.more) for name, of_workers in found.items()
              for sock in of_workers[worker.number]]
    if passed:
        worker.send_sockets([sock for _, sock in passed])
    await worker.ask("prepare", text=text, passed=[name for name, _ in passed])


async def apply(workers: list[WorkerProcess]) -> dict[str, Any]:
    """Have what is prepared hold; what has changed."""
    answers = await asyncio.gather(*(worker.ask("apply") for worker in workers), return_exceptions=True)
    for worker, answer in zip(workers, answers, strict=True):
        if isinstance(answer, BaseException):
            log.error("worker_did_not_apply", worker=worker.number, why=str(answer))
            worker.kill()
    return next((dict(answer) for answer in answers if not isinstance(answer, BaseException)), {})


class CrewReload:
    """Has the workers of a supervisor take the configuration from its file again."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.outcomes = {"applied": 0, "rejected": 0}
        """How many were tried."""
        self.ok = True
        """Whether the last one was applied."""
        self._supervisor = supervisor

    async def begin(self) -> dict[str, Any]:
        """What has changed. Raises ConfigError, and nothing has."""
        supervisor = self._supervisor
        async with supervisor.changing:
            supervisor.notifier.reloading()
            try:
                applied = await self._reload()
            except ConfigError as error:
                self._over(False, "reload_rejected", {"faults": list(error.faults)})
                raise
            finally:
                supervisor.notifier.ready("serving")
            self._over(True, "reloaded", applied)
            return applied

    async def _reload(self) -> dict[str, Any]:
        supervisor = self._supervisor
        # Not here: nodes would have to be silent for as long as it takes.
        text, config, terms = await asyncio.to_thread(_read, supervisor.config.source)
        check(supervisor.config, config)
        await self._settled(config.source)
        opening = open_sockets(supervisor.config, config, len(supervisor.workers))
        living = [worker for worker in supervisor.workers if worker.state is State.READY]
        try:
            await prepare(living, text, opening)
        except ConfigError:
            opening.close()
            raise
        differs = bool(diff(supervisor.config, config))
        supervisor.config, supervisor.text = config, text
        if supervisor.trunk is not None and terms is not None:
            await supervisor.trunk.change(terms.secret, terms.tls)
        supervisor.sockets = changed(supervisor.sockets, config, opening)
        return await apply(living) | {"changed": differs}

    async def _settled(self, file: str) -> None:
        """Until no worker is being started, with the configuration so far. Raises ConfigError: that takes too long."""
        supervisor = self._supervisor
        try:
            async with asyncio.timeout(STARTING):
                while any(worker.state is State.STARTING for worker in supervisor.workers):
                    await supervisor.change()
        except TimeoutError:
            raise ConfigError([f"{file}: a worker is being started; reload again when the edge is ready"]) from None

    def _over(self, applied: bool, event: str, fields: Mapping[str, Any]) -> None:
        self.outcomes["applied" if applied else "rejected"] += 1
        self.ok = applied
        self._supervisor.announce(event, fields)


def _read(file: str) -> tuple[str, Config, TrunkTerms | None]:
    """A configuration file, what it says, and what it takes to let nodes in. Raises ConfigError."""
    text = text_of(file)
    config = parse(text, file)
    try:
        return text, config, trunk_terms(config)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError([f"{file}: {error}"]) from None
