"""The store of events that an MCP server needs whose streams can be asked for the rest."""

import os

from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp_types import JSONRPCMessage


class Events(EventStore):
    """All events of this process, so that a stream can be asked for the rest."""

    def __init__(self) -> None:
        self._events: list[tuple[str, JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        self._events.append((stream_id, message))
        return f"{os.getpid()}-{len(self._events)}"

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        process, _, number = last_event_id.partition("-")
        if process != str(os.getpid()):
            return None
        stream = self._events[int(number) - 1][0]
        for at, (owner, message) in list(enumerate(self._events, 1))[int(number) :]:
            if owner == stream and message is not None:
                await send_callback(EventMessage(message, f"{process}-{at}"))
        return stream
