"""The only maker of tasks: named, supervised, counted. What goes wrong in one is logged and ends that one alone."""

import asyncio
from collections.abc import Awaitable

from sbc.telemetry import logs

log = logs.get("sbc.tasks")


class Tasks:
    """All tasks of the edge. `async with Tasks() as tasks:` ends them all on leaving."""

    def __init__(self) -> None:
        self._group = asyncio.TaskGroup()
        self._running: set[asyncio.Task[None]] = set()
        self.failed = 0

    async def __aenter__(self) -> "Tasks":
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        for task in tuple(self._running):
            task.cancel()
        await self._group.__aexit__(None, None, None)

    def spawn(self, name: str, work: Awaitable[None]) -> None:
        """Run `work` as a task of this name."""
        task = self._group.create_task(self._guarded(name, work), name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _guarded(self, name: str, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as error:  # the one broad net: a fault in one task must not take the edge along
            self.failed += 1
            log.crash("task_failed", error, task=name)
