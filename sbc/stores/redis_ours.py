"""What a Redis store knows of this edge's sessions: which there are, and of which of them it was not told all."""

from collections.abc import Callable, Iterator

from sbc.model.errors import Conflict
from sbc.model.ids import SessionId

Done = Callable[[Exception | None], None]


class Ours:
    """The sessions of this edge that are on record."""

    def __init__(self) -> None:
        self.patchy: set[SessionId] = set()
        """Those of which the store was not told all, for it did not answer, or may have forgotten anything."""
        self.restating: dict[SessionId, Done] = {}
        """Those that are being stated anew, and who is told."""
        self._adopted: set[SessionId] = set()
        """Those of a predecessor's that the server has said nothing of yet."""
        self._touched: dict[SessionId, float] = {}
        """When each was touched last, the longest ago first."""
        self._awaited: dict[SessionId, list[Done]] = {}
        """Who waits until one that the store has forgotten is stated anew."""

    @property
    def whole(self) -> bool:
        """Whether the store was told all of each."""
        return not self.patchy and not self.restating

    def is_to_state(self, session: SessionId) -> bool:
        """Whether the server is to be told the session anew. Until then what it says of it means nothing: it may have
        been a replica that heard neither of our claim nor of our latest binding."""
        return session in self.restating or session in self.patchy

    def has(self, session: SessionId, now: float) -> None:
        """It is ours, and on record."""
        self._touched[session] = now

    def adopt(self, session: SessionId, now: float) -> None:
        """It was a predecessor's until now, on record at the server that this one was told of it."""
        self.has(session, now)
        self._adopted.add(session)

    def heard_of(self, session: SessionId, error: Exception | None) -> None:
        """The server has said how it stands with a binding. That another server took its place may have been noticed
        by the predecessor alone: of one that was adopted, the first conflict means that it is to be stated anew."""
        if session in self._adopted:
            self._adopted.discard(session)
            if isinstance(error, Conflict):
                self.patchy.add(session)

    def let_go(self, session: SessionId) -> None:
        """It is ours no more."""
        self._adopted.discard(session)
        self._touched.pop(session, None)
        self.restating.pop(session, None)
        self.patchy.discard(session)
        self._awaited.pop(session, None)

    def doubt_all(self) -> None:
        """The store may have forgotten anything."""
        self.patchy.update(self._touched)

    def to_touch(self, now: float, longest: float) -> Iterator[SessionId]:
        """Those that were touched so long ago, in seconds; they are touched now."""
        while self._touched:
            session, touched = next(iter(self._touched.items()))
            if now - touched < longest:
                break
            del self._touched[session]
            self._touched[session] = now
            yield session

    def wait(self, session: SessionId, done: Done) -> None:
        """Tell `done` once it is stated anew."""
        self._awaited.setdefault(session, []).append(done)

    def stated(self, session: SessionId, error: Exception | None, now: float) -> None:
        """It was stated anew, or could not be. A Conflict: it is another edge's."""
        told = self.restating.pop(session, None)
        if told is None:
            return
        if error is None or isinstance(error, Conflict):
            self.has(session, now)
            for done in (told, *self._awaited.pop(session, ())):
                done(error)
        else:
            self.patchy.add(session)
