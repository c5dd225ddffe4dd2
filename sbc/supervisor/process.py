"""One worker, as the supervisor has it: a process, the channel to it, and its sockets.

    STARTING --says ready--> READY --ends--> DOWN --after a pause--> STARTING      STOPPING: it is not started again
                               └──another has its place──> LEAVING ──nothing left, or ended──> STOPPING
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import Enum
from typing import Any, Final, Protocol

from sbc.model.interfaces import Spawn
from sbc.supervisor.outfit import VARIABLE, Outfit, socket_of
from sbc.supervisor.restarts import LIVED, LONGEST, Restarts
from sbc.telemetry import logs
from sbc.wire.channel import PATIENCE, Channel, ChannelLost, Unanswered

SILENCE: Final = 20.0
"""After so many seconds without an answer a worker is taken for stuck, and killed."""
STARTING: Final = 60.0
"""The same while it starts: a machine that is busy takes its time to read a program, and answers nothing meanwhile."""
ASKING: Final = 2.0
"""How often it is asked whether it lives, in seconds."""

log = logs.get("sbc.workers")


class State(Enum):
    STARTING = "starting"
    READY = "ready"
    DOWN = "down"
    LEAVING = "leaving"
    STOPPING = "stopping"


class Boss(Protocol):
    """The supervisor, as its workers see it."""

    changing: asyncio.Lock
    """Held while a worker is started, or the configuration changes."""

    def outfit(self, number: int, control: int, passing: int) -> Outfit:
        """What a worker is to be started with. control, passing: descriptors."""

    async def asked(self, number: int, what: str, given: Mapping[str, Any]) -> Any:
        """A worker asks."""

    def noted(self, number: int, what: str, given: Mapping[str, Any]) -> None:
        """A worker tells."""

    def changed(self, number: int) -> None:
        """The state of a worker is another."""


class WorkerProcess:
    """Starts it, and starts it again when it ends."""

    def __init__(self, number: int, boss: Boss, spawn: Spawn) -> None:
        self.number = number
        self.state = State.DOWN
        self.restarts = Restarts()
        self.pid = 0
        self.fate = ""
        """How it ended the last time."""
        self._silent: float | None = None
        """For how long it has not answered, if it is killed for that."""
        self._boss = boss
        self._spawn = spawn
        self._loop = asyncio.get_running_loop()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._passing: socket.socket | None = None
        self._ready_at = 0.0
        self._ended = asyncio.Event()

    @property
    def looping(self) -> bool:
        """Whether it ends again and again."""
        return self.restarts.looping

    async def start(self) -> None:
        """Start the process. Raises OSError."""
        near, far = socket.socketpair()
        passing, theirs = socket.socketpair()
        with far, theirs:
            self._process = _process(self._boss.outfit(self.number, far.fileno(), theirs.fileno()))
        self.pid, self._silent = self._process.pid, None
        self._ended.clear()
        self._passing = passing
        near.setblocking(False)
        self._channel = Channel(self, self._spawn)
        await self._channel.open(near)
        self._become(State.STARTING)
        watched = os.pidfd_open(self.pid)
        self._loop.add_reader(watched, self._has_ended, watched)
        self._spawn(f"worker {self.number}", self._watch(self._channel))

    async def ask(self, what: str, patience: float = PATIENCE, /, **given: Any) -> Any:
        """What the worker answers. Raises ChannelLost, and what it raised."""
        if self._channel is None:
            raise ChannelLost(f"worker {self.number} is being started again")
        return await self._channel.ask(what, patience, **given)

    def note(self, what: str, /, **given: Any) -> None:
        """Tell it; if it is down, nobody hears."""
        if self._channel is not None:
            self._channel.note(what, **given)

    @property
    def lives(self) -> bool:
        """Whether its process has not ended."""
        return self._process is not None

    def take_socket(self) -> socket.socket:
        """One that it has handed over, before it said so. Raises OSError."""
        assert self._passing is not None
        _, descriptors, _, _ = socket.recv_fds(self._passing, 1, 1)
        return socket_of(descriptors[0])

    def send_sockets(self, sockets: Sequence[socket.socket]) -> None:
        """Hand it sockets over, before it is told what they are. Raises OSError."""
        assert self._passing is not None
        socket.send_fds(self._passing, [b"s"], [sock.fileno() for sock in sockets])

    def send_away(self) -> None:
        """Another process has its place: it is not started again, and stays until it is stopped."""
        self._become(State.LEAVING)

    def stop(self) -> None:
        """Have it end in order; it is not started again."""
        self._become(State.STOPPING)
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)

    async def wait(self) -> None:
        """Until the process has ended."""
        if self._process is not None:
            await self._ended.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    def _become(self, state: State) -> None:
        if self.state is not State.STOPPING:
            self.state = state
            self._boss.changed(self.number)

    async def _watch(self, channel: Channel) -> None:
        """Ask it now and then whether it lives: what does not answer is of no use to its clients."""
        while channel is self._channel:
            patience = STARTING if self.state is State.STARTING else SILENCE
            try:
                await channel.ask("alive", patience)
            except Unanswered:
                if channel is self._channel and self.state is not State.STOPPING:
                    log.error("worker_silent", worker=self.number, pid=self.pid, seconds=patience)
                    self._silent = patience
                    self.kill()
                return
            except ChannelLost:
                return  # its process ends, or has ended
            if self.state is State.READY and self._loop.time() - self._ready_at >= LIVED:
                self.restarts.settled()
            await asyncio.sleep(ASKING)

    def _has_ended(self, watched: int) -> None:
        self._loop.remove_reader(watched)
        os.close(watched)
        assert self._process is not None
        status = self._process.wait()
        self.fate = (f"ended with status {status}: its log says why" if self._silent is None else
                     f"did not answer for {self._silent:g} s, and was killed")
        self._process = None
        for end in (self._channel, self._passing):
            if end is not None:
                end.close()
        self._channel = self._passing = None
        served = self._loop.time() - self._ready_at if self.state is State.READY else 0.0
        if self.state is State.LEAVING:
            log.error("worker_lost", worker=self.number, pid=self.pid, status=status)
            self._become(State.STOPPING)
        elif self.state is not State.STOPPING:
            pause = self.restarts.ended(served)
            log.error("worker_lost", worker=self.number, pid=self.pid, status=status, again_in=round(pause, 3),
                      looping=self.looping)
            self._become(State.DOWN)
            self._spawn(f"restart {self.number}", self._start_again(pause))
        self._ended.set()
        self._boss.changed(self.number)

    async def _start_again(self, pause: float) -> None:
        while True:
            await asyncio.sleep(pause)
            async with self._boss.changing:
                if self.state is not State.DOWN:
                    return
                try:
                    await self.start()
                except OSError as error:  # no memory, no processes
                    log.error("worker_not_started", worker=self.number, why=str(error))
                    pause = LONGEST
                else:
                    return

    # What it says (Hearer).

    async def asked(self, what: str, given: Mapping[str, Any]) -> Any:
        return await self._boss.asked(self.number, what, given)

    def noted(self, what: str, given: Mapping[str, Any]) -> None:
        match what:
            case "ready":
                self._ready_at = self._loop.time()
                log.info("worker_ready", worker=self.number, pid=self.pid)
                self._become(State.READY)
            case "handed_over":
                self._become(State.STOPPING)
            case _:
                self._boss.noted(self.number, what, given)

    def cut(self) -> None:
        """Its process ends, or has ended: that is seen elsewhere."""


def _process(outfit: Outfit) -> "subprocess.Popen[bytes]":
    """A new process. Raises OSError."""
    descriptor = outfit.file_of()
    try:
        # A group of its own: Ctrl-C reaches the supervisor alone, which stops its workers in order.
        return subprocess.Popen(
            [sys.executable, "-m", "sbc", "run", "-c", outfit.file], stdin=subprocess.DEVNULL, process_group=0,
            env={**os.environ, VARIABLE: str(descriptor)}, pass_fds=(*outfit.descriptors(), descriptor))
    finally:
        os.close(descriptor)
