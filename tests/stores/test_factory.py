"""From the configuration's `edge.store` to a store."""

import pytest

from sbc.model.errors import StoreError
from sbc.stores.factory import open_store
from sbc.stores.memory import MemoryStore
from sbc.stores.sqlite import SqliteStore


def test_the_stores_there_are() -> None:
    assert isinstance(open_store("memory:"), MemoryStore)
    assert isinstance(open_store("sqlite:var/sbc.db"), SqliteStore)


@pytest.mark.parametrize("url", ["", "memory", "memory:x", "sqlite", "sqlite:", "redis://127.0.0.1/0", "sqlite3:x"])
def test_any_other_is_an_error_that_names_those(url: str) -> None:
    with pytest.raises(StoreError, match=r"`memory:` and `sqlite:PATH`"):
        open_store(url)
