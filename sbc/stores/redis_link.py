"""The way to a Redis store: one connection to one server that all goes over, or one to each server of a cluster.

A connection (redis_dial.py) leads to one server process, and never to another one: when it breaks, whoever uses it asks
anew where the server is, and which it is. So what was said of a server before a failover is never taken for true of the
one after it.
"""

import asyncio
import hashlib
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

import hiredis
from redis.asyncio import RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import Connection
from redis.exceptions import RedisClusterException, RedisError, ResponseError

from sbc.config.store_url import Kind
from sbc.stores.redis_dial import FAULTS, NEVER, Terms, connected, listening
from sbc.stores.redis_rows import Words, written
from sbc.stores.redis_sentinels import Sentinels
from sbc.stores.redis_words import SCRIPT, STORES

AT_A_TIME: Final = 64
"""Answers that have to come within the patience for one."""
_PACK: Final = cast(Callable[[Words], bytes], hiredis.pack_command)
_OF_THE_LIBRARY: Final = ("CLUSTER", "COMMAND", "PUBSUB")
"""What a client of a cluster asks by itself, or of several servers, and understands in no other form."""
_NOT_NOW: Final = ("BUSY", "MISCONF", "OOM", "NOREPLICAS", "NOAUTH", "NOPERM", "READONLY")
"""Answers that speak of the server, not of what it was asked; for others the library has classes."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which servers a link leads to."""

    home: str
    """The one that has the leases: its process, and since when it is the one to write to."""
    all: str
    """All of them."""
    settled: float
    """For how many seconds they have been these for certain, whoever has seen them."""


class Link(Protocol):
    """Raises one of FAULTS where it does not work any more."""

    async def run(self, commands: Sequence[Words]) -> list[Any]:
        """Answers in order; what only one command is to blame for is a ResponseError in its place."""

    async def identify(self) -> Identity:
        """Which servers these are, now. Raises StoreError too: nobody knows whether they are still the right ones."""

    async def listeners(self, channel: str) -> int:
        """How many listen to a channel at the server that has the leases."""

    async def listen(self, channels: Sequence[str]) -> Connection:
        """Another connection, to the server that has the leases, on which these channels' messages come."""

    async def close(self) -> None:
        """Let go."""


class OneServer:
    """Implements Link: all over one connection."""

    def __init__(self, terms: Terms, where: tuple[str, int], connection: Connection,
                 sentinels: Sentinels | None) -> None:  # fmt: skip
        """sentinels: which chose it among several."""
        self._terms = terms
        self._where = where
        self._connection = connection
        self._sentinels = sentinels

    async def run(self, commands: Sequence[Words]) -> list[Any]:
        connection, loop = self._connection, asyncio.get_running_loop()
        answers: list[Any] = []
        async with asyncio.timeout(self._terms.patience) as limit:
            # The library's own packing of a command costs as much as all else that is done for it.
            await connection.send_packed_command(b"".join(map(_packed, commands)), check_health=False)
            for number in range(len(commands)):
                try:
                    answers.append(await connection.read_response())
                except ResponseError as error:
                    answers.append(_own(error))
                if number % AT_A_TIME == AT_A_TIME - 1:
                    # A long batch may take its time, as long as there is a word now and then.
                    limit.reschedule(loop.time() + self._terms.patience)
        return answers

    async def identify(self) -> Identity:
        if self._sentinels is not None and await self._sentinels.master() != self._where:
            raise ConnectionError("the Sentinels have chosen another server")
        [server] = await self.run([("INFO", "server")])
        [replication] = await self.run([("INFO", "replication")])
        fields = _fields(server) | _fields(replication)
        # Behind Sentinels it may have stood there for long, a server of its own, while another one was used.
        alone = self._terms.at.kind is Kind.ONE
        return Identity(_who(fields), _who(fields), _settled(fields) if alone else 0.0)

    async def listeners(self, channel: str) -> int:
        [answer] = await self.run([("PUBSUB", "NUMSUB", channel)])
        return int(_sound(answer)[1])

    async def listen(self, channels: Sequence[str]) -> Connection:
        return await listening(self._terms, self._where, channels)

    async def close(self) -> None:
        with suppress(*FAULTS):
            await self._connection.disconnect(nowait=True)
        if self._sentinels is not None:
            await self._sentinels.close()


