"""The seams between the floors: what the hall may ask of the doors."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from sbc.model.binding import Binding, Checkpoint
from sbc.model.fellow import Fellow
from sbc.model.http import Request
from sbc.model.identity import Revocation, Revoked
from sbc.model.ids import AgentName, NodeId, PrincipalId, SessionId
from sbc.model.streams import Asker, ClientStream


@dataclass(frozen=True, slots=True)
class Stored:
    """A dialog as a store gives it back after the edge was started again."""

    binding: Binding
    agent: AgentName
    route: str
    """Which route of the configuration opened it: the route's agent and path."""
    principal: PrincipalId
    created: float
    """Wall-clock seconds."""
    checkpoint: Checkpoint | None
    keys: Sequence[tuple[str, str]] = ()
    """By what else than its id it is known, the oldest first: kind and value (protocols/protocol.py, Key)."""


@dataclass(frozen=True, slots=True)
class Journals:
    """What a store kept of a dialog's messages: the sequence number of the first, and the messages as on the wire."""

    from_client: tuple[int, Sequence[bytes]]
    from_node: tuple[int, Sequence[bytes]]
    memory: str = ""
    """What its protocol has to remember of it."""


class Store(Protocol):
    """Bindings, checkpoints and journals. One interface, one conformance suite (tests/stores).

    Every method may be called from the event loop only, and none of them blocks it.
    """

    durable: bool
    """Whether it outlives the process: if not, journals are not offered to it."""

    async def open(self) -> Sequence[Stored]:
        """Make ready, and give back the dialogs that are on record. Raises StoreError."""

    async def close(self) -> None:
        """Write what is outstanding, and let go."""

    def create(self, stored: Stored, done: Callable[[Exception | None], None]) -> None:
        """Put a new dialog on record. `done(None)`, or `done(Conflict)` if the session is on record already."""

    def rebind(self, binding: Binding, expected: int, done: Callable[[Exception | None], None]) -> None:
        """Replace the binding if its epoch is `expected`: `done(None)`, else `done(Conflict)`; StoreError on faults.

        `done` may be called before this returns; a durable store calls it once the change is on disk.
        """

    def checkpoint(self, session: SessionId, checkpoint: Checkpoint) -> None:
        """Keep the newest checkpoint, and drop client messages that it covers."""

    def journal(self, session: SessionId, from_client: bool, first: int, messages: Sequence[bytes],
                done: Callable[[Exception | None], None] | None = None) -> None:  # fmt: skip
        """Keep messages `first`, `first + 1`, ... of one direction.

        `done(None)` once they are where neither the death of this process nor a power cut reaches them, as far as that
        is the store's to say; a Conflict if the session is not ours any more; StoreError if they could not be kept.
        """

    def forget_before(self, session: SessionId, from_client: bool, first: int) -> None:
        """Messages before `first` of one direction are no longer in the journal."""

    def learn(self, session: SessionId, learned: Sequence[tuple[str, str]],
              forgotten: Sequence[tuple[str, str]]) -> None:  # fmt: skip
        """A dialog of exchanges is known by further keys, and by these others no longer. How many there may be is
        seen to by whoever asks."""

    def remember(self, session: SessionId, memory: str) -> None:
        """Keep what the protocol of a dialog has to remember, in the place of what it had to before."""

    async def journals(self, session: SessionId) -> Journals:
        """The messages on record, and the protocol's memory. Raises StoreError."""

    def remove(self, session: SessionId) -> None:
        """The dialog is over."""

    async def revoke(self, revocation: Revocation) -> None:
        """Keep a revocation until its time is over, in the place of one that names the same. Raises StoreError."""

    async def forgive(self, kind: Revoked, name: str) -> None:
        """It is on record no more. Raises StoreError."""

    async def revocations(self) -> Sequence[Revocation]:
        """Those on record whose time is not over, the oldest first. Raises StoreError."""

    def healthy(self) -> bool:
        """Whether the last thing asked of it worked (/readyz)."""

    # A process and its successor (runtime/succession) have the store open at the same time, and each session is in one
    # of them.

    @property
    def passed_on(self) -> str:
        """What a successor has to know to open it beside this process."""

    def adopt(self, stored: Stored) -> None:
        """A session of the predecessor's is ours from here on; it stays on record."""

    def forsake(self, session: SessionId) -> None:
        """A session is the successor's from here on; it stays on record."""

    async def on_record(self) -> Sequence[Stored]:
        """The sessions of a predecessor that has ended without handing all of them over, among those that are in this
        process; () where each is claimed when its client comes. Raises StoreError: also as long as it has not ended."""

    def succeeded(self) -> None:
        """All that is ours is the successor's from here on, and not given up when the store is closed."""


class Keeper(Protocol):
    """What a store that edges share tells the hall."""

    def lost(self, session: SessionId) -> bool:
        """The store has forgotten the session, or some of it: restate it, if it is ours. Whether it is."""

    def taken(self, session: SessionId) -> None:
        """Another edge has the session: let go of it."""

    def wanted(self, session: SessionId) -> None:
        """The client of the session is at another edge: let go of it, and release it."""

    def fenced(self) -> None:
        """The lease of this edge is over: let go of all sessions, before others have them."""

    def announce(self, event: str, fields: Mapping[str, Any]) -> None:
        """Operators should know."""


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """How a store that edges share stands, for metrics."""

    lease: float = 0.0
    """For how many seconds this edge may own sessions without reaching the store again."""
    dropped: int = 0
    """What the store was not told in time, and was told later as a whole."""
    fenced: int = 0
    """How often the lease was over before the store was reached."""
    claims: Mapping[str, int] = field(default_factory=dict)
    """Claims to sessions of other edges, by how they ended."""


