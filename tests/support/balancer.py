"""What stands before several edges in the field: one address that leads to the first of them that takes connections."""

import asyncio
import contextlib
from collections.abc import Sequence
from types import TracebackType

PIECE = 64 * 1024


class Balancer:
    """Passes bytes on, and knows nothing of what they are."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = ports
        self._open: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Balancer":
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, kind: type[BaseException] | None, fault: BaseException | None,
                        trace: TracebackType | None) -> None:
        self._server.close()
        for task in self._open:
            task.cancel()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            for port in self._ports:
                with contextlib.suppress(OSError):
                    there = await asyncio.open_connection("127.0.0.1", port)
                    await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))
                    break
        except asyncio.CancelledError:
            pass
        finally:
            writer.transport.abort()
            self._open.discard(task)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction, until its end; one that is broken ends both."""
    try:
        while data := await reader.read(PIECE):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()
