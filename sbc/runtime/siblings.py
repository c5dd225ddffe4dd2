"""Where sessions are that are not here. Between workers of an edge each of which has a store of its own:

    a token             the id in it says at which worker the session is at home (core/homes.py)
    a client's own key  so does the hash of it, whether there is such a session yet or not
    any other key       may have been learned from a node by any worker: they are asked; if none knows it, and a session
                        is to begin that is known by it, then where the hash of it says

Between edges that share a store, workers among them, the store says it.
"""

from collections.abc import Callable, Sequence
from functools import partial

from sbc.core.homes import Homes
from sbc.model.errors import Refusal
from sbc.model.ids import SessionId
from sbc.model.node import Node
from sbc.model.route import KeySource
from sbc.protocols.event_ids import HANDLE
from sbc.protocols.protocol import Key
from sbc.runtime.house import House
from sbc.runtime.http.asked import Asked
from sbc.runtime.http.onward import ROUTE
from sbc.runtime.http.passing import Passing, second_hop
from sbc.runtime.http.registry import session_id
from sbc.runtime.interconnect import Interconnect
from sbc.wire.hop import Question


class Siblings:
    """Implements Onward (runtime/http/front.py) for requests of this worker's own clients."""

    def __init__(self, house: House, interconnect: Interconnect) -> None:
        self._house = house
        self._interconnect = interconnect

    @property
    def _homes(self) -> Homes:
        return self._house.homes

    def elsewhere(self, session: SessionId) -> Node | None:
        """The other worker at which a session is at home; None: it is at home here."""
        return None if self._homes.here(session) else self._interconnect.sibling(self._homes.of(session))

    def leads(self, asked: Asked, session: SessionId) -> bool:
        """See Onward."""
        node = self.elsewhere(session)
        if node is not None:
            self._send(asked, node)
        return node is not None

    def seeks(self, asked: Asked, beginning: Sequence[Key], anew: Callable[[], None]) -> bool:
        """See Onward."""
        for key in asked.keys:
            if key.kind == "token":
                session = self._house.seal.open(key.value, asked.principal)
                return session is not None and self.leads(asked, session)
        if not _learned(asked):
            return self._begins_elsewhere(asked, beginning)
        _Search(self, asked, partial(self._settle, asked, beginning, anew)).begin()
        return True

    def follows(self, asked: Asked, holder: str, instead: Callable[[], None]) -> bool:
        """See Onward. There is no store that edges share."""
        return False

    def _settle(self, asked: Asked, beginning: Sequence[Key], anew: Callable[[], None]) -> None:
        if not self._begins_elsewhere(asked, beginning):
            anew()

    def _begins_elsewhere(self, asked: Asked, beginning: Sequence[Key]) -> bool:
        """Whether the session that is to begin is at home at another worker, and the request sent there."""
        return bool(beginning) and self.leads(asked, session_id(asked.way.agent, asked.principal, beginning[0]))

    def send(self, asked: Asked, number: int) -> None:
        """Another worker is the one."""
        self._send(asked, self._interconnect.sibling(number))

    def _send(self, asked: Asked, node: Node) -> None:
        Passing(self._interconnect, self._house.metrics, asked, node, None).begin()

    def ask(self, asked: Asked, known: Callable[[int, bool | None], None]) -> int:
        """Ask all other workers whether they know the session; how many that are."""
        keys = [(key.kind, key.value) for key in asked.keys]
        question = Question(asked.way.agent, asked.principal, keys)
        others = [number for number in range(self._homes.count) if number != self._homes.number]
        for number in others:
            self._interconnect.ask(self._interconnect.sibling(number), question, partial(known, number))
        return len(others)

    @property
    def durable(self) -> bool:
        """Whether a worker that does not answer may have sessions that it will have again."""
        return self._house.store.durable


class Edges:
    """Implements Onward where edges share a store, which knows who has a session (runtime/afar.py)."""

    def __init__(self, house: House, interconnect: Interconnect) -> None:
        self._house = house
        self._interconnect = interconnect

    def leads(self, asked: Asked, session: SessionId) -> bool:
        """See Onward."""
        return False

    def seeks(self, asked: Asked, beginning: Sequence[Key], anew: Callable[[], None]) -> bool:
        """See Onward. Of several workers one begins what a key names, or two of them would at the same time."""
        node = None
        if beginning:
            node = self._interconnect.beginner(session_id(asked.way.agent, asked.principal, beginning[0]))
        if node is not None:
            Passing(self._interconnect, self._house.metrics, asked, node, None).begin()
        return node is not None

    def follows(self, asked: Asked, holder: str, instead: Callable[[], None]) -> bool:
        """See Onward."""
        node = self._interconnect.edge(holder)
        if node is not None:
            Passing(self._interconnect, self._house.metrics, asked, node, instead).begin()
        return node is not None

    def elsewhere(self, session: SessionId) -> Node | None:
        """See Whereabouts (runtime/websocket/front.py). A WebSocket's session comes to its client."""
        return None


def whereabouts(house: House, interconnect: Interconnect | None) -> Siblings | Edges | None:
    """Where sessions are that are not here; None: nowhere."""
    if interconnect is None:
        return None
    return Edges(house, interconnect) if house.shared is not None else Siblings(house, interconnect)


class Final:
    """Implements Onward for requests that another worker has sent here: they go nowhere else."""

    def __init__(self, homes: Homes) -> None:
        self._homes = homes

    def leads(self, asked: Asked, session: SessionId) -> bool:
        """See Onward."""
        if not self._homes.here(session):
            raise second_hop()
        return False

    def seeks(self, asked: Asked, beginning: Sequence[Key], anew: Callable[[], None]) -> bool:
        """See Onward. One that was known here may be over since: then another begins."""
        return False

    def follows(self, asked: Asked, holder: str, instead: Callable[[], None]) -> bool:
        """See Onward."""
        raise second_hop()

    def elsewhere(self, session: SessionId) -> Node | None:
        """See Whereabouts (runtime/websocket/front.py). Raises Refusal."""
        if not self._homes.here(session):
            raise second_hop()
        return None


class _Search:
    """One question to all others."""

    def __init__(self, siblings: Siblings, asked: Asked, nowhere: Callable[[], None]) -> None:
        """nowhere: what is done if nobody knows the session."""
        self._siblings = siblings
        self._asked = asked
        self._nowhere = nowhere
        self._left = 0
        self._doubt = False
        self._found = False

    def begin(self) -> None:
        """Ask."""
        self._left = self._siblings.ask(self._asked, self._answered)

    def _answered(self, number: int, known: bool | None) -> None:
        self._left -= 1
        self._doubt = self._doubt or known is None
        if self._found or self._asked.exchange.client is None:
            return
        if known:
            self._found = True
            self._siblings.send(self._asked, number)
        elif self._left == 0 and self._doubt and self._siblings.durable:
            self._asked.exchange.refuse(Refusal(503, "owner_unknown", "who has this session is not known now",
                                                retry_after=1))  # fmt: skip
        elif self._left == 0:
            self._nowhere()


def _learned(asked: Asked) -> bool:
    """Whether a key of the request may have been made by a node, so that any worker may know it."""
    own = asked.exchange.key
    if own is None or own[0] != own[1] or asked.way.key.source is KeySource.BODY:
        return True
    return any(key.kind not in (ROUTE, HANDLE) for key in asked.keys)
