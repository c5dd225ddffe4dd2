"""What pages of other origins may do through the edge (Fetch Standard, section "CORS protocol").

Who may, the nodes say; their `Access-Control-*` fields pass as they are. But of the edge's own fields they know
nothing: a preflight that asks for `Session-*` is put to a node without those, and where the node allows the page
anything it is allowed them too; and a page that may read an answer may read the `Session-Id` that the edge adds to it.

A preflight bears no credentials and none of the page's own fields, so it belongs to no session: any node answers it.
"""

from collections.abc import Callable
from typing import Final

from sbc.model.http import Fields, Request, Response, first
from sbc.protocols.protocol import Conversation, Reading

_OWN: Final = b"session-"
_METHOD: Final = b"access-control-request-method"
_ASKED: Final = b"access-control-request-headers"
_ORIGIN: Final = b"access-control-allow-origin"
_ALLOWED: Final = b"access-control-allow-headers"
_EXPOSED: Final = b"access-control-expose-headers"


def is_preflight(request: Request) -> bool:
    """Whether a browser asks what a page may ask."""
    return request.method == b"OPTIONS" and request.first(_METHOD) is not None


class PreflightReading(Reading):
    __slots__ = ("_own",)

    events = False

    def __init__(self, request: Request) -> None:
        super().__init__(request, None)
        self._own = [name for name in _names(request.first(_ASKED)) if name.startswith(_OWN)]
        """The edge's own fields that the page wants to send."""

    def outgoing(self, request: Request, conversation: Conversation) -> Request:
        if self._own:
            rest = [name for name in _names(request.first(_ASKED)) if not name.startswith(_OWN)]
            request.fields = [field for field in request.fields if field[0] != _ASKED]
            if rest:
                request.fields.append((_ASKED, b",".join(rest)))
        return request

    def answered(self, response: Response, token: Callable[[], bytes], conversation: Conversation) -> Response:
        if self._own and first(response.fields, _ORIGIN) is not None:
            response.fields = _with(response.fields, _ALLOWED, self._own)
        return response


def exposed(fields: Fields, added: Fields) -> Fields:
    """An answer's fields with those that the edge adds, which a page may read if it may read the answer."""
    if added and first(fields, _ORIGIN) is not None:
        fields = _with(fields, _EXPOSED, [name for name, _ in added])
    return fields + added


def _with(fields: Fields, name: bytes, more: list[bytes]) -> Fields:
    said = [value for field, value in fields if field == name and value]
    return [*(field for field in fields if field[0] != name), (name, b", ".join([*said, *more]))]


def _names(value: bytes | None) -> list[bytes]:
    return [name.strip().lower() for name in (value or b"").split(b",") if name.strip()]
