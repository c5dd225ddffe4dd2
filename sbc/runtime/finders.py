"""The nodes that are found for pools (`discover`): who looks where, and what is believed of what they report."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from sbc.config import Config
from sbc.config.model import Discover, DnsNames, EndpointSlices, NodeFiles
from sbc.core.discovery import Findings, Found, News
from sbc.core.slices import Slices
from sbc.model.ids import NodeId, PoolName
from sbc.model.interfaces import Spawn
from sbc.nodes.discovery import dns, files, kubernetes
from sbc.nodes.discovery.report import Report, defaults

Announce = Callable[[str, Mapping[str, Any]], None]


class Ranks(Protocol):
    """The fleet, as far as it is told of nodes."""

    def found(self, pool: PoolName, nodes: Mapping[NodeId, Found]) -> None:
        """These are the nodes that were found for a pool."""


class Finder:
    """Implements Report for one pool."""

    def __init__(self, pool: PoolName, terms: Discover, ranks: Ranks, announce: Announce,
                 before: "Finder | None") -> None:  # fmt: skip
        """before: who looked for nodes of this pool until now."""
        self.terms = terms
        self.pool = pool
        self._findings = Findings(terms.keep)
        if before is not None:
            self._findings.nodes, self._findings.since = before._findings.nodes, before._findings.since
        self._ranks = ranks
        self._announce = announce
        self._clock = asyncio.get_running_loop().time
        self._task: asyncio.Task[None] | None = None
        self._complaint = ""
        self._stopped = False

    @property
    def age(self) -> float:
        """How many seconds ago nodes were found last; infinite: never."""
        return float("inf") if self._findings.since is None else self._clock() - self._findings.since

    async def run(self) -> None:
        """Look until stopped."""
        if not self._stopped:
            self._task = asyncio.current_task()
            await follow(self.pool, self.terms, self)

    def stop(self) -> None:
        """Look no more; what was found stays until somebody says otherwise."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()

    def found(self, nodes: Sequence[Found]) -> None:
        """See Report."""
        news = self._findings.take(nodes, self._clock())
        if news in (News.SAME, News.CHANGED):
            self._complaint = ""
        self._act(news, "nothing is found")

    def failed(self, why: str) -> None:
        """See Report."""
        self._act(self._findings.fail(self._clock()), why)

    def _act(self, news: News, why: str) -> None:
        match news:
            case News.CHANGED | News.EXPIRED:
                self._ranks.found(self.pool, self._findings.nodes)
                self._announce("nodes_found", {"pool": self.pool, "nodes": len(self._findings.nodes)})
            case News.DISTRUSTED if why != self._complaint:
                self._complaint = why
                self._announce("discovery_fails", {"pool": self.pool, "why": why, "kept": len(self._findings.nodes)})


class Finders:
    """Those of all pools."""

    def __init__(self, ranks: Ranks, spawn: Spawn, announce: Announce) -> None:
        self._finders: dict[PoolName, Finder] = {}
        self._ranks = ranks
        self._spawn = spawn
        self._announce = announce

    @property
    def ages(self) -> dict[str, float]:
        """By pool: how many seconds ago nodes were found last."""
        return {pool: finder.age for pool, finder in self._finders.items()}

    def apply(self, config: Config) -> None:
        """Look where the configuration says; what is looked at already goes on."""
        wanted = {name: pool.discover for name, pool in config.pools.items() if pool.discover is not None}
        for pool in self._finders.keys() - wanted:
            self._finders.pop(pool).stop()
            self._ranks.found(pool, {})
        for pool, terms in wanted.items():
            before = self._finders.get(pool)
            if before is None or before.terms != terms:
                finder = self._finders[pool] = Finder(pool, terms, self._ranks, self._announce, before)
                self._spawn(f"discovery {pool}", finder.run())
                if before is not None:
                    before.stop()

    def close(self) -> None:
        """Look no more."""
        for finder in self._finders.values():
            finder.stop()


def follow(pool: PoolName, terms: Discover, report: Report) -> Awaitable[None]:
    """Look where these terms say, until cancelled."""
    common = defaults(pool, terms.zone, dict(terms.labels), terms.capacity)
    match terms.where:
        case DnsNames() as names:
            return dns.follow(names, terms.scheme, terms.every, common, report)
        case NodeFiles(paths):
            return files.follow(paths, pool, terms.every, report)
        case EndpointSlices() as service:
            return kubernetes.follow(service, Slices(pool, service.port, terms.scheme, common), terms.every, report)
