"""An edge that serves HTTP/3, as a process, and the oracle by which every attack on it is judged."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil

from tests.support.fair import fair_clock
from tests.support.h3_client import H3Client
from tests.support.wait import wait_until
from tests.thirdparty.http_stage import WebScene

LONGEST = 0.5
"""Seconds that an honest request may take meanwhile, by a fair clock."""
PEAK, LEFT = 64 * 2**20, 40 * 2**20
"""By how many bytes the edge may grow under an attack, and stay grown when it is over: what malloc keeps is used by the
next one."""


COUNTERS = ("sbc_abuse_total", "sbc_refused_total", "sbc_quic_retries_total", "sbc_quic_negotiations_total",
            "sbc_quic_datagrams_dropped_total")
"""Where an attack shows."""
LIMITS = {"head": "8KiB", "headers": 50, "head_timeout": "1s", "body": "1MiB", "sessions_per_principal": 100000}


class QuicGround(WebScene):
    """An edge, with a node for all behind it, and one that only attackers ask for (below /prey)."""

    async def begin(self, engine: str) -> None:
        """Start all of it. engine: of QUIC."""
        honest, prey = self.web("a", "b")
        pools = {pool: {"nodes": [{"name": node.name, "url": f"http://127.0.0.1:{node.port}"}]}
                 for pool, node in (("tutors", honest), ("prey", prey))}
        await self.open(self.tree({
            "edge": {"quic_engine": engine}, "pools": pools, "agents": {"tutor": {}, "prey": {"pool": "prey"}},
            "policies": {"default": {"limits": LIMITS}},
            "routes": [{"match": {"path": "/"}, "agent": "tutor"}, {"match": {"path": "/prey"}, "agent": "prey"}],
        }, quic=True))

    async def counted(self) -> float:
        """What was counted so far."""
        _, text = await self.edge.get("/metrics")
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(COUNTERS))

    async def client(self, library: str = "qh3", **how: object) -> H3Client:  # type: ignore[override]
        """An honest one."""
        return await H3Client.connect(self.secure, library, trust=self.ca.read_bytes(), **how)

    def rss(self) -> int:
        """Bytes."""
        return int(psutil.Process(self.edge.pid).memory_info().rss)

    def peak(self) -> int:
        """The most that it was since `forget_peak`."""
        line = next(line for line in Path(f"/proc/{self.edge.pid}/status").read_text().splitlines()
                    if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    def forget_peak(self) -> None:
        Path(f"/proc/{self.edge.pid}/clear_refs").write_text("5")


class Beside:
    """An honest client: asks again and again, and notes the longest wait, by a clock of the edge's own."""

    def __init__(self, client: H3Client, clock: Callable[[], float]) -> None:
        self.client, self._clock = client, clock
        self.served = 0
        self.longest = 0.0
        self._asking = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        while True:
            began = self._clock()
            answer = await self.client.get()
            assert answer.complete and answer.status == 200, (answer.status, answer.reset)
            self.longest = max(self.longest, self._clock() - began)
            self.served += 1
            await asyncio.sleep(0.01)

    async def done(self) -> None:
        """Wait until it was served after all that happened. Raises what went wrong with it."""
        served = self.served
        await wait_until(lambda: self.served > served + 2 or self._asking.done(), "the honest client is served")
        self.end()
        with contextlib.suppress(asyncio.CancelledError):
            await self._asking
        self.client.close()

    def end(self) -> None:
        self._asking.cancel()


@contextlib.asynccontextmanager
async def withstood(ground: QuicGround, *, counted: bool = True) -> AsyncIterator[Beside]:
    """The oracle: the edge lives, an honest client beside the attacker keeps its service, one that comes after it is
    served, memory is bounded and comes back, nothing was thrown, and (counted) the attack can be seen."""
    before, number = ground.rss(), await ground.counted()
    ground.forget_peak()
    async with fair_clock(ground.edge.pid, ground.nodes["a"].pid) as clock:
        witness = Beside(await ground.client(), clock)
        try:
            await wait_until(lambda: witness.served, "the honest client is served")
            yield witness
            await witness.done()
        finally:
            witness.end()
    assert ground.edge.running, ground.edge.log()
    if counted:
        async def seen() -> bool:
            return await ground.counted() > number
        await wait_until(seen, "it is counted")
    newcomer = await ground.client("aioquic")
    assert (await newcomer.get()).status == 200
    newcomer.close()
    assert witness.longest < LONGEST, f"the honest client waited {witness.longest:.3f} s"
    assert ground.peak() - before < PEAK, f"the edge grew by {(ground.peak() - before) / 2**20:.1f} MiB"
    await wait_until(lambda: ground.rss() - before < LEFT, "memory is given back")
    assert "Traceback" not in ground.edge.log(), ground.edge.log()
