"""The authorities of all policies, and the files that their issuers' keys come from: read, and read again if changed.

A file that cannot be read for a while, or is half written, takes no key away: the ones that were read last stay.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from joserfc.jwk import KeySet

from sbc.core.authority import Authority
from sbc.core.tokens import Tokens, key_set
from sbc.model.policy import Policy

LONGEST_JWKS = 1024 * 1024
"""Bytes of a file with keys."""

Stamp = tuple[int, int, int]


@dataclass(slots=True)
class _Watched:
    path: Path
    tokens: Tokens
    stamp: Stamp | None
    """Of the file as it was read last, well or not; None: it could not be looked at."""


class Authorities:
    """Who may come in, by policy."""

    __slots__ = ("_by_policy", "_watched")

    def __init__(self, policies: Mapping[str, Policy]) -> None:
        """Raises OSError if the keys of an issuer cannot be read."""
        self._watched: list[_Watched] = []
        self._by_policy: dict[str, Authority] = {}
        for name, policy in policies.items():
            if policy.auth is None:
                continue
            tokens = None
            if policy.auth.jwt is not None:
                path = Path(policy.auth.jwt.jwks)
                stamp = _stamp(path)
                tokens = Tokens(policy.auth.jwt, _keys(path))
                self._watched.append(_Watched(path, tokens, stamp))
            self._by_policy[name] = Authority(name, policy.auth, tokens)

    def of(self, policy: str) -> Authority | None:
        """Who says who a client is; None: nobody is asked."""
        return self._by_policy.get(policy)

    def look(self) -> list[str]:
        """Read the files again that have changed; the answer says which could not be taken, once for each change."""
        faults = []
        for watched in self._watched:
            stamp = _stamp(watched.path)
            if stamp == watched.stamp:
                continue
            watched.stamp = stamp
            try:
                watched.tokens.replace_keys(_keys(watched.path))
            except OSError as error:
                faults.append(str(error))
        return faults


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _keys(path: Path) -> KeySet:
    with path.open("rb") as file:
        text = file.read(LONGEST_JWKS + 1)
    if len(text) > LONGEST_JWKS:
        raise OSError(f"{path}: more than {LONGEST_JWKS} bytes")
    try:
        return key_set(text)
    except ValueError as error:
        raise OSError(f"{path}: {error}") from None
