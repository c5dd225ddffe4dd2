"""The seam between the operators' door and the hall."""

from collections.abc import Callable
from typing import Any, Protocol

from sbc.model.identity import Revoked


class Operations(Protocol):
    """What operators may ask of the running edge: the admin API (admin/api.py) is a thin skin over this.

    Rows are plain JSON values. A request that cannot be done raises Refusal with the honest status.
    """

    async def sessions(self, *, state: str | None, agent: str | None, node: str | None, continuity: str | None,
                       limit: int, after: str | None) -> list[dict[str, Any]]:
        """Dialogs in the order of their ids, from the one behind `after`."""

    async def session(self, session: str) -> dict[str, Any]:
        """One dialog, whole. Raises Refusal 404."""

    async def migrate(self, session: str, to: str | None) -> dict[str, Any]:
        """Order a planned move, to the node named or to the best other one. Raises Refusal 404, 409 or 503."""

    async def end(self, session: str) -> dict[str, Any]:
        """End a session. Raises Refusal 404."""

    async def revoke(self, kind: Revoked, name: str, lasts: float) -> dict[str, Any]:
        """Have a principal, a token or a session be good no more, for so many seconds. Raises Refusal 409 (too many)
        and StoreError: it is in force, but not on record."""

    async def forgive(self, kind: Revoked, name: str) -> dict[str, Any]:
        """Take a revocation back. Raises Refusal 404, and StoreError: it will be in force after a restart."""

    async def revocations(self) -> list[dict[str, Any]]:
        """Those in force, the oldest first."""

    async def edges(self) -> list[dict[str, Any]]:
        """The edges of the same store, this one among them, by name."""

    async def nodes(self) -> list[dict[str, Any]]:
        """All nodes with state, load and trunk."""

    async def drain(self, node: str) -> dict[str, Any]:
        """Give a node no more sessions and move those it has. `pool/name` or a unique name; Refusal 404, 409."""

    async def undrain(self, node: str) -> dict[str, Any]:
        """Let a node have sessions again."""

    async def abuse(self, limit: int) -> list[dict[str, Any]]:
        """The sources that misbehaved lately, the worst first."""

    async def pardon(self, source: str) -> dict[str, Any]:
        """Forget what a source did. Raises Refusal 404."""

    async def upgrade(self) -> dict[str, Any]:
        """Have a new process of the program as it is installed now take this one's place: which. Raises Refusal 409
        (one is under way) and 503: it could not, and nothing has changed."""

    async def reload(self) -> dict[str, Any]:
        """Read the configuration again; whole or not at all. Raises ConfigError."""

    async def config(self) -> dict[str, Any]:
        """The configuration in force, secrets redacted."""

    async def depart(self, settle: float) -> dict[str, Any]:
        """Say that the edge is not ready, and in so many seconds send its clients away; asked again: how far it is."""

    async def unready(self) -> str | None:
        """Why the edge is not ready for clients; None if it is."""

    def listen(self, listener: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
        """Have `listener` told of every event of `GET /api/v1/events`; the answer takes it off again."""
