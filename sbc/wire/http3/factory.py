"""Which QUIC engine: by the name that the configuration has for it."""

from sbc.wire.http3 import qh3_engine
from sbc.wire.http3.credentials import Credentials
from sbc.wire.http3.engine import Beginning, QuicEngine, QuicOwner, QuicTerms


def make_engine(
    name: str, owner: QuicOwner, terms: QuicTerms, credentials: Credentials, beginning: Beginning
) -> QuicEngine:
    """An engine for a new connection; `receive` is to be told its first datagram. name: `auto`, `qh3` or `aioquic`, the
    same as the credentials were loaded for."""
    return qh3_engine.RustEngine(owner, terms, qh3_engine.configuration(terms, credentials), credentials, beginning)
