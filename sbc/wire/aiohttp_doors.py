"""What the doors that aiohttp serves, those of operators and of nodes, need beside it: it waits for ever for a
connection's first head, and reports every malformed request as an error, with a traceback."""

import asyncio
import logging

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware
from aiohttp.web_protocol import RequestHandler

WAIT = 10.0
"""Seconds without a whole head after which a connection is closed; it may have twice as many."""


class Patience:
    """Closes the connections on which nothing has been asked at two looks in a row; `guard` sees what is asked."""

    def __init__(self, wait: float = WAIT) -> None:
        """wait: seconds between two looks."""
        self.guard = self._guard()
        self._wait = wait
        self._served: set[RequestHandler] = set()
        self._waiting: set[RequestHandler] = set()
        """Nothing was asked on them at the last look, nor since."""
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, server: web.Server) -> None:
        """Look after a server's connections until `stop`."""
        self._timer = asyncio.get_running_loop().call_later(self._wait, self._look, server)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _guard(self) -> Middleware:

        @web.middleware
        async def seen(request: web.Request, handler: Handler) -> web.StreamResponse:
            connection = request.protocol
            self._waiting.discard(connection)
            self._served.add(connection)
            try:
                return await handler(request)
            finally:
                self._served.discard(connection)

        return seen

    def _look(self, server: web.Server) -> None:
        idle = set(server.connections) - self._served
        for connection in idle & self._waiting:
            connection.force_close()
        self._waiting = idle - self._waiting
        self.watch(server)


def faults_only(door: str) -> logging.Logger:
    """aiohttp's own log for one door, without malformed requests: those are ordinary events."""
    logger = logging.getLogger(f"sbc.{door}.http")
    logger.addFilter(_is_fault)
    return logger


def _is_fault(record: logging.LogRecord) -> bool:
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)
