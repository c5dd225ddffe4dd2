"""How tests reach their Redis servers."""

from sbc.config.store_url import redis_at
from sbc.stores.redis_dial import Terms


def terms(url: str, patience: float = 1.0) -> Terms:
    return Terms(redis_at(url), patience)
