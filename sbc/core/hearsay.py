"""What an edge knows of revocations and drains, against what the store has that it shares with others.

Of two words on the same thing the later one counts, also where one of them takes the other back. What the store does
not have and nobody took back it has lost, in a restart or a failover: it is told again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sbc.model.identity import Revocation, Revoked

Key = tuple[Revoked, str]


@dataclass(frozen=True, slots=True)
class Hearsay:
    """What is to be done about the differences."""

    revoke: tuple[Revocation, ...]
    """Others have said so."""
    forgive: tuple[Revocation, ...]
    """Others have taken these of ours back."""
    restate: tuple[Revocation, ...]
    """The store does not know."""


def compare(here: Mapping[Key, Revocation], there: Iterable[Revocation]) -> Hearsay:
    """here: what is in force at this edge; there: what the store has, with what was taken back (`until` 0)."""
    revoke, forgive, known = list[Revocation](), list[Revocation](), set[Key]()
    for word in there:
        key = (word.kind, word.name)
        ours = here.get(key)
        if ours is None or word.since >= ours.since:
            known.add(key)
        if word.until > word.since and (ours is None or word.since > ours.since):
            revoke.append(word)
        elif word.until <= word.since and ours is not None and word.since >= ours.since:
            forgive.append(ours)
    return Hearsay(tuple(revoke), tuple(forgive), tuple(one for key, one in here.items() if key not in known))
