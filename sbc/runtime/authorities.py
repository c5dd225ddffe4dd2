"""The authorities of all policies, and the sources that their issuers' keys come from (runtime/keysources.py)."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from sbc.core.authority import Authority
from sbc.core.tokens import Tokens
from sbc.model.identity import Jwt
from sbc.model.interfaces import Spawn
from sbc.model.policy import Policy
from sbc.runtime.keysources import Complain, FileSource, KeySource, UrlSource

Where = tuple[str, str | None, float, float]
"""What makes a source: policies that say the same share it."""


class Authorities:
    """Who may come in, by policy."""

    __slots__ = ("_by_policy", "_seen", "sources")

    def __init__(self, policies: Mapping[str, Policy], former: "Authorities | None" = None) -> None:
        """former: those that these replace: what was fetched for them is not fetched again.

        Raises OSError or ssl.SSLError if keys in a file, or the authorities of a URL, cannot be read."""
        self.sources: dict[Where, KeySource] = {}
        self._by_policy: dict[str, Authority] = {}
        for name, policy in policies.items():
            if policy.auth is not None:
                jwt = policy.auth.jwt
                tokens = None if jwt is None else Tokens(jwt, self._source(jwt, former))
                self._by_policy[name] = Authority(name, policy.auth, tokens)
        self._seen = [source.current for source in self.sources.values()]

    def _source(self, jwt: Jwt, former: "Authorities | None") -> KeySource:
        where = (jwt.jwks, jwt.jwks_ca, jwt.jwks_refresh, jwt.jwks_keep)
        known = self.sources.get(where)
        if known is None and former is not None and jwt.published:
            known = former.sources.get(where)
        if known is None:
            known = UrlSource(jwt, time.monotonic) if jwt.published else FileSource(Path(jwt.jwks))
        self.sources[where] = known
        return known

    def of(self, policy: str) -> Authority | None:
        """Who says who a client is; None: nobody is asked."""
        return self._by_policy.get(policy)

    def look(self, spawn: Spawn, complain: Complain) -> bool:
        """Have each source look whether there is something new; whether there was since the last time."""
        for source in self.sources.values():
            source.look(spawn, complain)
        seen, self._seen = self._seen, [source.current for source in self.sources.values()]
        return any(one is not other for one, other in zip(seen, self._seen, strict=True))

    async def complete(self) -> None:
        """Fetch what never was. Raises OSError if one of them cannot be fetched."""
        await asyncio.gather(*(source.fetch() for source in self._waited_for()))

    @property
    def incomplete(self) -> bool:
        """Whether there are keys that were never fetched."""
        return any(True for _ in self._waited_for())

    def _waited_for(self) -> Iterator[UrlSource]:
        for source in self.sources.values():
            if isinstance(source, UrlSource) and source.age == float("inf"):
                yield source

    @property
    def ages(self) -> dict[str, float]:
        """By URL: for how many seconds its keys have not been fetched."""
        return {where[0]: source.age for where, source in self.sources.items() if source.fetches}
