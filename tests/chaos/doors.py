"""What the watcher asks of edges, by their admin doors, and of Redis. Nobody is sure to answer."""

from collections.abc import Mapping
from typing import Any

import aiohttp
import redis.asyncio
from redis.exceptions import RedisError

from tests.chaos.cast import Cast
from tests.support.wait import wait_until

STARTING = 150.0
"""Seconds that anything may take to begin, on a machine with much else to do."""
SLOTS = 16384
"""Of a Redis Cluster."""
WITHIN = 2.0


class Doors:
    def __init__(self, at: Mapping[str, str], cast: Cast) -> None:
        """at: the addresses of the hosts."""
        self._at = at
        self._cast = cast

    # Edges.

    async def asked(self, edge: str, path: str, method: str = "GET", body: Any = None,
                    within: float = WITHIN) -> dict[str, Any]:
        """What the admin door says, and its `status`; nothing if it does not answer."""
        try:
            timeout = aiohttp.ClientTimeout(total=within)
            async with aiohttp.ClientSession(timeout=timeout) as http, http.request(
                    method, f"http://{self._at[edge]}:9070{path}", json=body) as said:
                answer = dict(await said.json()) if "json" in said.content_type else {"text": await said.text()}
                return answer | {"status": said.status}
        except (aiohttp.ClientError, OSError, TimeoutError):
            return {}

    async def order(self, edge: str, path: str, body: Any = None, within: float = WITHIN) -> dict[str, Any]:
        """The answer; nothing if the order was not taken."""
        answer = await self.asked(edge, path, "POST", body if body is not None else {}, within)
        return answer if 200 <= answer.get("status", 0) < 300 else {}

    async def states(self, edge: str) -> dict[str, str]:
        """Of the nodes, by their names."""
        rows = (await self.asked(edge, "/api/v1/nodes")).get("nodes", [])
        return {str(row["name"]).rpartition("/")[2]: str(row["state"]) for row in rows}

    async def sessions(self, edge: str, most: int) -> list[dict[str, Any]]:
        return list((await self.asked(edge, f"/api/v1/sessions?limit={most}")).get("sessions", ()))

    async def ready(self, edge: str) -> bool:
        """Whether it serves, and has every node; one that is still drained is taken back."""
        nodes = await self.states(edge)
        for node in self._cast.nodes + self._cast.plain:
            if nodes.get(node, "up") != "up":
                await self.order(edge, f"/api/v1/nodes/{node}/undrain")
        missing = set(self._cast.nodes + self._cast.plain) - {node for node, state in nodes.items() if state == "up"}
        return not missing and (await self.asked(edge, "/readyz")).get("status") == 200

    async def figures(self, edge: str) -> dict[str, str]:
        """What its metrics say."""
        text = (await self.asked(edge, "/metrics")).get("text", "")
        return dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("sbc_"))

    # Redis.

    async def said(self, host: str, *words: str | int) -> Any:
        """The answer of one server to one command; None if there is none."""
        try:
            async with redis.asyncio.Redis(host=self._at[host], socket_timeout=1, socket_connect_timeout=1) as server:
                return await server.execute_command(*words)
        except (RedisError, OSError):
            return None

    async def is_master(self, host: str) -> bool:
        return (await self._told(host)).get("role") == "master"

    async def _told(self, host: str) -> dict[str, Any]:
        return dict(await self.said(host, "INFO") or {})

    async def begin_stores(self) -> None:
        """Wait until all servers answer, and join them. As if edges had known them for a day: they need not wait for
        the leases of servers before them. Raises AssertionError."""
        for host in self._cast.redis:
            await wait_until(lambda host=host: self._told(host), f"{host} answers", STARTING)  # type: ignore[misc]
        if self._cast.clustered:
            await self._join()
        for host, _ in self._cast.pairs:  # a server's line of writes begins anew with its first replica
            if self._cast.clustered or host == self._cast.redis[0]:
                await wait_until(lambda host=host: self._followed(host),  # type: ignore[misc]
                                 f"the replica of {host} is there", STARTING)
        for host in self._cast.redis:
            # A server of a cluster says of a key that is not its own where it is.
            found = await self._told(host)
            if found.get("role") == "master":
                await self.said(host, "HSET", "sbc:{edges}:stores", f"{found['run_id']}:{found['master_replid']}", "0")

    async def _followed(self, host: str) -> bool:
        found = await self._told(host)
        return int(found.get("connected_slaves", 0)) > 0 and found["slave0"]["state"] == "online"

    async def _join(self) -> None:
        """Make a cluster of them: to each pair its part of the slots."""
        first, pairs = self._cast.redis[0], self._cast.pairs
        for number, (master, _) in enumerate(pairs):
            begin, end = SLOTS * number // len(pairs), SLOTS * (number + 1) // len(pairs) - 1
            await self.said(master, "CLUSTER", "ADDSLOTSRANGE", begin, end)
            await self.said(master, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for host in self._cast.redis[1:]:
            await self.said(host, "CLUSTER", "MEET", self._at[first], 6379)
        for master, replica in pairs:
            number = (await self.said(master, "CLUSTER", "MYID")).decode()

            async def follows(replica: str = replica, number: str = number) -> bool:
                return await self.said(replica, "CLUSTER", "REPLICATE", number) is not None
            await wait_until(follows, f"{replica} knows {master}", STARTING)

        async def whole() -> bool:
            told = [await self.said(host, "CLUSTER", "INFO") for host in self._cast.redis]
            return all(b"cluster_state:ok" in _octets(one) for one in told)
        await wait_until(whole, "the cluster is whole", STARTING)


def _octets(told: Any) -> bytes:
    """The library makes a mapping of some answers."""
    if isinstance(told, dict):
        return "\r\n".join(f"{name}:{value}" for name, value in told.items()).encode()
    return told.encode() if isinstance(told, str) else told or b""
