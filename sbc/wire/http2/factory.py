"""Which HTTP/2 engine: by the name that the configuration has for it."""

from sbc.wire.http2.engine import Engine, EngineOwner, Role, Terms
from sbc.wire.http2.h2_engine import HyperEngine
from sbc.wire.http2.ngh2_engine import NativeEngine


def make_engine(name: str, role: Role, owner: EngineOwner, terms: Terms) -> Engine:
    """An engine for a new connection. name: `auto`, `ngh2` or `h2`."""
    if name == "h2":
        return HyperEngine(role, owner, terms)
    return NativeEngine(role, owner, terms)