class Cluster:
    """Implements Link: the library finds the server of each slot, and asks all that are concerned at once."""

    def __init__(self, terms: Terms, client: "RedisCluster") -> None:
        self._terms = terms
        self._client = client

    async def run(self, commands: Sequence[Words]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for words in commands:
            pipeline.execute_command(*written(words))
        async with asyncio.timeout(self._terms.patience + len(commands) / 1000):
            answers = await pipeline.execute(raise_on_error=False)
        return [_own(answer) if isinstance(answer, Exception) else answer for answer in answers]

    async def identify(self) -> Identity:
        home = self._home()
        who, settled = dict[str, str](), math.inf
        async with asyncio.timeout(self._terms.patience):
            for node in self._client.get_primaries():
                server = await self._client.execute_command("INFO", "server", target_nodes=node)
                replication = await self._client.execute_command("INFO", "replication", target_nodes=node)
                fields = _fields(server) | _fields(replication)
                who[node.name], settled = _who(fields), min(settled, _settled(fields))
        every = hashlib.sha256("\n".join(sorted(who.values())).encode()).hexdigest()[:32]
        return Identity(who[home.name], every, settled)

    async def listeners(self, channel: str) -> int:
        async with asyncio.timeout(self._terms.patience):
            answer = await self._client.execute_command("PUBSUB NUMSUB", channel, target_nodes=self._home())
        return int(dict(answer)[channel.encode()] if isinstance(answer, dict) else _pair(answer))

    async def listen(self, channels: Sequence[str]) -> Connection:
        home = self._home()
        return await listening(self._terms, (home.host, int(home.port)), channels)

    async def close(self) -> None:
        with suppress(*FAULTS):
            await self._client.aclose()

    def _home(self) -> ClusterNode:
        home = self._client.get_node_from_key(STORES)
        if home is None:
            raise RedisClusterException("the slot of the leases has no server")
        return home


async def connect(terms: Terms, former: int | None = None) -> tuple[Link, int | None]:
    """A link that works, and the number of its connection at the server. Raises one of FAULTS, StoreError.

    former: the number of the connection before, which is to be ended: what it was asked may still lie unread at the
    server, and must not be done after what this one is asked.
    """
    if terms.at.kind is Kind.CLUSTER:
        return await _cluster(terms), None
    sentinels = Sentinels(terms) if terms.at.kind is Kind.SENTINEL else None
    try:
        where = await sentinels.master() if sentinels is not None else terms.at.hosts[0]
        connection = await connected(terms, where)
    except BaseException:
        if sentinels is not None:
            await sentinels.close()
        raise
    link = OneServer(terms, where, connection, sentinels)
    number, *_ = await link.run([
        ("CLIENT", "ID"), ("SCRIPT", "LOAD", SCRIPT), *([("CLIENT", "KILL", "ID", former)] if former else []),
    ])
    return link, number if isinstance(number, int) else None


async def _cluster(terms: Terms) -> Cluster:
    nodes = [ClusterNode(host, port) for host, port in terms.at.hosts]
    options = {**terms.options(), "ssl": True} if terms.at.tls else terms.options()
    client = RedisCluster(startup_nodes=nodes, socket_timeout=terms.patience, retry=NEVER, **options)
    # What the store asks is answered as by one server: of its own accord the library makes mappings of some answers.
    for command in [name for name in client.response_callbacks if not name.startswith(_OF_THE_LIBRARY)]:
        del client.response_callbacks[command]
    cluster = Cluster(terms, client)
    try:
        async with asyncio.timeout(4 * terms.patience):
            await client.initialize()
            for node in client.get_primaries():
                await client.execute_command("SCRIPT LOAD", SCRIPT, target_nodes=node)
    except BaseException:
        await cluster.close()
        raise
    return cluster


def _packed(words: Words) -> bytes:
    try:
        return _PACK(words)
    except UnicodeEncodeError:
        return _PACK(written(words))


def _own(error: Exception) -> Exception:
    """An error that only the command is to blame for. Raises it if not."""
    if type(error) is not ResponseError or str(error).partition(" ")[0] in _NOT_NOW:
        raise error
    return error


def _sound(answer: Any) -> Any:
    if isinstance(answer, Exception):
        raise answer
    return answer


def _pair(answer: Sequence[Any]) -> Any:
    first = answer[0]
    return first[1] if isinstance(first, tuple | list) else answer[1]


def _fields(info: Any) -> dict[str, str]:
    sound = _sound(info)
    if isinstance(sound, dict):
        return {str(name): str(value) for name, value in sound.items()}
    lines = (line.partition(":") for line in str(sound, "utf-8").splitlines())
    return {name: value for name, _, value in lines}


def _who(fields: dict[str, str]) -> str:
    if fields.get("role") != "master":
        raise RedisError("this server is a replica")
    # The process, and which line of writes it stands for: a restart changes the one, a promotion the other.
    return f"{fields['run_id']}:{fields['master_replid']}"


def _settled(fields: dict[str, str]) -> float:
    # A process that was never promoted is the only one that there was since its start.
    promoted = fields.get("second_repl_offset") != "-1"
    # The difference of two clocks that show whole seconds: it may be up to one second too much.
    return 0.0 if promoted else max(0.0, float(fields.get("uptime_in_seconds", 0)) - 1)

