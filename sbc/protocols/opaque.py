"""Anything else over HTTP (and WebSocket): the edge knows the method and nothing more.

Which session a request belongs to is said by the route's own key; without one each request stands alone. A request is
sent a second time only if its method allows that (RFC 9110 section 9.2.2). Answers pass byte by byte, streams of
events too: nothing is added to them, and one that was cut off by the loss of its node ends as cut off. Calls of gRPC
are told how they end (grpc.py). A turn ends when no exchange is under way.
"""

from sbc.model.http import Request, first
from sbc.protocols.grpc import CONTENT_TYPE, GrpcReading, is_grpc
from sbc.protocols.protocol import Protocol, Reading


class OpaqueReading(Reading):
    __slots__ = ()

    heedless = True
    alters = False
    events = False


class Opaque(Protocol):
    def read(self, request: Request, body: bytes | None) -> Reading:
        kind = first(request.fields, b"content-type") if request.method == b"POST" else None
        if kind is not None and kind[: len(CONTENT_TYPE)].lower() == CONTENT_TYPE and is_grpc(kind):
            return GrpcReading(request, body)
        return OpaqueReading(request, body)
