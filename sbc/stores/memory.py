"""A store for edges whose sessions need not outlive the process: bindings for the compare-and-set, and nothing else."""

from collections.abc import Callable, Sequence

from sbc.model.binding import Binding, Checkpoint
from sbc.model.errors import Conflict, StoreError
from sbc.model.identity import Revocation, Revoked
from sbc.model.ids import SessionId
from sbc.model.interfaces import Journals, Stored


class MemoryStore:
    """Answers at once. Holds one number for each live dialog; how many those are is bounded by admission."""

    durable = False
    passed_on = ""

    def __init__(self) -> None:
        self._epochs: dict[SessionId, int] = {}

    async def open(self) -> Sequence[Stored]:
        """Nothing is ever on record."""
        self._epochs.clear()
        return ()

    async def close(self) -> None:
        """Forget everything."""
        self._epochs.clear()

    def create(self, stored: Stored, done: Callable[[Exception | None], None]) -> None:
        """See Store."""
        binding = stored.binding
        if binding.session in self._epochs:
            done(Conflict(f"session {binding.session} is on record already"))
            return
        self._epochs[binding.session] = binding.epoch
        done(None)

    def rebind(self, binding: Binding, expected: int, done: Callable[[Exception | None], None]) -> None:
        """See Store."""
        if self._epochs.get(binding.session) != expected:
            done(Conflict(f"session {binding.session} is not at epoch {expected}"))
            return
        self._epochs[binding.session] = binding.epoch
        done(None)

    def checkpoint(self, session: SessionId, checkpoint: Checkpoint) -> None:
        """The live dialog has it; nobody else will ask."""

    def journal(self, session: SessionId, from_client: bool, first: int, messages: Sequence[bytes],
                done: Callable[[Exception | None], None] | None = None) -> None:  # fmt: skip
        """The live dialog has them; nobody else will ask."""
        if done is not None:
            done(None)

    def forget_before(self, session: SessionId, from_client: bool, first: int) -> None:
        """Nothing was kept."""

    def learn(self, session: SessionId, learned: Sequence[tuple[str, str]],
              forgotten: Sequence[tuple[str, str]]) -> None:  # fmt: skip
        """The registry of the live dialogs has them; nobody else will ask."""

    def remember(self, session: SessionId, memory: str) -> None:
        """The live dialog has it; nobody else will ask."""

    async def journals(self, session: SessionId) -> Journals:
        """Raises StoreError: this store keeps none."""
        raise StoreError(f"no journal of session {session}: the store keeps none")

    async def revoke(self, revocation: Revocation) -> None:
        """The live table has it; nobody else will ask."""

    async def forgive(self, kind: Revoked, name: str) -> None:
        """The live table has forgotten it."""

    async def revocations(self) -> Sequence[Revocation]:
        """Nothing is ever on record."""
        return ()

    def remove(self, session: SessionId) -> None:
        """See Store."""
        self._epochs.pop(session, None)

    def healthy(self) -> bool:
        """Memory always works."""
        return True

    def adopt(self, stored: Stored) -> None:
        """See Store."""
        self._epochs[stored.binding.session] = stored.binding.epoch

    def forsake(self, session: SessionId) -> None:
        """See Store."""
        self._epochs.pop(session, None)

    async def on_record(self) -> Sequence[Stored]:
        """Nothing is ever on record."""
        return ()

    def succeeded(self) -> None:
        """Nothing is on record."""
