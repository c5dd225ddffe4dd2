"""Two edges, each on a machine of its own, share an address: one has it, whatever is killed, stopped or cut off.

All of it over real devices: neighbours learn who has the address by what the warden tells them, and at no time two
machines have it, but for the rest of a lease where edge and warden are killed in the same moment.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import yaml

from tests.support.clients import Talker
from tests.support.edge import PROBE
from tests.support.machines import ADMIN, HERE, PORT, SHARED, Machine, Network, Watch
from tests.support.namespaces import built
from tests.support.nodes import NodeProcess
from tests.support.oracle import exactly_once
from tests.support.redis import Redis, needs_redis
from tests.support.wait import PATIENCE, STARTING, wait_until

pytestmark = needs_redis
LEASE = 5.0
NODE = 9001


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    directory = tmp_path_factory.mktemp("network")
    with built(Network(directory, "one", "two")) as made:
        redis = Redis(directory, f"bind {HERE} 127.0.0.1", "protected-mode no").start()
        redis.seen_long_ago()
        node = NodeProcess(directory, "a", NODE, edge=None, host="0.0.0.0")
        node.start()
        (directory / "seal.key").write_text("5e" * 32)
        for machine in made.machines:
            machine.configure(_tree(machine, f"redis://{HERE}:{redis.port}", directory))
            machine.start_warden()
            machine.start_edge()
        yield made
        node.kill()
        redis.stop()


def _tree(machine: Machine, store: str, directory: Path) -> dict[str, object]:
    return {
        "edge": {"name": machine.name, "store": store, "redis": {"patience": "300ms"},
                 "seal_keys": [{"id": "k", "file": str(directory / "seal.key")}],
                 "address": {"share": f"{SHARED}/24", "device": "eth0", "lease": f"{LEASE:.0f}s"}},
        "kernel": {"socket": str(machine.socket)},
        "admin": {"listen": f"0.0.0.0:{ADMIN}"},
        "listeners": [{"name": "plain", "listen": f"{SHARED}:{PORT}", "transports": ["websocket"]}],
        "pools": {"p": {"nodes": [{"name": "a", "url": f"http://{HERE}:{NODE}"}], "probe": PROBE}},
        "agents": {"a": {"pool": "p", "migration": {"replay": "all", "output": "regenerate"}}},
        "routes": [{"agent": "a"}],
    }


@dataclass
class Pair:
    network: Network
    watch: Watch
    holder: Machine
    other: Machine
    overlap: float = 0.0
    """For how many seconds both may have it."""

    async def gone(self, what: str, patience: float = PATIENCE) -> None:
        """Wait until who had it has it no more."""
        await wait_until(lambda: not self.watch.holds(self.holder), what, patience)

    async def moved(self, to: Machine | None = None) -> float:
        """Wait until clients reach the other one by the address; how long it took."""
        began, to = time.monotonic(), to or self.other

        async def reached() -> bool:
            return await _who_answers() == to.name
        await wait_until(reached, f"clients reach {to.name}")
        assert await self.network.neighbour() == to.link
        return time.monotonic() - began


@pytest.fixture
async def pair(network: Network) -> AsyncIterator[Pair]:
    """Who has the address, and who could; both in good order. At no time both had it."""
    one, two = network.machines
    for machine in network.machines:
        if machine.warden is None or machine.warden.poll() is not None:
            machine.start_warden()
        if machine.edge is None or machine.edge.poll() is not None:
            machine.start_edge()
    watch = Watch(network)
    watch.start()
    await wait_until(lambda: watch.seen and watch.seen[-1][1], "somebody has it", STARTING)
    made = Pair(network, watch, *((one, two) if watch.holds(one) else (two, one)))
    await wait_until(lambda: _ready(made.other), "the other one is ready", STARTING)
    yield made
    watch.end()
    for machine in network.machines:
        print(machine.log())
    ends = [since for since, _ in watch.seen[1:]] + [time.monotonic()]
    both = sum(end - since for (since, names), end in zip(watch.seen, ends, strict=True) if len(names) > 1)
    assert both <= made.overlap, watch.seen


async def _ready(machine: Machine) -> bool:
    try:
        async with aiohttp.ClientSession() as http, http.get(f"http://{machine.address}:{ADMIN}/readyz") as answer:
            return answer.status == 200
    except OSError:
        return False


async def _who_answers() -> str | None:
    """The name of the edge that is reached by the address; None: nobody is."""
    try:
        async with (aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(2.0)) as http,
                    http.get(f"http://{SHARED}:{ADMIN}/api/v1/config") as answer):
            return str((await answer.json())["edge"]["name"])
    except (OSError, aiohttp.ClientError, TimeoutError):
        return None


async def _metric(machine: Machine, name: str) -> float:
    async with aiohttp.ClientSession() as http, http.get(f"http://{machine.address}:{ADMIN}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)), 0.0)


async def test_a_client_goes_on_at_the_same_address_when_its_edge_is_killed(pair: Pair) -> None:
    holder, other = pair.holder, pair.other
    await pair.moved(to=holder)
    assert (await _metric(holder, "sbc_address_held"), await _metric(other, "sbc_address_held")) == (1.0, 0.0)
    client = Talker(f"ws://{SHARED}:{PORT}/", HERE)
    await client.open()
    await client.say(3)
    await client.answered()
    await asyncio.sleep(1.0)  # the store promises what is older than its commit interval
    assert holder.edge is not None
    holder.edge.kill()
    holder.edge.wait()
    await pair.gone("its warden takes it off at once", LEASE / 2)
    await pair.moved()
    await client.come_again()
    await client.say(2)
    await client.answered()
    exactly_once(client)
    await client.close()


async def test_an_edge_that_is_stopped_hands_it_over(pair: Pair) -> None:
    assert pair.holder.edge is not None
    pair.holder.edge.terminate()
    await pair.gone("it gives it up")
    assert await pair.moved() < LEASE - 1
    assert pair.holder.told("address_left") and await _metric(pair.other, "sbc_address_held") == 1.0
    await asyncio.to_thread(pair.holder.edge.wait, PATIENCE)


async def test_it_stays_if_the_warden_is_killed_and_another_comes_and_goes_if_none_does(pair: Pair) -> None:
    holder = pair.holder
    assert holder.warden is not None
    begin, came = await holder.spare_warden(), holder.told("address_came")
    holder.warden.kill()
    holder.warden.wait()
    begin()
    await wait_until(lambda: holder.told("address_came") > came, "it is ordered anew", LEASE)
    assert await _who_answers() == holder.name
    assert not any(pair.other.name in names for _, names in pair.watch.seen), pair.watch.seen
    holder.warden.kill()
    holder.warden.wait()
    await pair.gone("the kernel takes it off", LEASE + 2)
    await pair.moved()
    assert await _ready(holder), "that edge serves those who reach it otherwise"


async def test_an_edge_that_hangs_loses_it_in_time(pair: Pair) -> None:
    edge = pair.holder.edge
    assert edge is not None
    lost = pair.holder.told("address_lost")
    edge.send_signal(signal.SIGSTOP)
    await pair.gone("its warden takes it off", LEASE + 2)
    await pair.moved()
    edge.send_signal(signal.SIGCONT)
    await wait_until(lambda: pair.holder.told("address_lost") > lost, "it knows")
    assert await _who_answers() == pair.other.name


async def test_a_machine_that_is_cut_off_has_it_no_longer_than_its_lease(pair: Pair) -> None:
    holder, other = pair.holder, pair.other
    await pair.network.cut(holder)
    await pair.gone("nobody who is cut off keeps it", LEASE + 2)
    await pair.moved()
    await pair.network.heal(holder)
    await wait_until(lambda: _ready(holder), "it is back")
    await asyncio.sleep(0.6)  # it asks for it again
    assert await _who_answers() == other.name and await pair.network.neighbour() == other.link


async def test_when_edge_and_warden_are_killed_at_once_the_kernel_ends_it_within_the_lease(pair: Pair) -> None:
    holder = pair.holder
    assert holder.edge is not None and holder.warden is not None
    pair.overlap = LEASE
    for process in (holder.warden, holder.edge):
        process.kill()
    await pair.moved()
    await pair.gone("the kernel takes it off", LEASE + 2)
    assert await pair.network.neighbour() == pair.other.link
    await asyncio.to_thread(lambda: (holder.warden.wait(), holder.edge.wait()))  # type: ignore[union-attr]


async def test_it_stays_while_a_process_is_succeeded_by_another_one(pair: Pair) -> None:
    holder = pair.holder
    assert holder.edge is not None
    before = len(pair.watch.seen)
    async with (aiohttp.ClientSession() as http,
                http.post(f"http://{holder.address}:{ADMIN}/api/v1/upgrade") as answer):
        assert answer.status in (200, 202), await answer.text()
        successor = (await answer.json())["process"]
    try:
        await asyncio.to_thread(holder.edge.wait, STARTING)
        await asyncio.sleep(0.2)  # with it goes what was its own
        assert await _who_answers() == holder.name and await _metric(holder, "sbc_address_held") == 1.0
        assert len(pair.watch.seen) == before, pair.watch.seen
    finally:
        os.kill(successor, signal.SIGTERM)
    await pair.moved()


async def test_an_edge_of_two_workers_has_it_and_keeps_it_while_it_is_succeeded(pair: Pair) -> None:
    """Its first worker has it, and then that one's successor."""
    crew, alone = pair.other, pair.holder
    assert crew.edge is not None and alone.edge is not None
    written = yaml.safe_load(crew.file.read_text())
    crew.edge.terminate()
    await asyncio.to_thread(crew.edge.wait, 20)
    crew.configure(written | {"edge": written["edge"] | {"workers": 2}})
    crew.start_edge()
    successor = 0
    try:
        await wait_until(lambda: _ready(crew), "two workers are ready", 60.0)
        alone.edge.terminate()
        await pair.moved(crew)
        assert await _metric(crew, "sbc_address_held") == 1.0
        before = len(pair.watch.seen)
        client = Talker(f"ws://{SHARED}:{PORT}/", HERE)
        await client.open()
        async with (aiohttp.ClientSession() as http,
                    http.post(f"http://{crew.address}:{ADMIN}/api/v1/upgrade") as answer):
            assert answer.status == 202, await answer.text()
            successor = (await answer.json())["process"]
        assert await client.ended() == (1012, "retry_after=0")
        await client.come_again()
        await client.say(2)
        await client.answered()
        exactly_once(client)
        await asyncio.to_thread(crew.edge.wait, 20)
        await client.close()
        assert await _who_answers() == crew.name and await _metric(crew, "sbc_address_held") == 1.0
        assert len(pair.watch.seen) == before, pair.watch.seen
    finally:
        if successor:
            os.kill(successor, signal.SIGTERM)
        crew.edge.terminate()
        crew.configure(written)
    await asyncio.to_thread(crew.edge.wait, 20)
