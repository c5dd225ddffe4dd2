"""What other workers and edges forward to this one: taken in as if it had come from its client directly, and sent
nowhere else."""

from collections.abc import Callable
from typing import Any

from sbc.model.errors import Refusal
from sbc.model.http import Request
from sbc.model.ids import AgentName, PrincipalId
from sbc.model.route import Hello
from sbc.model.streams import Asker, ClientStream
from sbc.protocols.protocol import Key
from sbc.runtime.hall import Hall
from sbc.runtime.http.front import RequestFront
from sbc.runtime.siblings import Final
from sbc.runtime.websocket.front import WebSocketFront
from sbc.wire.hop import Question


class Arrivals:
    """Implements Arrivals (transports/interconnect.py)."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        final = Final(hall.house.homes)
        self._requests = RequestFront(hall, final, hall.registry, hall.singles)
        self._websockets = WebSocketFront(hall, final, None, hall.pipes)

    def arrived(self) -> bool:
        """They are few, and no clients."""
        return True

    def departed(self) -> None:
        """As few leave."""

    def limits(self) -> tuple[int, int, float]:
        return self._hall.limits()

    def request(self, stream: ClientStream, request: Request, octets: int) -> Asker:
        return self._requests.request(stream, request, octets)

    def greet(self, doorstep: Any, hello: Hello, octets: int) -> None:
        if self._hall.stopping:
            raise Refusal(503, "stopping", "this edge is being stopped", retry_after=1)
        self._websockets.greet(doorstep, hello, octets)

    def knows(self, question: Question, told: Callable[[bool], None]) -> None:
        hall, keys = self._hall, [Key(kind, value) for kind, value in question.keys]
        agent, principal = AgentName(question.agent), PrincipalId(question.principal)
        if hall.knows(agent, principal, keys) or hall.afar is None:
            told(hall.knows(agent, principal, keys))
        else:
            hall.afar.knows(agent, principal, keys, told)

    def refused(self, refusal: Refusal, hello: Hello) -> None:
        self._hall.refused(refusal, hello)

    def abused(self, kind: str, client: str, listener: str) -> None:
        self._hall.house.metrics.abuse[kind] += 1

    @property
    def wary(self) -> bool:
        return False

    def bars(self, client: str, listener: str, *, proven: bool = True) -> bool:
        return False


class Bequests(Arrivals):
    """What the process before this one passes on, for its clients' sessions are not there any more: taken in as if the
    clients had come here, and so it may go on to where the session is."""

    def request(self, stream: ClientStream, request: Request, octets: int) -> Asker:
        return self._hall.request(stream, request, octets)

    def greet(self, doorstep: Any, hello: Hello, octets: int) -> None:
        self._hall.greet(doorstep, hello, octets)
