"""HTTP probes: how the edge learns whether a node without a trunk lives.

The prober reports what it saw; core/health.py judges. It only keeps the pace: after a failed probe the next follows
at once, one a timeout, until enough have failed for the node to be judged, so that a dead node is found after at
most `every + fall * timeout` seconds.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from yarl import URL

from sbc.model.ids import NodeId, PoolName
from sbc.model.interfaces import ProbeResult, Spawn
from sbc.model.node import Node, Probe
from sbc.model.streams import Reach
from sbc.nodes.address import Speech, address_of
from sbc.nodes.dial import Trust
from sbc.nodes.probe_http2 import ask_over_http2

_SCHEMES = {"ws": "http", "wss": "https"}


class Prober:
    """Probes every node it watches, each on its own clock."""

    def __init__(self, report: ProbeResult, spawn: Spawn, reach: Reach) -> None:
        """reach: the way to nodes that speak HTTP/2 and nothing else."""
        self._report = report
        self._reach = reach
        self._spawn = spawn
        self._stops: dict[NodeId, asyncio.Event] = {}
        self._session: ClientSession | None = None
        self.trusts: Mapping[PoolName, Trust] = {}
        """How TLS is spoken to the nodes of those pools that say it."""

    def watch(self, node: Node, probe: Probe) -> None:
        """Probe `node` from now on; a node that is watched already is probed in the new way."""
        self.unwatch(node.id)
        if self._session is None:
            self._session = _open_session()
        stop = self._stops[node.id] = asyncio.Event()
        self._spawn(f"probe {node.id}", self._probe_until(stop, node.id, probe, self._question(node, probe)))

    def unwatch(self, node: NodeId) -> None:
        """Probe a node no more; nothing is reported of it from here on."""
        stop = self._stops.pop(node, None)
        if stop is not None:
            stop.set()

    async def close(self) -> None:
        """Probe no node any more and let the connections go."""
        for node in tuple(self._stops):
            self.unwatch(node)
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _question(self, node: Node, probe: Probe) -> Callable[[], Awaitable[str | None]]:
        """How a node is asked whether it lives."""
        if address_of(node.url).speech is Speech.HTTP2:
            return lambda: ask_over_http2(self._reach, node, probe)
        assert self._session is not None
        session, url = self._session, probe_url(node, probe)
        return lambda: _ask(session, url, probe, self.trusts.get(node.pool))

    async def _probe_until(self, stop: asyncio.Event, node: NodeId, probe: Probe,
                           ask: Callable[[], Awaitable[str | None]]) -> None:
        failed = 0
        wait = random.uniform(0, probe.every)  # so that the probes of many nodes spread out
        while not await _set_within(stop, wait):
            began = time.monotonic()
            fault = await ask()
            round_trip = time.monotonic() - began
            if stop.is_set():
                return
            self._report(node, fault is None, fault or "", round_trip)
            failed = 0 if fault is None else failed + 1
            pace = probe.timeout if 0 < failed < probe.fall else probe.every
            wait = max(0.0, pace - round_trip)


def probe_url(node: Node, probe: Probe) -> URL:
    """What is asked for: the probe's path at the node's origin. Raises ValueError for a url that is none."""
    url = URL(node.url)
    origin = url.with_scheme(_SCHEMES.get(url.scheme, url.scheme)).origin()
    return origin.join(URL(probe.path or "/", encoded=True))


def _open_session() -> ClientSession:
    return ClientSession(
        # No limit of its own: with one, a few nodes that hang would make the others look dead. Each has one probe.
        connector=TCPConnector(limit=0, force_close=True),
        cookie_jar=DummyCookieJar(), trust_env=False, auto_decompress=False, headers={"User-Agent": "sbc-probe"},
    )


async def _set_within(event: asyncio.Event, wait: float) -> bool:
    try:
        async with asyncio.timeout(wait):
            await event.wait()
    except TimeoutError:
        return event.is_set()  # it may have been set in the moment in which the time was up
    return True


async def _ask(session: ClientSession, url: URL, probe: Probe, trust: Trust | None) -> str | None:
    """Why the node does not live; None if it does. The body is not read: the head is enough of an answer."""
    context = True if trust is None else trust.contexts[Speech.HTTP1]
    name = None if trust is None else trust.server_name
    try:
        async with session.get(url, allow_redirects=False, timeout=ClientTimeout(total=probe.timeout), ssl=context,
                               server_hostname=name) as answer:
            if probe.path is not None and not 200 <= answer.status < 400:
                return f"HTTP {answer.status}"
            return None
    except TimeoutError:
        return f"no answer in {probe.timeout:g} s"
    except (ClientError, OSError) as fault:
        return str(fault) or type(fault).__name__
