"""The answer of one exchange as it comes in: passed on byte by byte, event by event, or once it is whole."""

from enum import Enum

from sbc.core.relay import Relay
from sbc.model.http import Response, first
from sbc.protocols.bodies import is_event_stream
from sbc.protocols.events import Scanner
from sbc.protocols.protocol import Ids

LONGEST_EVENT = 1024 * 1024


class Form(Enum):
    PLAIN = "plain"
    """Its bytes are passed on as they come."""
    EVENTS = "events"
    WHOLE = "whole"
    """Its protocol wants to see it whole first."""
    REST = "rest"
    """Not the events that were asked for to go on with, but a plain answer: its protocol may know what to do."""


KEEP = Ids.KEEP
PLAIN, EVENTS, WHOLE, REST = Form
"""The same, looked up once: what is found in an enum by its name is found slowly."""


class Answer:
    """What is known of an answer under way."""

    __slots__ = ("body", "delivered", "form", "handle", "head", "id_line", "ids", "last_id", "mark", "outbound",
                 "own", "scanner", "skip", "status", "unread")

    def __init__(self) -> None:
        self.form = PLAIN
        self.status = 0
        self.head: Response | None = None
        """Of an answer that its protocol wants to see whole."""
        self.scanner: Scanner | None = None
        self.body: bytearray | None = None
        """What came so far of an answer that has to be whole."""
        self.delivered = 0
        """How many messages of it the client has been given."""
        self.skip = 0
        """How many messages of a repeated answer the client has already."""
        self.unread = False
        """Whether its protocol lets the rest of its events pass unread."""
        self.mark = b""
        self.id_line = b""
        """What its entries in the journal, and the ids that the edge gives, begin with; made with the first message."""
        self.own = b""
        """The same for the next message alone, with its node's own id, if a store is to have that."""
        self.ids = KEEP
        """What becomes of its events' ids; looked up with the first message."""
        self.outbound: Relay | None = None
        """Where its messages are counted and kept; None: it is for its home to say."""
        self.handle = ""
        """By what its session is found by the ids alone; empty: it is found by something else."""
        self.last_id: bytes | None = None
        """The last event id that the node gave."""

    @property
    def streams(self) -> bool:
        """Whether the client is given events."""
        return self.scanner is not None

    def begin(self, response: Response, events: bool, wanted_whole: bool) -> None:
        """The head of the answer is here. events, wanted_whole: what is to become of its body, if it has any."""
        self.status = response.status
        if events and _is_events(response):
            self.form, self.scanner, response.length = EVENTS, Scanner(LONGEST_EVENT), None
        elif wanted_whole:
            self.form, self.head, self.body = WHOLE, response, bytearray()

    def begin_again(self, response: Response) -> None:
        """Another answer to go on with: the client has the head and some events of the one before."""
        self.status, self.unread = response.status, False
        if _is_events(response):
            self.form, self.scanner = EVENTS, Scanner(LONGEST_EVENT)
        else:
            self.form, self.head, self.body = REST, response, bytearray()


def _is_events(response: Response) -> bool:
    coding = first(response.fields, b"content-encoding")
    plain = coding is None or coding.lower() == b"identity"  # what is compressed cannot be read event by event
    return plain and is_event_stream(response)
