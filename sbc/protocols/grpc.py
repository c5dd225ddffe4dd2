"""gRPC over HTTP/2 and HTTP/3, as far as a proxy has to know it: how a call ends that cannot go on.

A call is told apart by its content type. It is one request and one answer whose bodies are streams of messages, open
for as long as both sides like; how it went is said by trailers (`grpc-status`), or by the head of an answer that has
nothing else ("Trailers-Only", gRPC over HTTP2, "Responses"). A client whose stream ends without a status reports a
fault of the transport; with the status UNAVAILABLE it knows that the call failed and why. So a call whose node is lost
ends with that status: it cannot be taken for a complete answer, for only status 0 is one. HTTP/1.1 has no trailers
that a client must read: there, and behind an answer that is not gRPC, it is cut like any other.
"""

from collections.abc import Callable
from typing import Final

from sbc.model.errors import Refusal
from sbc.model.http import Request, Response
from sbc.protocols.protocol import Conversation, LastWords, Reading

CONTENT_TYPE: Final = b"application/grpc"
UNAVAILABLE: Final = 14
_UNKNOWN: Final = 2
_STATUS: Final = {
    400: 3, 401: 16, 403: 7, 404: 5, 409: 10, 413: 8, 429: 8, 431: 8, 502: UNAVAILABLE, 503: UNAVAILABLE, 504: 4,
}  # fmt: skip
"""What a refusal is to a gRPC client."""
_MESSAGE: Final = bytes(octet for octet in range(0x20, 0x7F) if octet != ord("%"))
"""What of a `grpc-message` stands for itself; the rest is percent-encoded."""
_LOST: Final = "the agent was lost; it may have acted on this"
_CUT: Final = "the agent was lost; the answer is incomplete"


def is_grpc(content_type: bytes | None) -> bool:
    """Whether this is a call's or an answer's. gRPC-Web has its trailers in the body, and is none."""
    kind = (content_type or b"").partition(b";")[0].rstrip().lower()
    return kind == CONTENT_TYPE or kind.startswith(CONTENT_TYPE + b"+")


class GrpcReading(Reading):
    """One call."""

    __slots__ = ("_answers",)

    events = False
    endless = True

    def __init__(self, request: Request, body: bytes | None) -> None:
        super().__init__(request, body)
        self._answers = False
        """Whether what the client is given is an answer whose end trailers tell."""

    def answered(self, response: Response, token: Callable[[], bytes], conversation: Conversation) -> Response:
        self._answers = is_grpc(response.first(b"content-type")) and response.length is None
        return response

    @property
    def _has_trailers(self) -> bool:
        return not self.request.version.startswith("1")

    def last_words(self, *, begun: bool) -> LastWords:
        if not self._has_trailers or (begun and not self._answers):
            return super().last_words(begun=begun)
        if begun:
            return LastWords(b"", True, trailers=_status(UNAVAILABLE, _CUT))
        return LastWords(b"", True, CONTENT_TYPE, 200, _status(UNAVAILABLE, _LOST))

    def refusal(self, refused: Refusal) -> tuple[Response, bytes] | None:
        if not self._has_trailers:
            return None
        status = _STATUS.get(refused.status, _UNKNOWN)
        return Response(200, [(b"content-type", CONTENT_TYPE), *_status(status, refused.detail)]), b""


def _status(status: int, message: str) -> tuple[tuple[bytes, bytes], ...]:
    text = b"".join(
        bytes((octet,)) if octet in _MESSAGE else b"%%%02X" % octet for octet in message.encode("utf-8", "replace")
    )
    return (b"grpc-status", b"%d" % status), (b"grpc-message", text)


def is_call(request: Request) -> bool:
    """Whether a request is a call."""
    return request.method == b"POST" and is_grpc(request.first(b"content-type"))
