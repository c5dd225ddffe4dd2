"""Nodes from files that others write: read again whenever one of them has changed."""

import asyncio
import os
from collections.abc import Sequence

from sbc.config.listed import nodes_in
from sbc.core.discovery import Found
from sbc.model.errors import ConfigError
from sbc.model.ids import PoolName
from sbc.nodes.discovery.report import Report

Signs = tuple[tuple[int, int, int] | None, ...]


async def follow(paths: Sequence[str], pool: PoolName, every: float, report: Report) -> None:
    """Report the nodes of all these files together, until cancelled. A fault in one leaves all as they were."""
    before: Signs | None = None
    while True:
        signs = tuple(_sign(path) for path in paths)
        if signs != before:
            before = signs
            try:
                nodes = [node for path in paths for node in nodes_in(path, pool)]
            except ConfigError as error:
                before = None  # it may be whole the next time, with the same sign
                report.failed("; ".join(error.faults[:3]))
            else:
                report.found([Found(node) for node in nodes])
        await asyncio.sleep(every)


def _sign(path: str) -> tuple[int, int, int] | None:
    """What changes when a file does, also one that another is put in the place of."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
