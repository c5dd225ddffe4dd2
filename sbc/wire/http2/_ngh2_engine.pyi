from sbc.wire.http2.ngh2_engine import NativeEngine

class DirectEngine(NativeEngine):
    """The same, compiled: see _ngh2_engine.pyx."""
