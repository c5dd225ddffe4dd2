"""An edge of several workers has a successor: another supervisor, whose workers take their places (`sbc upgrade`).

What the two supervisors do stands in succession.py; what a worker and its successor do is what two processes do that
are an edge alone (runtime/succession). All workers' successors are ready before any worker leaves, and no worker hands
anything over before all have left: a worker sends what is at home with another one there, or to that one's successor.
The trunks stay here, and the workers speak over them for their successors, until nothing is left: nodes dial anew then.
"""

import asyncio
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from sbc.model.errors import Refusal, SbcError
from sbc.model.interfaces import Spawn
from sbc.runtime.crossing import EDGES
from sbc.runtime.succession.process import start
from sbc.runtime.succession.successor import PATIENCE
from sbc.supervisor.process import State, WorkerProcess
from sbc.supervisor.succession import CHANNEL, FORMER_WAY, name_for
from sbc.supervisor.supervisor import Supervisor
from sbc.telemetry import logs
from sbc.transports.interconnect import HEIR, NAME, listen_at
from sbc.transports.quic.passing import WAY
from sbc.wire.channel import Channel

log = logs.get("sbc")

class Admin(Protocol):
    """The door of the admin API."""

    @property
    def socket(self) -> socket.socket:
        """On which it listens."""

    async def accept_no_more(self) -> None:
        """What is under way is answered."""


class Failed(SbcError):
    """There is no successor. Nothing has changed."""


