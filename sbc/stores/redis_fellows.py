"""What the edges of one Redis store know of one another: who there is, and which nodes have a trunk to whom."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sbc.model.fellow import Fellow
from sbc.stores.queued import QueuedStore
from sbc.stores.shared import Muster, ReadEdges, ReadMembers


class FellowStore(QueuedStore):
    """See SharedStore."""

    async def edges(self) -> Sequence[Fellow]:
        """See SharedStore."""
        return await self.asked(ReadEdges)

    async def muster(self, members: Sequence[Mapping[str, Any]]) -> None:
        """See SharedStore."""
        await self.asked(partial(Muster, members))

    async def members(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """See SharedStore."""
        found: Mapping[str, Sequence[Mapping[str, Any]]] = await self.asked(ReadMembers)
        return found
