"""The way of every event of every answer: cut out of what was read, numbered, counted and kept.

There is a compiled twin.
"""

from typing import TYPE_CHECKING

from sbc.core.octets import in_eight
from sbc.core.relay import Relay
from sbc.protocols.bodies import json_object
from sbc.protocols.event_ids import before_number
from sbc.protocols.events import event_data, event_id, has_data, without_id
from sbc.protocols.lines import may_have_id, numbered
from sbc.protocols.protocol import Ids, Reading
from sbc.runtime.http.answer import EVENTS, Answer

if TYPE_CHECKING:
    from sbc.runtime.http.exchange import Exchange

NUMBER_OCTETS = 8
"""Of the number of a request, before each entry of a journal that belongs to its answer."""
WITH_ID = 1 << 63
"""Added to that number where the node's own id of the event follows, up to a line feed: its client is not shown it."""
_KEEP, _ADD = Ids.KEEP, Ids.ADD


def read_events(exchange: "Exchange", answer: Answer, data: bytes) -> bytes:
    """What the client is given of a piece of an answer that is a stream of events."""
    relay, scanner = answer.outbound, answer.scanner
    assert scanner is not None
    # Most reads of most streams bring just one event that nobody looks into. What belongs to all the streams is more
    # than a cache holds, so nothing is touched for it that can be done without.
    if answer.unread and relay is not None and not answer.skip and scanner.is_one(data):
        exchange.attempts = 0
        answer.delivered += 1
        return keep_event(relay, exchange, answer, data)
    reading, home = exchange.reading, exchange.home
    assert home is not None
    attentive = reading.attentive
    out: list[bytes] = []
    for event in scanner.feed(data):
        seen: bytes | None = event
        if attentive:
            seen = reading.event(event)
            attentive = reading.attentive
            if reading.learned:
                exchange.learn()
        if seen is None:
            continue
        exchange.attempts = 0
        if not has_data(seen):
            out.append(seen)  # a comment, or news for whoever reads the stream: no message
        elif answer.skip:
            answer.skip -= 1
            home.suppressed()
        else:
            answer.delivered += 1
            out.append(home.deliver(exchange, seen) if relay is None else keep_event(relay, exchange, answer, seen))
    answer.unread = not attentive
    return out[0] if len(out) == 1 else b"".join(out)


def at_end(exchange: "Exchange", answer: Answer) -> bool:
    """Whether a stream that its node has ended is truly at its end.

    An event without the blank line that ends it is none (HTML section 9.2.6), but some nodes leave it out behind their
    last one, and some clients read line by line. So nothing of it is kept from a client if the protocol does not know
    where its streams end; if it does, what is whole but for that line counts, and half an event was cut off.
    """
    reading, scanner = exchange.reading, answer.scanner
    rest = scanner.rest() if scanner is not None and answer.form is EVENTS else b""
    if rest:
        if type(reading).complete is not Reading.complete:
            rest = read_events(exchange, answer, b"\n\n") if _is_whole(event_data(rest) or b"") else b""
        if rest and exchange.client is not None:
            exchange.client.send(rest)
    return reading.complete()


def _is_whole(said: bytes) -> bool:
    """Whether nothing is missing in what an event says: JSON, or a word in brackets, as OpenAI's streams end with."""
    return (said.startswith(b"[") and said.endswith(b"]")) or bool(json_object(said))


def keep_event(relay: Relay, exchange: "Exchange", answer: Answer, message: bytes) -> bytes:
    """Count and keep a message of an answer; as the client is to see it."""
    if not answer.mark:
        answer.mark, answer.ids = event_entry(exchange.number, b""), exchange.reading.ids
        answer.id_line = b"id: " + before_number(answer.handle, exchange.number)
    message = _numbered(message, answer, relay.count + 1)
    if answer.own:
        count(relay, answer.own, message, len(message))
        answer.own = b""
    else:
        count(relay, answer.mark, message, len(message))
    return message


def _numbered(event: bytes, answer: Answer, number: int) -> bytes:
    """An event with an id by which a client can come back to it. The node's own id is noted."""
    ids = answer.ids
    if ids is _KEEP:
        return event
    if may_have_id(event):
        own = event_id(event)
        if own is not None:
            answer.last_id = own
            if ids is _ADD:
                return event
            if answer.outbound is not None and answer.outbound.clerk is not None:
                answer.own = in_eight(int.from_bytes(answer.mark, "big") + WITH_ID) + own + b"\n"
        event = without_id(event)
    return numbered(answer.id_line, number, event)


def event_entry(exchange: int, message: bytes) -> bytes:
    """A message of the answer to the request of this number, for the journal."""
    return in_eight(exchange) + message if message else in_eight(exchange)


def count(relay: Relay, mark: bytes, entry: bytes, octets: int, keep: bool = True) -> None:
    """Count a message, and keep it in the relay's journal, with a mark before it."""
    relay.count += 1
    relay.tally.messages += 1
    relay.tally.octets += octets
    if keep:
        relay.journal.append_marked(mark, entry)
        if relay.clerk is not None and not relay.clerk.noted:
            relay.clerk.note()
