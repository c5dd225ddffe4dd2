"""Answers that were under way when the session's edge died, or was stopped: gone on with as after the loss of a node.

Each is an exchange again whose client is away, with what the docket (docket.py) has of its request and the journal of
its events. So the owner is asked for the rest in the same ways (docs/DESIGN.md 5.3): one that reports checkpoints gets
the request again, with how much of the answer the client has; any other is asked by its protocol for what comes after
the last event. What neither of them could go on with is left alone: who comes back for it is told that there is a gap.
"""

from collections.abc import Sequence
from typing import Protocol

from sbc.core.dialog import Dialog
from sbc.core.exchange import ANSWERING
from sbc.core.relay import Relay
from sbc.model.errors import Refusal
from sbc.model.http import Request, Response
from sbc.model.manifest import Replay
from sbc.model.policy import Policy
from sbc.protocols.event_ids import read_id
from sbc.protocols.events import event_id
from sbc.protocols.protocol import Conversation, Ids, Reading
from sbc.protocols.protocol import Protocol as SessionProtocol
from sbc.runtime.house import House
from sbc.runtime.http.docket import Docket, Open
from sbc.runtime.http.exchange import Exchange
from sbc.runtime.http.journal import exchange_of, message_of, own_id_of, request_of

FORMER = -1
"""In the place of a seat: one of the edge before, whose connection went with it."""
MOST_MISSING = 4096
"""Messages that a client is believed to have beyond those on record: what is said within some milliseconds."""


class Woken(Protocol):
    """The session."""

    house: House
    dialog: Dialog
    policy: Policy
    protocol: SessionProtocol
    conversation: Conversation
    docket: Docket | None
    handle: str
    outbound: Relay
    exchanges: dict[Exchange, None]
    streams: dict[int, tuple[bytes, bool]]
    """Of those that are over, by the number of the request: what was asked for, and whether it came to its end."""

    def lifted(self, request: Request) -> Request:
        """A request of the journal as its client made it."""

    def token(self) -> bytes:
        """The session's sealed token."""

    def take_up(self, exchange: Exchange, standing: bool) -> None:
        """It is one of those that are under way."""


def revive(session: Woken) -> None:
    """Have every answer go on that can; called before anybody serves."""
    if session.docket is None:
        return
    counts, entries = _counts(session), session.dialog.outbound.journal.since(0)
    for number, opened in session.docket:
        own = [entry for entry in entries if exchange_of(entry) == number]
        exchange = _made(session, number, opened, own)
        goes_on = exchange is not None and _goes_on(session, exchange, opened, own, counts=counts)
        if exchange is not None and goes_on:
            session.take_up(exchange, exchange.reading.standing)
        else:
            session.docket.end(number)


def believe(session: Woken, number: int, last: int) -> None:
    """A client says that message `last` of the session is the last one that it has of this answer: more than is on
    record, if the store was told of the last ones too late. It is so if no other answer was under way."""
    missing = last - session.outbound.count
    found = [exchange for exchange in session.exchanges if exchange.seat == FORMER and exchange.number == number]
    if not found or not 0 < missing <= MOST_MISSING or len(session.exchanges) > 1:
        return
    if _counts(session):
        found[0].answer.delivered += missing
    else:
        found[0].answer.skip += missing
    session.outbound.count = last
    session.outbound.journal.restart(last + 1)


def _counts(session: Woken) -> bool:
    """Whether the next owner is one that gets every request, whatever its answer."""
    dialog = session.dialog
    owner = dialog.roster.get(dialog.binding.owner) if dialog.binding is not None else None
    reports = dialog.checkpoint is not None or (owner is not None and owner.checkpoints)
    return reports or dialog.manifest.migration.replay is Replay.ALL


def _made(session: Woken, number: int, opened: Open, entries: Sequence[bytes]) -> Exchange | None:
    request, body, _ = request_of(opened.entry)
    request = session.lifted(request)
    protocol = session.protocol
    try:
        reading = protocol.read(request, body if protocol.wants_body(request) else None)
    except Refusal:  # what its route once took is no longer of its protocol
        return None
    exchange = Exchange(None, request)
    exchange.policy, exchange.reading, exchange.number = session.policy, reading, number
    exchange.begun, exchange.stage, exchange.seat = True, ANSWERING, FORMER
    exchange.left_at = opened.began
    if body:
        exchange.upload.add(body)
    exchange.upload.end([])
    answer, head = exchange.answer, Response(200, [(b"content-type", b"text/event-stream")])
    reading.joins(session.conversation)
    reading.outgoing(request, session.conversation)  # as it was sent
    reading.answered(head, session.token, session.conversation)
    answer.begin(head, True, False)
    answer.outbound, answer.handle = session.outbound, session.handle if reading.findable else ""
    for entry in entries:
        event = message_of(entry)
        reading.event(event)
        own = own_id_of(entry) if reading.ids is Ids.OWN else event_id(event)
        if own is not None and read_id(own) is None:
            answer.last_id = own
    reading.learned = []
    return exchange


def _goes_on(session: Woken, exchange: Exchange, opened: Open, entries: Sequence[bytes], *, counts: bool) -> bool:
    reading, answer = exchange.reading, exchange.answer
    if type(reading).complete is not Reading.complete and reading.complete():
        session.streams[exchange.number] = exchange.request.target, True  # all was said that there was to say
        return False
    if not counts:  # where nothing can be gone on with, its last words may say so better than a gap does
        return reading.resumable(answer.last_id, elsewhere=False) or reading.last_words(begun=True).clean
    given = _given(session.dialog, exchange.number, opened, entries)
    if given is not None:
        answer.delivered = given
    return given is not None


def _given(dialog: Dialog, number: int, opened: Open, entries: Sequence[bytes]) -> int | None:
    """How many messages of an answer the client was given at the most; None: nobody knows."""
    journal, made = dialog.outbound.journal, dialog.checkpoint
    if journal.first - 1 <= opened.began:
        return len(entries)
    if made is None or made.answers is None or made.answers.keys() != {number} or made.sent < journal.first - 1:
        return None  # of several answers side by side it is not known whose the messages were that are gone
    since = sum(exchange_of(entry) == number for entry in journal.since(made.sent))
    return made.answers[number] + since
