"""A clock by which an edge is judged: it stands still while the machine is to blame, or the test itself.

On a busy machine an answer takes long because the edge, its node or the client had no processor. How long a process
was ready to run and had none is counted by the kernel (/proc/PID/schedstat); how long this one was late for its own
timers, because of that or because it attacks, is counted here.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

TICK = 0.005


def kept_waiting(pid: int) -> float:
    """For how many seconds in all the main thread of a process had no processor to run on."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except OSError:  # it has ended, or this kernel does not count
        return 0.0


@contextlib.asynccontextmanager
async def fair_clock(*pids: int) -> AsyncIterator[Callable[[], float]]:
    """The time in seconds, as far as it is these processes' own."""
    began, late = time.monotonic(), 0.0

    def later(now: float) -> float:
        return late + max(now - began - TICK, 0.0)

    async def tick() -> None:
        nonlocal began, late
        while True:
            await asyncio.sleep(TICK)
            now = time.monotonic()
            began, late = now, later(now)

    def fair() -> float:
        now = time.monotonic()
        return now - later(now) - sum(map(kept_waiting, pids))
    ticking = asyncio.create_task(tick())
    try:
        yield fair
    finally:
        ticking.cancel()