@runtime_checkable
class SharedStore(Store, Protocol):
    """A store that several edges share. Each has a lease, and owns its sessions no longer than that."""

    def watch(self, keeper: Keeper) -> None:
        """Tell this one what happens; before `open`."""

    def listen(self, ordered: Callable[[], None]) -> None:
        """Call this whenever another edge may have revoked something, or taken that back."""

    async def words(self) -> Sequence[Revocation]:
        """The revocations on record, and those that were taken back lately. Raises StoreError."""

    def introduce(self, words: Mapping[str, str]) -> None:
        """Tell other edges this of ours: with the lease, and each time it is renewed."""

    async def edges(self) -> Sequence[Fellow]:
        """Those that have a lease, this one among them. Raises StoreError."""

    async def muster(self, members: Sequence[Mapping[str, Any]]) -> None:
        """Tell other edges which nodes have a trunk to this one; again within minutes. Raises StoreError."""

    async def members(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """The nodes of all edges, by the names of these. Raises StoreError."""

    def first_epoch(self) -> int:
        """An epoch above any that a session which the store has lost may have had."""

    async def holder(self, session: SessionId) -> str | None:
        """The name of the other edge that has a session now; None: nobody has it who is known to live. Raises
        StoreError."""

    async def claim(self, session: SessionId, *, living: bool = True) -> tuple[Stored, Journals] | None:
        """Take a session over that no living edge has, or whose edge lets go of it. None: there is none of this name.

        living: whether a living edge is asked to let go of it; else Conflict says that there is one. Raises StoreError:
        another edge keeps it, or nobody knows at the moment.
        """

    async def find(self, agent: AgentName, principal: PrincipalId, key: tuple[str, str]) -> SessionId | None:
        """The session that a key leads to. Raises StoreError."""

    def restate(self, stored: Stored, journals: Journals, done: Callable[[Exception | None], None]) -> None:
        """All that is known of a live session, in the place of what the store has. `done(Conflict)`: another has it."""

    def release(self, session: SessionId) -> None:
        """Another edge may have the session from here on."""

    async def hold(self, address: str, number: int, lease: float) -> int:
        """Have an address that edges share for so many seconds from now on: keep it, if it is ours under `number`, or
        take it (0) if it is free. The number under which it is ours; 0: another edge has it. Raises StoreError."""

    def vacate(self, address: str, number: int) -> None:
        """Others may have an address, if it is still ours under this number."""

    def figures(self) -> StoreFigures:
        """How it stands."""


class TrunkListener(Protocol):
    """What a trunk (nodes/trunk.py) tells the hall. The trunk has checked the form of every message, not its truth."""

    def registered(self, trunk: "Trunk", message: Mapping[str, Any]) -> float:
        """A node has introduced itself; the answer is how often it shall send a heartbeat, in seconds.

        Raises Refusal if the node may not join.
        """

    def heard(self, trunk: "Trunk", message: Mapping[str, Any]) -> None:
        """Any further message of a registered node: heartbeat, accept, decline, checkpoint, drain, bye, journal."""

    def lost(self, trunk: "Trunk") -> None:
        """The trunk is closed."""


class Trunk(Protocol):
    """The signalling channel to one node."""

    node: NodeId

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message; bounded: a node that does not read its trunk loses it."""

    def close(self, reason: str) -> None:
        """Close the channel."""


ProbeResult = Callable[[NodeId, bool, str, float], None]
"""Told after each probe: the node, whether it lives, why not, and the round trip in seconds."""

Spawn = Callable[[str, Awaitable[None]], None]
"""Starts a named task under the hall's supervision (runtime/tasks.py)."""


class Reception(Protocol):
    """What a listener tells the hall."""

    def arrived(self) -> bool:
        """A client stands on the doorstep; False: there are too many connections, it is to be turned away."""

    def departed(self) -> None:
        """A client has left the doorstep: admitted, refused or gone."""

    def limits(self) -> tuple[int, int, float]:
        """What holds before a route is known: bytes of a request head, header fields, seconds for a head."""

    def greet(self, doorstep: Any, hello: Any, octets: int) -> None:
        """A client's hello, with the size of its head in bytes. Raises Refusal."""

    def request(self, stream: ClientStream, request: Request, octets: int) -> Asker:
        """A client's request, with the size of its head in bytes: who is told what becomes of it on the client's side.

        Orders to the stream may come before this returns. Never raises: a refusal is an answer like another.
        """

    def refused(self, refusal: Any, hello: Any) -> None:
        """A client was turned away: to be counted, and logged."""

    def abused(self, kind: str, client: str, listener: str) -> None:
        """A connection was ended for a flood or a broken protocol. kind: a word of the edge's own. client: its
        address; empty: that may be forged."""

    @property
    def wary(self) -> bool:
        """Whether there is anybody who is not let in."""

    def bars(self, client: str, listener: str, *, proven: bool = True) -> bool:
        """Whether this client, by its address, is not let in; that is counted. proven: whether it is known to be
        there."""
