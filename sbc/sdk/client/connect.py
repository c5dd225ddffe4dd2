"""Where an application begins: a URL becomes a session."""

from collections.abc import Mapping, Sequence

from sbc.sdk.client.bearer import Bearer, Token
from sbc.sdk.client.contract import Ticket
from sbc.sdk.client.outbox import Outbox
from sbc.sdk.client.session import Session
from sbc.sdk.client.stream import Transport, read_url
from sbc.sdk.client.ways import Ways


def connect(url: str, *, session: Ticket | None = None, headers: Mapping[str, str] | None = None,
            bearer: Token | None = None, transports: Sequence[Transport] | None = None, ca_file: str | None = None,
            patience: float = 30.0, ping: float = 10.0, outbox: int = 1024 * 1024,
            message: int = 16 * 1024 * 1024) -> Session:  # fmt: skip
    """A session at an edge; it begins when it is entered (`async with`).

    url: http(s) or ws(s). session: the ticket of one that stands. headers: sent with every hello. bearer: gets a
    bearer token, for each hello and before the last one expires; OSError: it is asked again. transports: these
    and no others; None: whatever the edge says that it serves. ca_file: certificates that are believed, instead of
    the system's. patience: how many seconds a session may take to come back, or to be let in by an edge that says
    when to ask again. ping: after so many seconds of silence the edge is asked for a sign of life, and after two such
    spans the connection is given up. outbox: bytes said that the edge may not have yet. message: bytes of the longest
    message that is heard. Raises ValueError for what is no URL.
    """
    origin, path = read_url(url)
    fields = {name.lower(): value for name, value in (headers or {}).items()}
    return Session(Ways(origin, ca_file, transports), path, fields, Bearer(bearer), session, patience, ping,
                   Outbox(outbox), message)  # fmt: skip
