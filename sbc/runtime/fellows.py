"""The other edges of the same store: what this one says to them of itself, and who they are.

Nodes are told of them, so that each has a trunk to every edge that may have to go on with its sessions.
"""

from collections.abc import Callable, Mapping, Sequence

from sbc.model.errors import StoreError
from sbc.model.fellow import Fellow
from sbc.model.interfaces import SharedStore, Spawn


class Fellows:
    """Asks the store each second, and tells whoever has to know of a change."""

    def __init__(self, store: SharedStore, spawn: Spawn, changed: Callable[[Sequence[Fellow]], None]) -> None:
        self.edges: Sequence[Fellow] = ()
        """Those that had a lease when the store was asked last, this one among them, by name."""
        self._store = store
        self._spawn = spawn
        self._changed = changed
        self._asking = False

    def introduce(self, words: Mapping[str, str | None]) -> None:
        """Say this of ourselves, as far as there is anything to say."""
        self._store.introduce({name: said for name, said in words.items() if said is not None})

    def look(self) -> None:
        """Ask who is there."""
        if not self._asking:
            self._asking = True
            self._spawn("edges", self._look())

    async def _look(self) -> None:
        try:
            found = sorted(await self._store.edges(), key=lambda fellow: fellow.name)
        except StoreError:
            return  # readiness tells of it; who was there is dialled as before
        finally:
            self._asking = False
        if found != self.edges:
            self.edges = found
            self._changed(found)
