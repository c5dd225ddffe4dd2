"""Where a Redis store is: one server, one behind Sentinels, or a cluster.

    redis://HOST[:PORT][/DB]     redis+sentinel://HOST[:PORT],..../SERVICE[/DB]     redis+cluster://HOST[:PORT],....

`rediss` in the place of `redis` speaks TLS. Secrets are not written here but in files (`edge.redis`).
"""

import re
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address
from typing import Final

REDIS_PORT: Final = 6379
SENTINEL_PORT: Final = 26379
_WRITTEN: Final = re.compile(r"(rediss?)(\+sentinel|\+cluster)?://([^/@?#\s]+)((?:/[^/?#\s]*)*)")
_HOST: Final = re.compile(r"\[([0-9A-Fa-f:.%]+)\](?::(\d{1,5}))?|([A-Za-z0-9][A-Za-z0-9.-]*)(?::(\d{1,5}))?")
_SERVICE: Final = re.compile(r"[A-Za-z0-9._-]+")
MOST_HOSTS: Final = 64


class Kind(Enum):
    ONE = ""
    SENTINEL = "+sentinel"
    CLUSTER = "+cluster"


@dataclass(frozen=True, slots=True)
class RedisAt:
    kind: Kind
    tls: bool
    hosts: tuple[tuple[str, int], ...]
    """Servers; those of Sentinel for SENTINEL."""
    service: str
    """What the Sentinels call it; of SENTINEL."""
    database: int


def is_redis(url: str) -> bool:
    """Whether this means a Redis store, right or wrong."""
    return url.startswith("redis")


def redis_at(url: str) -> RedisAt:
    """What a URL says. Raises ValueError with what is wrong."""
    if "@" in url:
        raise ValueError("user and password stand in edge.redis (user, password_file)")
    written = _WRITTEN.fullmatch(url)
    if written is None:
        raise ValueError("not a URL of a Redis store")
    kind = Kind(written[2] or "")
    port = SENTINEL_PORT if kind is Kind.SENTINEL else REDIS_PORT
    hosts = tuple(_host(host, port) for host in written[3].split(","))
    if len(hosts) > (1 if kind is Kind.ONE else MOST_HOSTS):
        raise ValueError("too many hosts")
    path = [part for part in written[4].split("/") if part]
    service = ""
    if kind is Kind.SENTINEL:
        if not path or not _SERVICE.fullmatch(path[0]):
            raise ValueError("what the Sentinels call the service is missing")
        service = path.pop(0)
    if kind is Kind.CLUSTER and path:
        raise ValueError("a cluster has one database")
    if len(path) > 1 or (path and not path[0].isdecimal()):
        raise ValueError("the database is a number")
    return RedisAt(kind, written[1] == "rediss", hosts, service, int(path[0]) if path else 0)


def _host(written: str, default: int) -> tuple[str, int]:
    match = _HOST.fullmatch(written)
    if match is None:
        raise ValueError(f"not a host: {written}")
    host, port = match[1] or match[3], match[2] or match[4]
    if match[1]:
        ip_address(host.partition("%")[0])
    if port is not None and not 0 < int(port) < 65536:
        raise ValueError(f"not a port: {port}")
    return host, int(port) if port else default
