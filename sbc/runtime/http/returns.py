"""A client that comes back for the rest of a stream of events: what the journal holds of it, and then what still comes.

The journal is the session's; the stream is known by the last event's id, which the edge or the node made.
"""

from dataclasses import replace

from sbc.model.http import Response
from sbc.protocols.event_ids import read_id
from sbc.protocols.events import event_id, gap
from sbc.runtime.http.exchange import Exchange
from sbc.runtime.http.journal import exchange_of, message_of
from sbc.runtime.http.revival import Woken, believe


def come_back(session: Woken, exchange: Exchange) -> bool:
    """Give the client of `exchange` the rest of the stream it asks for; False: it has to be asked of the node."""
    if exchange.reading.after is None:
        return _take_up(session, exchange)
    after = exchange.reading.after.encode("latin-1", "replace")
    journal, target = session.dialog.outbound.journal, exchange.request.target
    said = read_id(after)
    if said is not None and session.dialog.recovered:
        believe(session, said.request, said.message)
    entries = journal.since(0)
    for at in range(len(entries) - 1, -1, -1):
        number = exchange_of(entries[at])
        if event_id(message_of(entries[at])) == after and _may_be(session, number, target):
            found = _go_on(session, exchange, number, entries[at + 1 :], 0)
            if not found and said is not None:
                if number not in session.streams:  # an edge that is gone had it, and only that one knew if it was over
                    _announce(session, exchange, 1)
                _forget_id(exchange)
            return found
    if said is None:
        return False  # an id of the node's own: it may know more than the journal holds
    lost = max(0, journal.first - 1 - said.message)
    rest = entries[max(0, said.message + 1 - journal.first) :]  # none, if a client knows more than an edge that died
    if _may_be(session, said.request, target) and _go_on(session, exchange, said.request, rest, lost):
        session.dialog.account.lost += lost
        return True
    _announce(session, exchange, max(1, lost))
    _forget_id(exchange)
    return False


def _announce(session: Woken, exchange: Exchange, lost: int) -> None:
    """The stream begins anew at its node, and the client is told first how many events it lacks, at the least."""
    session.dialog.account.lost += lost
    exchange.preface = gap(lost)


def _forget_id(exchange: Exchange) -> None:
    """The last id that the client has is of the edge's own making: it means nothing to a node."""
    asked = exchange.request
    exchange.request = replace(asked, fields=[field for field in asked.fields if field[0] != b"last-event-id"])


def _may_be(session: Woken, number: int, target: bytes) -> bool:
    """Whether the stream of this number may be the one asked for: nodes give equal ids to streams that differ."""
    for found in session.exchanges:
        if found.number == number:
            return found.request.target == target
    return number not in session.streams or session.streams[number][0] == target


def _take_up(session: Woken, exchange: Exchange) -> bool:
    """A client that had no event yet to name asks for a standing stream again: the one that it left still stands, and
    its node would not let it have another one beside that."""
    asked = exchange.request
    for left in session.exchanges if asked.method == b"GET" and exchange.reading.standing else ():
        if left.client is None and left.begun and left.reading.standing and left.request.target == asked.target:
            return _go_on(session, exchange, left.number, session.dialog.outbound.journal.since(left.left_at), 0)
    return False


def _go_on(session: Woken, exchange: Exchange, number: int, entries: list[bytes], lost: int) -> bool:
    rest = [message_of(entry) for entry in entries if exchange_of(entry) == number]
    alive = next((found for found in session.exchanges if found.number == number and found.begun), None)
    client = exchange.client
    if client is None or (alive is None and not rest):
        return False
    fields = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
    client.respond(Response(200, fields), end=False)
    events = ([gap(lost)] if lost else []) + rest
    if events:
        client.send(b"".join(events))
    if alive is None:
        if number in session.streams and session.streams[number][1]:
            client.finish([])
        else:
            client.abort()  # it was cut off, and is no more complete now than it was then
        exchange.client = None
        exchange.over()
        return True
    former, alive.client, exchange.onward = alive.client, client, alive
    alive.identity, alive.request.client = exchange.identity, exchange.request.client  # it is open for this one now
    if former is not None:
        former.abort()  # one connection of a client at a time has a stream
    if alive.node is not None and not client.congested:
        alive.node.resume()
    return True
