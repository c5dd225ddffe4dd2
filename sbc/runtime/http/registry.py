"""By which keys sessions made of exchanges are known: those a client sends, and those that answers brought."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from sbc.core.keys import LONGEST_KEY
from sbc.model.ids import AgentName, PrincipalId, SessionId
from sbc.protocols.protocol import Key

MOST_KEYS = 256
"""Keys of one session; of more the oldest are forgotten."""

Name = tuple[AgentName, PrincipalId, str, str]
"""One principal's keys are never another's, nor one agent's another's."""


class Known(Protocol):
    """A session, as far as it is known by keys."""

    @property
    def whose(self) -> tuple[AgentName, PrincipalId]: ...


S = TypeVar("S", bound=Known)


class Registry(Generic[S]):
    """Keys -> sessions."""

    def __init__(self) -> None:
        self._sessions: dict[Name, S] = {}
        self._names: dict[S, dict[Name, None]] = {}

    def known(self, agent: AgentName, principal: PrincipalId, kind: str, value: str) -> S | None:
        """The session that this one key leads to."""
        return self._sessions.get((agent, principal, kind, value))

    def find(self, agent: AgentName, principal: PrincipalId, keys: Iterable[Key]) -> S | None:
        """The session that the first of these keys leads to which leads to any."""
        for kind, value in keys:
            found = self._sessions.get((agent, principal, kind, value))
            if found is not None:
                return found
        return None

    def learn(self, session: S, keys: Sequence[Key]) -> tuple[list[Key], list[Key]]:
        """The session is known by these keys from here on. Which of them are new, and by which it is known no more."""
        agent, principal = session.whose
        names = self._names.setdefault(session, {})
        learned, forgotten = list[Key](), list[Key]()
        for key in keys:
            if len(key.value) > LONGEST_KEY:
                continue  # made by a node: no client could come back with it
            name = (agent, principal, key.kind, key.value)
            if name not in names or self._sessions.get(name) is not session:
                learned.append(key)
            self._sessions[name] = session
            names.pop(name, None)
            names[name] = None
        while len(names) > MOST_KEYS:
            oldest = next(iter(names))
            del names[oldest]
            if self._sessions.get(oldest) is session:
                del self._sessions[oldest]
                forgotten.append(Key(*oldest[2:]))
        return learned, forgotten

    def keys(self, session: S) -> list[Key]:
        """The keys that lead to the session, the oldest first."""
        return [Key(kind, value) for _, _, kind, value in self._names.get(session, ())]

    def knows(self, session: S) -> bool:
        """Whether any key leads to the session."""
        return session in self._names

    def forget(self, session: S) -> None:
        """The session is over."""
        for name in self._names.pop(session, {}):
            if self._sessions.get(name) is session:
                del self._sessions[name]


def session_id(agent: AgentName, principal: PrincipalId, key: Key) -> SessionId:
    """The id of a session that a client's own key names: the same after a restart of the edge."""
    return SessionId(hashlib.sha256(f"{agent}\n{principal}\n{key.kind}\n{key.value}".encode()).hexdigest()[:32])
