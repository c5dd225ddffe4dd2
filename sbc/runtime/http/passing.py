"""A request that another worker or edge answers, which has its session: passed on as it came, and the answer back.

    WAITING ──a connection takes it──> SENT ──head──> ANSWERING ──end──> ANSWERED
       │  └─ none: again, until the session's hold is over, then 503; or claimed instead
       └───────────────────────────────── lost there: 502 unknown   └─ lost there: broken off, never made to look whole

Nothing of it is counted, kept or read here: the owner does that, as if its client had come there. The exchange serves
with its asking half alone.
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol, cast

from sbc.core.exchange import ANSWERED, ANSWERING, SENT, WAITING
from sbc.model.errors import Refusal
from sbc.model.http import Fields, Response, first
from sbc.model.node import Node
from sbc.model.streams import Answerer
from sbc.runtime.http.asked import Asked
from sbc.runtime.http.exchange import Exchange
from sbc.runtime.http.home import Home
from sbc.runtime.interconnect import Arrived, Interconnect, onward
from sbc.wire.hop import FIELD as HOP

AGAIN = 0.2
"""After how long one that could not be reached is tried again, in seconds."""
WAY = "request"
ASTRAY = b"astray"
"""Said by an edge to the one that has sent a request there in vain: the session has left since, or was never there."""


class Unknowing(Protocol):
    """What the outcomes that nobody knows are counted in."""

    unknown: int


class Passing(Answerer):
    """The home of one exchange, as far as one that is passed on has need of it."""

    __slots__ = ("_again", "_arrived", "_exchange", "_give_up", "_instead", "_interconnect", "_metrics", "_node")

    def __init__(self, interconnect: Interconnect, metrics: Unknowing, asked: Asked, node: Node,
                 instead: Callable[[], None] | None) -> None:  # fmt: skip
        """instead: what is done if nobody is reached there; None: it is tried until the manifest's hold is over."""
        arrived: Arrived | None = asked.arrived
        assert arrived is not None
        self._interconnect = interconnect
        self._metrics = metrics
        self._exchange: Exchange = asked.exchange
        self._again = None if asked.again is None else partial(asked.again, asked)
        self._arrived = arrived
        self._node = node
        self._instead = instead
        self._give_up = interconnect.loop.time() + asked.way.manifest.migration.hold
        self._exchange.home = cast(Home, self)  # it is asked for no more than stands below
        interconnect.passing.add(self)

    def begin(self) -> None:
        """Send it, now or as soon as somebody is reached."""
        exchange, upload = self._exchange, self._exchange.upload
        if exchange.stage is ANSWERED:  # its client has left while nobody was reached
            return
        request = onward(exchange.request, self._arrived)
        if request.bodied and upload.ended:
            request.length = upload.length
        exchange.leave_node()
        exchange.node = stream = self._interconnect.open(self._node, request, self)
        if exchange.client is not None and exchange.client.congested:
            stream.pause()
        for piece in upload.pieces or ():
            stream.send(piece)
        if request.bodied and upload.ended:
            stream.finish(upload.trailers or [])
        elif not upload.ended and exchange.client is not None:
            exchange.client.resume()

    # The answer.

    def sent(self) -> None:
        self._exchange.sent()

    def informed(self, status: int, fields: Fields) -> None:
        if self._exchange.client is not None:
            self._exchange.client.inform(status, fields)

    def answered(self, response: Response, *, end: bool, body: bytes = b"") -> None:
        exchange = self._exchange
        self._interconnect.told(self._node, WAY, "answered")
        if self._again is not None and exchange.upload.whole and first(response.fields, HOP) == ASTRAY:
            self._part()
            exchange.leave_node()
            exchange.stage = WAITING
            self._interconnect.loop.call_later(AGAIN, self._again)
            return
        response.fields = [field for field in response.fields if field[0] != HOP]
        exchange.stage, exchange.begun = ANSWERING, True
        exchange.upload.drop()
        if exchange.client is not None:
            exchange.client.respond(response, end=end, body=body)
        if end:
            exchange.over()

    def answer_body(self, data: bytes) -> None:
        client, node = self._exchange.client, self._exchange.node
        if client is not None:
            client.send(data)
            if client.congested and node is not None:
                node.pause()

    def answer_ended(self, trailers: Fields) -> None:
        if self._exchange.client is not None:
            self._exchange.client.finish(trailers)
        self._exchange.over()

    def node_failed(self, reason: str, *, sent: bool, reached: bool) -> None:
        exchange = self._exchange
        exchange.leave_node()
        if exchange.stage is ANSWERED:
            return
        if exchange.begun:
            self._interconnect.told(self._node, WAY, "broken")
            self._break_off()
        elif sent:
            self._interconnect.told(self._node, WAY, "unknown")
            exchange.stage = SENT
            self._break_off()
        else:
            exchange.stage = WAITING
            self._not_reached()

    def _not_reached(self) -> None:
        exchange, loop = self._exchange, self._interconnect.loop
        if exchange.upload.whole and self._instead is None and loop.time() + AGAIN < self._give_up:
            self._interconnect.found(self._node, up=False)
            loop.call_later(AGAIN, self.begin)
            return
        self._interconnect.told(self._node, WAY, "unreached")
        if exchange.upload.whole and self._instead is not None:
            self._part()
            self._instead()
        else:
            exchange.refuse(unreached())

    def _part(self) -> None:
        """It is passed on to nobody any more, or to somebody else."""
        self._exchange.home = None
        self._interconnect.passing.discard(self)

    def node_slow(self) -> None:
        self._exchange.node_slow()

    def node_ready(self) -> None:
        self._exchange.node_ready()

    # Home.

    def client_left(self, _exchange: Exchange) -> bool:
        return False

    def unknown(self, _exchange: Exchange) -> None:
        self._metrics.unknown += 1

    def over(self, _exchange: Exchange) -> None:
        self._interconnect.passing.discard(self)

    # The edge stops.

    @property
    def standing(self) -> bool:
        """Whether nobody waits for the end of its answer."""
        return self._exchange.begun and self._exchange.reading.standing

    def abandon(self) -> None:
        """Nothing more comes of it."""
        exchange = self._exchange
        if exchange.stage is WAITING:
            exchange.refuse(Refusal(503, "stopping", "this edge is being stopped", retry_after=1))
        else:
            self._break_off()

    def _break_off(self) -> None:
        """The rest of the answer will not come; nobody knows the outcome of what has none."""
        exchange = self._exchange
        if not exchange.begun:
            exchange.tell()
            return
        if exchange.client is not None:
            exchange.client.abort()
        exchange.over()


def unreached() -> Refusal:
    """What a client is told whose session is with another worker or edge that cannot be reached."""
    return Refusal(503, "owner_unreached", "the session is at an edge that cannot be reached now", retry_after=1)


def second_hop() -> Refusal:
    """What is said to one that was forwarded to where its session is not either."""
    return Refusal(503, "second_hop", "the session is not where it was looked for", retry_after=1,
                   headers=[(HOP.decode(), ASTRAY.decode())])
