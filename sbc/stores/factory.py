"""From the `edge.store` of the configuration to a Store."""

from pathlib import Path
from typing import Final

from sbc.model.errors import StoreError
from sbc.model.interfaces import Store
from sbc.stores.memory import MemoryStore
from sbc.stores.queued import Bounds
from sbc.stores.sqlite import SqliteStore

BOUNDS: Final = Bounds(operations=10_000, journal_bytes=32 * 1024 * 1024, interval=0.003, patience=10.0)


def open_store(url: str, bounds: Bounds = BOUNDS) -> Store:
    """The store of `memory:` or `sqlite:PATH` (relative to the working directory), yet to be opened: `await open()`.

    Raises StoreError for any other URL.
    """
    scheme, colon, rest = url.partition(":")
    match scheme, colon, rest:
        case "memory", ":", "":
            return MemoryStore()
        case "sqlite", ":", path if path:
            return SqliteStore(Path(path), bounds)
        case _:
            raise StoreError(f"no such store: {url!r}; there are `memory:` and `sqlite:PATH`")
