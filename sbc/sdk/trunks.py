"""All trunks of a node: one to each edge that it was told of, by its author or by the edges themselves.

Edges that share a store name one another (`edges`, docs/DESIGN.md section 5.4): each of them is dialled, and let go of
once none names it any more and its trunk is gone. To one edge there is one trunk, under whatever address it was
reached: an edge closes the older of two, which then rests as long as the other stands.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from ssl import SSLContext
from typing import Any, Protocol

from sbc.sdk.trunk import Message, TrunkClient

MOST = 1024
"""Edges that are dialled for being named."""


class Speaker(Protocol):
    """The node, as far as it speaks to edges."""

    def register(self) -> Message:
        """The message that introduces it."""

    def heartbeat(self) -> Message:
        """The message that says how it is."""

    def joined(self, edge: str) -> None:
        """The edge of this name has let it in."""

    def told(self, edge: str, message: Mapping[str, Any]) -> None:
        """A message of that edge which names a session. Raises KeyError, TypeError or ValueError for a bad form."""


class Trunks:
    """Implements Listener for each of its trunks."""

    def __init__(self, urls: Sequence[str], secret: str | None, speaker: Speaker, tls: SSLContext | None) -> None:
        self._secret = secret
        self._speaker = speaker
        self._tls = tls
        self._written = tuple(TrunkClient(url, secret, self, tls=tls) for url in dict.fromkeys(urls))
        self._found: dict[tuple[str, str], tuple[TrunkClient, asyncio.Task[None]]] = {}
        """Trunks to edges that others named, by the edge's name and where its trunk listens."""
        self._open: dict[str, TrunkClient] = {}
        """Those that stand, by the names of their edges."""
        self._since: dict[str, float] = {}
        """When they were opened, by the loop's clock."""
        self._named: dict[TrunkClient, frozenset[tuple[str, str]]] = {}
        """What was named last on each trunk that stands, or on the last one that did."""
        self._group: asyncio.TaskGroup | None = None

    @property
    def edges(self) -> Sequence[str]:
        """The names of the edges that have let this node in."""
        return list(self._open)

    def since(self, edge: str) -> float:
        """When the trunk to the edge of this name was opened, by the loop's clock; infinity: there is none."""
        return self._since.get(edge, math.inf)

    def send(self, edge: str, message: Message) -> None:
        """Send one message to the edge of this name (empty: to all). Without a trunk to it the message is lost: what
        matters is told anew when the next one opens."""
        if edge in self._open:
            self._open[edge].send(message)
        elif not edge:
            for trunk in self._open.values():
                trunk.send(message)

    async def run(self) -> None:
        """Keep the trunks open until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for trunk in self._written:
                group.create_task(trunk.run(), name=f"trunk to {trunk.url}")
            try:
                await asyncio.Event().wait()
            finally:
                self._group = None  # what ends now is not dialled anew

    # What the trunks tell (trunk.py, Listener).

    def register(self) -> Message:
        """See Listener."""
        return self._speaker.register()

    def heartbeat(self) -> Message:
        """See Listener."""
        return self._speaker.heartbeat()

    def opened(self, trunk: TrunkClient) -> None:
        """See Listener."""
        self._open[trunk.edge] = trunk
        self._since[trunk.edge] = asyncio.get_running_loop().time()
        self._speaker.joined(trunk.edge)

    def heard(self, trunk: TrunkClient, message: Mapping[str, Any]) -> None:
        """See Listener."""
        if message["type"] != "edges":
            self._speaker.told(trunk.edge, message)
            return
        named = [(str(edge["edge"]), str(edge["trunk"])) for edge in message["edges"]]
        self._named = {other: names for other, names in self._named.items() if other.is_open}
        self._named[trunk] = frozenset(named[:MOST])
        self._settle()

    def closed(self, trunk: TrunkClient) -> None:
        """See Listener."""
        if self._open.get(trunk.edge) is trunk:
            del self._open[trunk.edge], self._since[trunk.edge]
        if len(self._named) > 1:
            self._named.pop(trunk, None)
        self._settle()

    def may_dial(self, trunk: TrunkClient) -> bool:
        """See Listener. Not while there is another trunk to the edge that it led to last."""
        return not self._reached(trunk.edge, but=trunk)

    def _settle(self) -> None:
        """Dial the edges that were named, and let go of those that are not named any more."""
        if self._group is None:
            return
        named = frozenset[tuple[str, str]]().union(*self._named.values())
        for key, (trunk, task) in list(self._found.items()):
            if not trunk.is_open and (key not in named or self._reached(trunk.edge, but=trunk)):
                task.cancel()
                del self._found[key]
                self._named.pop(trunk, None)
        urls = {trunk.url for trunk in self._written}
        for edge, url in named - self._found.keys():
            if url not in urls and not self._reached(edge) and self._trusted(url) and len(self._found) < MOST:
                trunk = TrunkClient(url, self._secret, self, tls=self._tls, edge=edge)
                self._found[edge, url] = trunk, self._group.create_task(trunk.run(), name=f"trunk to {edge}")

    def _reached(self, edge: str, but: TrunkClient | None = None) -> bool:
        return self._open.get(edge, but) is not but

    def _trusted(self, url: str) -> bool:
        # What is shown to an edge over TLS is not shown to another one without.
        return url.startswith("wss:") or any(trunk.url.startswith("ws:") for trunk in self._written)
