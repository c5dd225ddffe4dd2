"""Whose a datagram is, among the processes of one edge: workers beside each other, and a predecessor.

    read here ──our connection's──> it                                             (transports/quic/door.py)
       ├─ an id that another worker has told us of ──> that worker
       ├─ unknown, and no beginning, while there is a predecessor ──> the predecessor
       └─ else ──> a stranger of ours
    passed on to us ──our connection's──> it
       ├─ by our successor, an id that another worker has told us of ──> that worker
       └─ else: nothing

The kernel has a datagram read by the worker that its id names (steering.py); for the ids of a connection that name
another worker, that one is told whose they are. It remembers no more than MOST_IDS: of what it has forgotten, or was
not told in time, the client hears nothing, and goes on with an id that is known.
"""

from collections.abc import Iterable, Mapping, Sequence
from socket import socket
from typing import Final, Protocol

from sbc.model.worker import Worker
from sbc.telemetry.metrics import QuicTally
from sbc.transports.quic.passing import Kind, Parcel, WayIn, WayOut, ids_in, ids_out
from sbc.transports.quic.steering import reader
from sbc.transports.quic.udp import Local
from sbc.wire.http3.engine import Address

MOST_IDS: Final = 200_000
"""Of other workers' connections: some 30 MB."""
_AT_A_TIME: Final = 64
_LONG, _TYPE, _HANDSHAKE_OR_EARLY = 0x80, 0x30, (0x10, 0x20)
"""The form of a header, its type, and those types (RFC 9000 section 17.2)."""

Id = tuple[str, bytes]
"""A listener, and an id of a connection there."""


class Door(Protocol):
    """What serves QUIC on a port."""

    @property
    def ids(self) -> list[bytes]: ...

    def passed(self, datagram: bytes, source: Address, local: Local) -> bool: ...

    def worked(self) -> None: ...


class Served(Protocol):
    """A listener."""

    @property
    def quic_doors(self) -> Sequence[Door]: ...


class Sorting:
    """Implements Others."""

    def __init__(self, worker: Worker, listeners: Mapping[str, Served], tally: QuicTally) -> None:
        """worker: this one. listeners: by name, as they come and go."""
        self.worker = worker.number
        self._workers = worker.count
        self._listeners = listeners
        self._tally = tally
        self._fellows: Mapping[int, WayOut] = {}
        self._theirs: dict[Id, int] = {}
        """The ids of other workers' connections that are steered to this one."""
        self._predecessor: WayOut | None = None
        self._ways_in: list[WayIn] = []
        self._worked: dict[Door, None] = {}

    # The other processes.

    def join(self, way_in: socket, fellows: Mapping[int, socket]) -> None:
        """Take what the other workers pass on, and pass on what is theirs."""
        self._fellows = {number: WayOut(sock, self._tally) for number, sock in fellows.items()}
        self._ways_in.append(WayIn(way_in, self._heard, self._done))
        for fellow in self._fellows.values():
            fellow.send(Parcel(Kind.ANEW, "", bytes([self.worker])))

    def follow(self, predecessor: socket, half_open: Iterable[Id]) -> None:
        """What is not ours may be the predecessor's. half_open: ids whose clients may still send Initials."""
        self._predecessor = WayOut(predecessor, self._tally)
        self._theirs |= dict.fromkeys(half_open, -1)

    def lead(self, successor: socket) -> None:
        """A successor reads from here on, and passes on what is ours."""
        self._ways_in.append(WayIn(successor, self._passed_on, self._done))

    def alone(self) -> None:
        """The predecessor is gone."""
        if self._predecessor is not None:
            self._predecessor.close()
            self._predecessor = None
            self._theirs = {known: worker for known, worker in self._theirs.items() if worker >= 0}

    def close(self) -> None:
        """Let go of all of them."""
        self.alone()
        for way_in in self._ways_in:
            way_in.close()
        for fellow in self._fellows.values():
            fellow.close()

    # What comes.

    def pass_on(self, listener: str, identity: bytes, datagram: bytes, source: Address, local: Local) -> bool:
        """See Others."""
        if not identity or len(datagram) < 7:
            return False
        whose = self._theirs.get((listener, identity))
        if whose is not None and whose >= 0:
            way = self._fellows.get(whose)
        elif whose is not None or not datagram[0] & _LONG or datagram[0] & _TYPE in _HANDSHAKE_OR_EARLY:
            way = self._predecessor
        else:
            way = None
        if way is None:
            return False
        way.send(Parcel(Kind.DATAGRAM, listener, datagram, source, local))
        return True

    def _heard(self, parcel: Parcel) -> None:
        """Another worker says something."""
        match parcel.kind:
            case Kind.DATAGRAM:
                self._deliver(parcel)
            case Kind.MINE:
                whose, ids = ids_in(parcel.content)
                for one in ids:
                    self._theirs.pop((parcel.listener, one), None)
                    self._theirs[parcel.listener, one] = whose
                while len(self._theirs) > MOST_IDS:
                    del self._theirs[next(iter(self._theirs))]
            case Kind.NOT_MINE:
                for one in ids_in(parcel.content)[1]:
                    self._theirs.pop((parcel.listener, one), None)
            case Kind.ANEW:
                self._tell_anew(parcel.content[0] if parcel.content else -1)

    def _passed_on(self, parcel: Parcel) -> None:
        """The successor has read something that is not its own."""
        if parcel.kind is Kind.DATAGRAM and not self._deliver(parcel):
            at = 6 if parcel.content[0] & _LONG else 1
            octets = parcel.content[5] if at == 6 else 8
            whose = self._theirs.get((parcel.listener, parcel.content[at : at + octets]), -1)
            if whose in self._fellows:
                self._fellows[whose].send(parcel)

    def _deliver(self, parcel: Parcel) -> bool:
        listener = self._listeners.get(parcel.listener)
        for door in () if listener is None else listener.quic_doors:
            if door.passed(parcel.content, parcel.source, parcel.local):
                self._worked[door] = None
                return True
        return False

    def _done(self) -> None:
        worked, self._worked = self._worked, {}
        for door in worked:
            door.worked()

    # Our ids.

    def bound(self, listener: str, connection_id: bytes) -> None:
        """See Others."""
        self._tell(Kind.MINE, listener, connection_id)

    def unbound(self, listener: str, connection_id: bytes) -> None:
        """See Others."""
        self._tell(Kind.NOT_MINE, listener, connection_id)

    def _tell(self, kind: Kind, listener: str, connection_id: bytes) -> None:
        if self._fellows:
            read_by = reader(connection_id, self._workers)
            if read_by != self.worker:
                self._fellows[read_by].send(Parcel(kind, listener, ids_out(self.worker, [connection_id])))

    def _tell_anew(self, worker: int) -> None:
        """That worker has just begun, and knows nothing of our connections."""
        fellow = self._fellows.get(worker)
        if fellow is None:
            return
        for name, listener in self._listeners.items():
            ids = [one for door in listener.quic_doors for one in door.ids if reader(one, self._workers) == worker]
            for at in range(0, len(ids), _AT_A_TIME):
                fellow.send(Parcel(Kind.MINE, name, ids_out(self.worker, ids[at : at + _AT_A_TIME])))
