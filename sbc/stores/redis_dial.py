"""How a connection to a Redis server comes about, and on which terms."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio.connection import Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError

from sbc.config.store_url import RedisAt

FAULTS: Final = (RedisError, RedisClusterException, OSError, TimeoutError)
"""What a connection raises if it does not work: it is to be closed then."""
NEVER: Final = Retry(NoBackoff(), 0)
"""The library is to try nothing again by itself."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a store is reached."""

    at: RedisAt
    patience: float
    """Seconds without a word from a server that was asked something, and for a connection to be made."""
    user: str | None = None
    password: str | None = None
    sentinel_password: str | None = None
    ca: str | None = None
    """File of the certificates that the server's is judged by; None: those of the system."""
    certificate: tuple[str, str] | None = None
    """Files of what we show: certificate and key."""

    def options(self) -> dict[str, Any]:
        """Those of a connection to a server."""
        return {"username": self.user, "password": self.password, "protocol": 2, "client_name": "sbc",
                "socket_connect_timeout": self.patience, **self.tls()}

    def tls(self) -> dict[str, Any]:
        if not self.at.tls:
            return {}
        cert, key = self.certificate or (None, None)
        return {"ssl_ca_certs": self.ca, "ssl_certfile": cert, "ssl_keyfile": key, "ssl_check_hostname": True}


async def connected(terms: Terms, where: tuple[str, int]) -> Connection:
    """A connection to the server there (host, port). Raises one of FAULTS."""
    kind = SSLConnection if terms.at.tls else Connection
    connection = kind(host=where[0], port=where[1], db=terms.at.database, retry=NEVER, socket_timeout=None,
                      **terms.options())
    async with asyncio.timeout(2 * terms.patience):
        await connection.connect()  # type: ignore[no-untyped-call]
    return connection


async def listening(terms: Terms, where: tuple[str, int], channels: Sequence[str]) -> Connection:
    """One on which the messages of channels come. Raises one of FAULTS."""
    connection = await connected(terms, where)
    async with asyncio.timeout(terms.patience):
        await connection.send_command("SUBSCRIBE", *channels)
        for _ in channels:
            await connection.read_response()
    return connection
