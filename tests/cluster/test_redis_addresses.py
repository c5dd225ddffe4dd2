"""Addresses that edges share, in a real Redis: one has it at a time, under a number that only grows."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from sbc.core.tenure import outlast
from sbc.model.errors import StoreError
from sbc.runtime.tasks import Tasks
from tests.cluster.redis_edges import Edge
from tests.support.redis import Redis, needs_redis

pytestmark = needs_redis
ADDRESS, LEASE = "192.0.2.10/24", 1.0


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    async with Tasks() as tasks:
        yield tasks


@pytest.fixture
async def edges(redis: Redis, tasks: Tasks) -> AsyncIterator[tuple[Edge, Edge]]:
    redis.seen_long_ago()
    both = Edge("one", redis.url, tasks, 60.0), Edge("two", redis.url, tasks, 60.0)
    await asyncio.gather(*(edge.store.open() for edge in both))
    yield both
    await asyncio.gather(*(edge.store.close() for edge in both))


async def taken(edge: Edge) -> int:
    """Ask until it is ours, as an anchor does."""
    async with asyncio.timeout(15):
        while True:
            try:
                number = await edge.store.hold(ADDRESS, 0, LEASE)
            except StoreError:
                number = 0
            if number:
                return number
            await asyncio.sleep(0.05)


async def test_one_has_it_until_it_gives_it_up_or_its_lease_is_over(edges: tuple[Edge, Edge]) -> None:
    one, two = edges
    first = await one.store.hold(ADDRESS, 0, LEASE)
    assert first > 0 and await one.store.hold(ADDRESS, first, LEASE) == first
    assert await two.store.hold(ADDRESS, 0, LEASE) == 0
    two.store.vacate(ADDRESS, first + 1)
    two.store.vacate(ADDRESS, 0)
    assert await two.store.hold(ADDRESS, 0, LEASE) == 0
    one.store.vacate(ADDRESS, first)
    second = await two.store.hold(ADDRESS, 0, LEASE)
    assert second > first
    assert await one.store.hold(ADDRESS, first, LEASE) == 0, "what was ours is another's"
    began = time.monotonic()
    third = await taken(one)
    assert third > second and LEASE * 0.9 < time.monotonic() - began < LEASE + 1
    assert await two.store.hold(ADDRESS, second, LEASE) == 0
    assert await one.store.hold("192.0.2.11/24", 0, LEASE) > 0, "another address is another affair"
    fourth = await one.store.hold(ADDRESS, 0, LEASE)
    assert fourth > third, "an answer that was lost: it is ours, under another number"
    assert await one.store.hold(ADDRESS, third, LEASE) == 0


async def test_that_of_a_dead_edge_is_taken_before_its_lease_is_over(edges: tuple[Edge, Edge]) -> None:
    one, two = edges
    assert await one.store.hold(ADDRESS, 0, 600.0)
    one.die()
    began = time.monotonic()
    await taken(two)
    assert time.monotonic() - began < 4


async def test_a_store_that_has_forgotten_is_told_anew_by_who_has_it(edges: tuple[Edge, Edge], redis: Redis) -> None:
    one, two = edges
    number = await one.store.hold(ADDRESS, 0, LEASE)
    redis.say("FLUSHALL")
    assert await one.store.hold(ADDRESS, number, LEASE) == number
    redis.stop()
    redis.start()
    began = time.monotonic()
    new = await taken(two)
    assert time.monotonic() - began > outlast(LEASE) * 0.9, "nobody knows who has it until each lease is over"
    assert new > number
    assert await one.store.hold(ADDRESS, number, LEASE) == 0
