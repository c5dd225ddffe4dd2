"""A whole scene on the loopback: one edge, some nodes, some clients; all of it gone at the end."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

from tests.support.clients import Talker
from tests.support.edge import Edge, free_port
from tests.support.nodes import NodeProcess
from tests.support.wait import wait_until


class Scene:
    """Say which nodes, `await open(...)`, then make clients."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.edge = Edge(directory)
        self.nodes: dict[str, NodeProcess] = {}
        self.clients: list[Talker] = []
        self.changes: dict[str, Any] = {}

    def plain(self, *names: str, **knobs: Any) -> list[NodeProcess]:
        """Start plain nodes."""
        return [self._node(name, None, knobs) for name in names]

    def trunk(self, *names: str, **knobs: Any) -> list[NodeProcess]:
        """Start nodes that keep a trunk to the edge (they dial until it is there)."""
        return [self._node(name, self.edge.trunk_url, knobs) for name in names]

    def _node(self, name: str, edge: str | None, knobs: dict[str, Any]) -> NodeProcess:
        node = self.nodes[name] = NodeProcess(self.directory, name, free_port(), edge=edge, **knobs)
        node.start()
        return node

    async def open(self, changes: dict[str, Any] | None = None, **migration: Any) -> None:
        """Start the edge and wait until it sees every node up. `migration` goes into the agent's manifest."""
        self.changes = {"agents": {"tutor": {"migration": migration}}} | (changes or {})
        if changes and "agents" in changes and migration:
            raise ValueError("say it in one place")
        self.edge.configure(list(self.nodes.values()), self.changes)
        self.edge.start()
        await asyncio.gather(*(node.serving() for node in self.nodes.values()))
        await self.edge.ready()
        await self.edge.sees(*self.nodes.values())

    async def client(self, path: str = "", *, address: str = "127.0.0.1", opened: bool = True,
                     **headers: str) -> Talker:
        """A client with a session of its own."""
        talker = Talker(self.edge.url + path, address, **headers)
        self.clients.append(talker)
        if opened:
            await talker.open()
        return talker

    async def talking(self, count: int) -> list[Talker]:
        """So many clients, each with one message answered."""
        clients = list(await asyncio.gather(*(self.client() for _ in range(count))))
        for client in clients:
            await client.say()
        for client in clients:
            await client.answered()
        return clients

    def owner(self, client: Talker) -> NodeProcess:
        """The node that spoke to this client last."""
        return self.nodes[client.node]

    def other(self, client: Talker) -> NodeProcess:
        """The first of the nodes that did not."""
        return next(node for name, node in self.nodes.items() if name != client.node)

    async def only_session(self) -> str:
        """The plain id of the one dialog there is."""
        rows = await self.edge.sessions()
        assert len(rows) == 1, rows
        return str(rows[0].get("session", rows[0].get("id")))

    async def all_sessions(self, state: str) -> None:
        """Wait until every dialog is in this state."""
        async def settled() -> bool:
            rows = await self.edge.sessions()
            return bool(rows) and all(row["state"] == state for row in rows)
        await wait_until(settled, f"all sessions are {state}")

    async def no_sessions(self, query: str = "") -> None:
        """Wait until there is no dialog left, of those that `query` is about."""
        async def empty() -> bool:
            return not await self.edge.sessions(query)
        await wait_until(empty, f"no sessions {query}")

    async def close(self) -> None:
        """End everything that was started, by its pid; show what the edge said (seen when a test fails)."""
        if self.edge.running:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(2):
                    print("---- sessions", *await self.edge.sessions("?limit=20"), sep="\n")
                    print("---- nodes", *(await self.edge.nodes()).values(), sep="\n")
        for client in self.clients:
            if client.socket is not None:
                client.socket.transport.abort()
        self.edge.kill()
        for node in self.nodes.values():
            node.kill()
        for client in self.clients:
            with contextlib.suppress(Exception):
                await client.close()
        print(f"---- edge\n{self.edge.log()[-8000:]}")
        for node in self.nodes.values():
            said = node.log.read_text(errors="replace")[-2000:] if node.log.exists() else ""
            print(f"---- node {node.name}\n{said}")
