"""Where issuers' keys come from: a file that is looked at each second, or a URL that is asked now and then.

Neither takes keys away by not being there: the ones that were read last stay, those of a file for good, those of a URL
for as long as its policy says. `look` is called each second and says whether anything has changed.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Final

from joserfc.jwk import KeySet

from sbc.issuers import LONGEST_JWKS, fetch, read, trusted
from sbc.model.identity import Jwt
from sbc.model.interfaces import Spawn

PAUSE: Final = 10.0
"""The least time between two fetches, in seconds, however many tokens name keys that nobody knows."""

FIRST_PAUSE: Final = 1.0
"""The same until there was an answer for the first time: the edge is not ready before."""

Stamp = tuple[int, int, int]
Complain = Callable[[str], None]
"""Told why keys could not be taken, once for each time that they cannot."""


class FileSource:
    """Keys in a file. Implements Keys."""

    __slots__ = ("_path", "_stamp", "current")

    fetches = False
    age = 0.0

    def __init__(self, path: Path) -> None:
        """Raises OSError if they cannot be read."""
        self._path = path
        self._stamp = _stamp(path)
        self.current: KeySet | None = _read(path)

    def missed(self) -> bool:
        return False

    def look(self, spawn: Spawn, complain: Complain) -> None:
        """Read the file again if it has changed."""
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self.current = _read(self._path)
        except OSError as error:
            complain(str(error))


class UrlSource:
    """Keys at a URL. Implements Keys."""

    __slots__ = (
        "_busy",
        "_clock",
        "_failing",
        "_fetched",
        "_keep",
        "_refresh",
        "_tried",
        "_trust",
        "_url",
        "_wanted",
        "current",
    )  # fmt: skip

    fetches = True

    def __init__(self, jwt: Jwt, clock: Callable[[], float]) -> None:
        """Raises OSError or ssl.SSLError if the authorities that vouch for it cannot be read."""
        self._url = jwt.jwks
        self._trust = trusted(jwt.jwks_ca)
        self._refresh, self._keep = jwt.jwks_refresh, jwt.jwks_keep
        self._clock = clock
        self._fetched = self._tried = -math.inf
        self._busy = self._wanted = self._failing = False
        self.current: KeySet | None = None
        """None: they were never fetched, or not for too long."""

    @property
    def age(self) -> float:
        """For how many seconds they have not been fetched; infinite: they never were."""
        return self._clock() - self._fetched

    def missed(self) -> bool:
        # A token names a key that is not here: it is made up, or the issuer has a new one. The next look fetches.
        self._wanted = self._busy or self._clock() - self._tried >= PAUSE
        return self._wanted

    def look(self, spawn: Spawn, complain: Complain) -> None:
        """Begin to fetch if it is time, and let go of what is too old."""
        if self.current is not None and self.age > self._keep:
            self.current = None
        due = self._wanted or self._failing or self.age >= self._refresh
        pause = FIRST_PAUSE if self._fetched == -math.inf else PAUSE
        if due and not self._busy and self._clock() - self._tried >= pause:
            self._busy = True
            spawn("jwks", self._fetch_quietly(complain))

    async def _fetch_quietly(self, complain: Complain) -> None:
        known_to_fail = self._failing
        try:
            await self.fetch()
        except OSError as error:
            if not known_to_fail:
                complain(str(error))

    async def fetch(self) -> None:
        """Fetch them now. Raises OSError; what was fetched before stays then."""
        self._busy, self._tried = True, self._clock()
        try:
            fresh = await fetch(self._url, self._trust)
            self._failing, self._fetched = False, self._clock()
            if self.current is None or _said(fresh) != _said(self.current):
                self.current = fresh
        except OSError:
            self._failing = True
            raise
        finally:
            self._busy = self._wanted = False


KeySource = FileSource | UrlSource


def _said(keys: KeySet) -> list[tuple[str | None, str]]:
    return [(key.kid, key.thumbprint()) for key in keys.keys]


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(path: Path) -> KeySet:
    with path.open("rb") as file:
        return read(file.read(LONGEST_JWKS + 1), str(path))
