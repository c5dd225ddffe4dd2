"""A reload of all workers or of none (docs/DESIGN.md P6): each builds all that the new configuration needs, and only if
every one of them could, it holds in all.

A worker that is lost while it prepares counts as one that refuses. One that does not carry out what it has prepared is
ended, and started again with the new configuration.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sbc.config import Config, Listener, diff
from sbc.model.errors import ConfigError, SbcError
from sbc.runtime.reload import terms_of
from sbc.supervisor import doors
from sbc.supervisor.doors import Doors
from sbc.supervisor.process import WorkerProcess
from sbc.telemetry import logs

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
