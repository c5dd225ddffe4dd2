"""Which QUIC engine: by the name that the configuration has for it."""

from sbc.wire.http3 import qh3_connection
from sbc.wire.http3.aioquic_engine import PythonEngine
from sbc.wire.http3.credentials import Credentials
from sbc.wire.http3.engine import Beginning, QuicEngine, QuicOwner, QuicTerms
from sbc.wire.http3.invariants import Header
from sbc.wire.http3.qh3_engine import RustEngine


def make_engine(
    name: str, owner: QuicOwner, terms: QuicTerms, credentials: Credentials, beginning: Beginning
) -> QuicEngine:
    """An engine for a new connection; `receive` is to be told its first datagram. name: `auto`, `qh3` or `aioquic`, the
    same as the credentials were loaded for."""
    if name == "aioquic":
        return PythonEngine(owner, terms, credentials, beginning)
    return RustEngine(owner, terms, credentials, beginning)


def needs_retry(name: str, header: Header) -> bool:
    """Whether the engine can serve the client of this first Initial only after a Retry."""
    return name != "aioquic" and qh3_connection.needs_retry(header)
