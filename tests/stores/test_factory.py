"""From the configuration's `edge` to a store."""

from dataclasses import replace
from pathlib import Path

import pytest

from sbc.config import parse
from sbc.config.model import Edge
from sbc.model.errors import StoreError
from sbc.model.interfaces import SharedStore
from sbc.runtime.tasks import Tasks
from sbc.stores.factory import open_store
from sbc.stores.memory import MemoryStore
from sbc.stores.redis import RedisStore
from sbc.stores.sqlite import SqliteStore
from tests.config.written import LEAST


@pytest.fixture
def edge() -> Edge:
    return parse(LEAST, "f").edge


async def test_the_stores_there_are(edge: Edge) -> None:
    async with Tasks() as tasks:
        for url, kind in [("memory:", MemoryStore), ("sqlite:var/sbc.db", SqliteStore), ("redis://h:1/2", RedisStore),
                          ("rediss+sentinel://a,b/main", RedisStore), ("redis+cluster://a:1,b:2", RedisStore)]:
            store = open_store(replace(edge, store=url), tasks.spawn)
            assert isinstance(store, kind)
            # Asked before it is opened: a property that cannot be read by then makes it another kind of store.
            assert isinstance(store, SharedStore) is (kind is RedisStore)


@pytest.mark.parametrize("url", ["", "memory", "memory:x", "sqlite", "sqlite:", "sqlite3:x"])
async def test_any_other_is_an_error_that_names_those(edge: Edge, url: str) -> None:
    async with Tasks() as tasks:
        with pytest.raises(StoreError, match=r"`memory:`, `sqlite:PATH` and `redis://HOST:PORT`"):
            open_store(replace(edge, store=url), tasks.spawn)


async def test_a_password_that_cannot_be_read_is_an_error(edge: Edge, tmp_path: Path) -> None:
    redis = replace(edge.redis, password_file=str(tmp_path / "none"))
    async with Tasks() as tasks:
        with pytest.raises(StoreError, match="No such file"):
            open_store(replace(edge, store="redis://h", redis=redis), tasks.spawn)