class CrewUpgrade:
    """Of one supervisor, which has one successor at most. Implements Hearer for the channel to it."""

    def __init__(self, supervisor: Supervisor, spawn: Spawn) -> None:
        self.admin: Admin
        self._supervisor = supervisor
        self._spawn = spawn
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        """Done when the supervisor could go on, or never will."""
        self._ours = asyncio.Event()
        """Set when nothing is accepted here any more."""

    async def begin(self) -> dict[str, Any]:
        """Have a successor, which accepts all that comes when this returns. Raises Refusal: 409, 503."""
        supervisor = self._supervisor
        if supervisor.phase is not None or supervisor.changing.locked():
            raise Refusal(409, "upgrading", "the edge is starting or leaving, a worker is being started, the "
                          "configuration changes, or a successor is under way")  # fmt: skip
        async with supervisor.changing:
            try:
                process = await self._prepare()
            except (OSError, SbcError) as error:
                supervisor.upgrades["failed"] += 1
                supervisor.announce("upgrade_failed", {"why": str(error)})
                raise Refusal(503, "upgrade_failed", f"there is no successor: {error}") from None
            await self._leave(process.pid)
        supervisor.announce("succeeded", {"process": process.pid})
        self._spawn("hand over", self._stay())
        return {"process": process.pid}

    # Until all could go on.

    async def _prepare(self) -> "subprocess.Popen[bytes]":
        """Raises OSError, SbcError."""
        supervisor, workers = self._supervisor, self._supervisor.workers
        if not all(worker.state is State.READY for worker in workers):
            raise Failed("a worker does not serve just now")
        told = await asyncio.gather(*(worker.ask("passed_on") for worker in workers))
        self._ready, self._ours = self._loop.create_future(), asyncio.Event()
        with ExitStack() as theirs:
            sockets = self._sockets()
            for worker, answer in zip(workers, told, strict=True):
                if answer["edges"]:
                    sockets.append((name_for(worker.number, EDGES), theirs.enter_context(worker.take_socket())))
            for worker in workers:
                sockets += self._ways(worker, theirs)
            process, channel = start(supervisor.config.source, sockets, "", supervisor.once,
                                     supervisor.notifier.environment, [one["beside"] for one in told])  # fmt: skip
        supervisor.announce("upgrade_began", {"process": process.pid})
        link = Channel(self, self._spawn)
        try:
            await link.open(channel)
            await self._all_ready(workers)
        except BaseException:
            link.close()
            process.kill()
            await asyncio.to_thread(process.wait)
            self._ours.set()  # nobody waits for it any more
            raise
        return process

    def _sockets(self) -> list[tuple[str, socket.socket]]:
        """All that this edge listens on, by name."""
        supervisor = self._supervisor
        found = [("admin", self.admin.socket)]
        if supervisor.trunk is not None:
            found.append(("trunk", supervisor.trunk.socket))
        return found + [
            (name_for(number, name), sock) for name, of_workers in supervisor.sockets.items() if name not in (NAME, WAY)
            for number, own in enumerate(of_workers) for sock in own]  # fmt: skip

    def _ways(self, worker: WorkerProcess, theirs: ExitStack) -> list[tuple[str, socket.socket]]:
        """Between a worker and its successor; the worker has its ends. theirs: closed once the successor is started."""
        path = self._where(worker)
        path.unlink(missing_ok=True)
        door = theirs.enter_context(listen_at(path))
        kinds = (socket.SOCK_STREAM, socket.SOCK_SEQPACKET)
        pairs = [socket.socketpair(socket.AF_UNIX, kind) for kind in kinds]
        ours = [near for near, _ in pairs]
        try:
            worker.send_sockets(ours)
        finally:
            for near in ours:
                near.close()
        channel, way = (theirs.enter_context(far) for _, far in pairs)
        named = ((CHANNEL, channel), (FORMER_WAY, way), (HEIR, door))
        return [(name_for(worker.number, name), sock) for name, sock in named]

    def _where(self, worker: WorkerProcess) -> Path:
        """The socket at which a worker's successor is reached."""
        return self._supervisor.directory / f"successor-{worker.number}.sock"

    async def _all_ready(self, workers: Sequence[WorkerProcess]) -> None:
        """Raises Failed: they never will be."""
        waiting = asyncio.gather(self._ready, *map(_succeed, workers))
        try:
            async with asyncio.timeout(PATIENCE):
                await waiting
        except TimeoutError:
            raise Failed("it was not ready in time") from None

    # From then on.

    async def _leave(self, process: int) -> None:
        """Accept nothing any more, then let the successor. process: its id. Nothing of this can fail: a worker that is
        lost now is one that was lost while it handed its sessions over."""
        supervisor, workers = self._supervisor, self._supervisor.workers
        supervisor.phase = "leaving"
        for worker in workers:
            worker.send_away()
        leaving = (worker.ask("leave", where=str(self._where(worker))) for worker in workers)
        await asyncio.gather(*leaving, return_exceptions=True)
        if supervisor.trunk is not None:
            await supervisor.trunk.accept_no_more()
        await self.admin.accept_no_more()
        supervisor.close_doors()
        supervisor.notifier.succeeded(process)
        self._ours.set()
        await asyncio.gather(*(worker.ask("go") for worker in workers), return_exceptions=True)

    async def _stay(self) -> None:
        """Until nothing is left here. Nodes dial anew as soon as a worker does not speak for its successor any more."""
        supervisor = self._supervisor
        while all(worker.lives for worker in supervisor.workers) and self._leaving:
            await supervisor.change()
        await supervisor.hang_up()
        while self._leaving:
            await supervisor.change()
        supervisor.stop()

    @property
    def _leaving(self) -> bool:
        return any(worker.state is State.LEAVING for worker in self._supervisor.workers)

    # What it says (Hearer).

    async def asked(self, what: str, given: Mapping[str, Any]) -> Any:
        if what != "ready":
            raise SbcError(f"{what}: nobody knows what that is")
        if not self._ready.done():
            self._ready.set_result(None)
        await self._ours.wait()
        return None

    def noted(self, what: str, given: Mapping[str, Any]) -> None:
        if what == "failed":
            self._fail(str(given["why"]))

    def cut(self) -> None:
        self._fail("it has ended before it was ready; the log says why")

    def _fail(self, why: str) -> None:
        if not self._ready.done():
            self._ready.set_exception(Failed(why))
            self._ready.exception()  # whoever waited may have gone


async def _succeed(worker: WorkerProcess) -> None:
    """Wait until a worker's successor could go on. Raises Failed: it never will."""
    try:
        await worker.ask("succeed", PATIENCE + 1)
    except SbcError as error:
        raise Failed(f"worker {worker.number}: {error}") from None
