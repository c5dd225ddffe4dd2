"""Which HTTP/2 engine: by the name that the configuration has for it."""

from sbc.wire.http2.engine import Engine, EngineOwner, Role, Terms
from sbc.wire.http2.h2_engine import HyperEngine
from sbc.wire.http2.ngh2_engine import NativeEngine


def _native() -> type[NativeEngine]:
    """The compiled form of the default engine, if it was built and this ngh2 shows what it is made of."""
    try:
        from sbc.wire.http2._ngh2_engine import DirectEngine  # noqa: PLC0415  it may not be there
    except ImportError:
        return NativeEngine
    return DirectEngine


NGH2 = _native()


def make_engine(name: str, role: Role, owner: EngineOwner, terms: Terms) -> Engine:
    """An engine for a new connection. name: `auto`, `ngh2` or `h2`."""
    return HyperEngine(role, owner, terms) if name == "h2" else NGH2(role, owner, terms)
