"""From the `edge` section of the configuration to a Store."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from sbc.config.model import Edge, Redis
from sbc.config.store_url import is_redis, redis_at
from sbc.model.errors import StoreError
from sbc.model.interfaces import Spawn, Store
from sbc.stores.memory import MemoryStore
from sbc.stores.queue import Bounds
from sbc.stores.redis import RedisStore
from sbc.stores.redis_dial import Terms
from sbc.stores.sqlite import SqliteStore

BOUNDS: Final = Bounds(operations=10_000, journal_bytes=32 * 1024 * 1024, interval=0.003, patience=10.0)


def open_store(edge: Edge, spawn: Spawn, beside: str = "") -> Store:
    """The store of an edge, yet to be opened: `await open()`. Paths are relative to the working directory. beside: what
    a predecessor says that has it open too (Store.passed_on); empty: there is none.

    Raises StoreError: no such store, or a file with a password cannot be read.
    """
    scheme, colon, rest = edge.store.partition(":")
    match scheme, colon, rest:
        case "memory", ":", "":
            return MemoryStore()
        case "sqlite", ":", path if path:
            return SqliteStore(Path(path), BOUNDS, beside)
        case _ if is_redis(edge.store):
            # What a reader of the store has missed is told to it anew: nothing has to wait long for the server.
            bounds = replace(BOUNDS, patience=2 * edge.redis.patience)
            terms = _terms(edge.store, edge.redis)
            return RedisStore(edge.store, edge.name, terms, edge.redis.lease, bounds, spawn, beside)
        case _:
            raise StoreError(f"no such store: {edge.store!r}; there are `memory:`, `sqlite:PATH` and `redis://HOST:PORT`")


def _terms(url: str, redis: Redis) -> Terms:
    try:
        at = redis_at(url)
    except ValueError as error:
        raise StoreError(f"{url}: {error}") from None
    certificate = (redis.cert, redis.key) if redis.cert is not None and redis.key is not None else None
    return Terms(at, redis.patience, redis.user, _secret(redis.password_file), _secret(redis.sentinel_password_file),
                 redis.ca, certificate)


def _secret(file: str | None) -> str | None:
    if file is None:
        return None
    try:
        return Path(file).read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise StoreError(f"{file}: {error}") from None
