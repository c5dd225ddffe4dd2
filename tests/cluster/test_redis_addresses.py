"""Addresses that edges share, in a real Redis: one has it at a time, under a number that only grows."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from sbc.core.tenure import outlast
from sbc.model.errors import StoreError
from sbc.runtime.tasks import Tasks
from tests.cluster.redis_edges import LONG, Edge
from tests.support.redis import Redis, needs_redis
from tests.support.wait import PATIENCE

pytestmark = needs_redis
ADDRESS, LEASE = "192.0.2.10/24", 1.0
OURS = LONG / 2
"""A lease of an address that does not end here by itself."""


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    async with Tasks() as tasks:
        yield tasks


@pytest.fixture
async def edges(redis: Redis, tasks: Tasks) -> AsyncIterator[tuple[Edge, Edge]]:
    redis.seen_long_ago()
    both = Edge("one", redis.url, tasks), Edge("two", redis.url, tasks)
    await asyncio.gather(*(edge.store.open() for edge in both))
    yield both
    await asyncio.gather(*(edge.store.close() for edge in both))


async def taken(edge: Edge) -> int:
    """Ask until it is ours, as an anchor does."""
    async with asyncio.timeout(PATIENCE):
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
    first = await one.store.hold(ADDRESS, 0, OURS)
    assert first > 0 and await one.store.hold(ADDRESS, first, OURS) == first
    assert await two.store.hold(ADDRESS, 0, LEASE) == 0
    two.store.vacate(ADDRESS, first + 1)
    two.store.vacate(ADDRESS, 0)
    assert await two.store.hold(ADDRESS, 0, LEASE) == 0
    one.store.vacate(ADDRESS, first)
    began = time.monotonic()
    second = await two.store.hold(ADDRESS, 0, LEASE)
    assert second > first
    assert await one.store.hold(ADDRESS, first, LEASE) == 0, "what was ours is another's"
    third = await taken(one)
    assert third > second and time.monotonic() - began > LEASE * 0.9
    assert await two.store.hold(ADDRESS, second, LEASE) == 0
    assert await one.store.hold("192.0.2.11/24", 0, LEASE) > 0, "another address is another affair"
    fourth = await one.store.hold(ADDRESS, 0, LEASE)
    assert fourth > third, "an answer that was lost: it is ours, under another number"
    assert await one.store.hold(ADDRESS, third, LEASE) == 0


async def test_that_of_a_dead_edge_is_taken_before_its_lease_is_over(edges: tuple[Edge, Edge]) -> None:
    one, two = edges
    assert await one.store.hold(ADDRESS, 0, 10 * LONG)
    one.die()
    await taken(two)


async def test_a_store_that_has_forgotten_is_told_anew_by_who_has_it(edges: tuple[Edge, Edge], redis: Redis) -> None:
    one, two = edges
    number = await one.store.hold(ADDRESS, 0, LEASE)
    redis.say("FLUSHALL")
    assert await one.store.hold(ADDRESS, number, LEASE) == number
    began = time.monotonic()
    await asyncio.to_thread(redis.restart)
    new = await taken(two)
    assert time.monotonic() - began > outlast(LEASE) * 0.9, "nobody knows who has it until each lease is over"
    assert new > number
    assert await one.store.hold(ADDRESS, number, LEASE) == 0
