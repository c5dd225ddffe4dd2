"""What waits for the store in a session of requests (`durability: sync`): a request until the store has it, the events
of an answer, and all that a client is told after them, until it has those.

What is in no journal (requests to nodes that nothing is said to again, answers that are no streams of events) waits for
nothing.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

from sbc.core.dialog import Dialog
from sbc.model.http import Fields, Response
from sbc.model.marking import Mark
from sbc.model.streams import Asker, ClientStream
from sbc.runtime.clerk import Notary
from sbc.runtime.http.exchange import Exchange

HIGH_WATER_BYTES = 64 * 1024
LOW_WATER_BYTES = 16 * 1024
"""How much of an answer may wait before its node is paused, and when it is read again."""


class Waiting(Protocol):
    """The session."""

    def go_on(self) -> None:
        """Send the requests that wait."""


class Withheld:
    """Both directions of a session."""

    def __init__(self, session: Waiting, requests: Notary, events: Notary) -> None:
        self._session = session
        self._requests = requests
        self._events = events
        self._through = 0
        """The last request that may be sent."""
        self._orders: deque[tuple[int, Callable[[], None]]] = deque()
        """What clients are to be told, in the order in which it was said."""
        self._over = False
        requests.pass_on = self._pass_requests_on
        events.pass_on = self._pass_events_on

    def end(self, *, elsewhere: bool) -> None:
        """The session is over here, and nothing waits any longer. elsewhere: it goes on there, with what the store has:
        what waits goes to nobody."""
        self._over = True
        if elsewhere:
            self._orders.clear()
        self._pass_events_on(self._events.count)

    def holds(self, exchange: Exchange) -> bool:
        """Whether a request may not be sent yet. Then it is asked for again once it may."""
        return self._requests.waits and exchange.number > self._through

    def stream(self, exchange: Exchange) -> ClientStream | None:
        """The stream of an exchange's client, as the exchange is to see it."""
        return None if exchange.client is None else _Stream(exchange.client, self, exchange)

    @property
    def clear(self) -> bool:
        """Whether clients may be told at once."""
        return self._over or not (self._orders or self._events.waits)

    def add(self, order: Callable[[], None]) -> None:
        """Give this order when the store has all events so far."""
        self._orders.append((self._events.count, order))

    def _pass_requests_on(self, through: int) -> None:
        self._through = through
        self._session.go_on()

    def _pass_events_on(self, through: int) -> None:
        orders = self._orders
        while orders and orders[0][0] <= through:
            orders.popleft()[1]()


def withheld(session: Waiting, dialog: Dialog) -> Withheld | None:
    """What waits for the store in this session; None if nothing has to."""
    requests, events = dialog.inbound.clerk, dialog.outbound.clerk
    if isinstance(requests, Notary) and isinstance(events, Notary):
        return Withheld(session, requests, events)
    return None


def as_it_came(stream: ClientStream | None) -> ClientStream | None:
    """The client's stream as it was before `Withheld.stream`."""
    return stream._stream if isinstance(stream, _Stream) else stream


class _Stream(ClientStream):
    """A client's stream that is told nothing too soon."""

    __slots__ = ("_asker", "_octets", "_stream", "_withheld")

    def __init__(self, stream: ClientStream, withheld: Withheld, asker: Asker) -> None:
        self.congested = stream.congested
        self._stream = stream
        self._withheld = withheld
        self._asker = asker
        self._octets = 0

    def mark(self, mark: Mark) -> None:
        self._stream.mark(mark)

    def inform(self, status: int, fields: Fields) -> None:
        self._stream.inform(status, fields)

    def respond(self, response: Response, *, end: bool, body: bytes = b"") -> None:
        self._order(partial(self._stream.respond, response, end=end, body=body))

    def send(self, data: bytes) -> None:
        if self._withheld.clear:
            self._stream.send(data)
            return
        self._octets += len(data)
        self._withheld.add(partial(self._send, data))
        if self._octets > HIGH_WATER_BYTES:
            self.congested = True

    def _send(self, data: bytes) -> None:
        self._octets -= len(data)
        self._stream.send(data)
        if self.congested and self._octets <= LOW_WATER_BYTES and not self._stream.congested:
            self.congested = False
            self._asker.client_ready()

    def finish(self, trailers: Fields) -> None:
        self._order(partial(self._stream.finish, trailers))

    def abort(self) -> None:
        self._stream.abort()  # what waits is in the journal for a client that comes back

    def _order(self, order: Callable[[], None]) -> None:
        if self._withheld.clear:
            order()
        else:
            self._withheld.add(order)

    def pause(self) -> None:
        self._stream.pause()

    def resume(self) -> None:
        self._stream.resume()
