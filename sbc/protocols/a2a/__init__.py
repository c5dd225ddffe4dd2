"""A2A 1.0 and 0.3 (https://a2a-protocol.org): agents that are given tasks, over JSON-RPC or REST.

A request belongs to the session of its task, else of its context; sending a message begins one, and the answer tells
the ids. A task lives whether or not somebody listens, so a stream whose client went away is not kept (`outlives`): the
client subscribes to its task again, and is led to the same node. For the same reason a stream whose node was lost is
asked for again (resume), and the client gets what it has not seen yet (seen).

A message is sent to a second node only if the agent is said to know a message again by its id (`deduplicates`): the
specification leaves that to the agent (1.0 section 3.1.1), and without it the task would be done twice. `A2A-Version`
and `A2A-Extensions` go through untouched, and so does gRPC.
"""

from sbc.model.http import Request
from sbc.protocols.a2a.calls import Verb, call_of
from sbc.protocols.a2a.reading import SENDING, CallReading, CardReading, TaskReading
from sbc.protocols.grpc import GrpcReading, is_call
from sbc.protocols.protocol import Protocol, Reading


class A2A(Protocol):
    """The protocol `a2a`. deduplicates: the agent knows a message that it was sent twice again by its messageId, and
    does not act on it twice. prefix: the path of the route."""

    def __init__(self, *, deduplicates: bool = False, prefix: str = "/") -> None:
        self._deduplicates = deduplicates
        self._prefix = prefix

    def wants_body(self, request: Request) -> bool:
        if request.method != b"POST" or request.first(b"content-encoding") not in (None, b"identity"):
            return False
        content_type = (request.first(b"content-type") or b"").lower()
        return not content_type.startswith(b"application/grpc") and b"json" in content_type

    def read(self, request: Request, body: bytes | None) -> Reading:
        call = call_of(request, body)
        if call is None:
            return GrpcReading(request, body) if is_call(request) else Reading(request, body)
        if call.verb is Verb.CARD:
            return CardReading(request, body, call, self._prefix)
        if call.verb in SENDING or call.verb is Verb.SUBSCRIBE:
            return TaskReading(request, body, call, self._deduplicates)
        return CallReading(request, body, call, self._deduplicates)
