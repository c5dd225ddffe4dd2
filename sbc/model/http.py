"""HTTP messages as every version of HTTP carries them: what stands in a head, without its framing."""

from dataclasses import dataclass, field

Fields = list[tuple[bytes, bytes]]
"""Header or trailer fields in the order sent; names in lower case. Never Host, Content-Length, Transfer-Encoding or a
pseudo-header: those are `authority`, `length` and the framing of the connection they are written to."""


def first(fields: Fields, name: bytes) -> bytes | None:
    """The value of the first field of this (lower-case) name."""
    for key, value in fields:
        if key == name:
            return value
    return None


@dataclass  # slotted in its compiled twin alone: Cython knows no other way
class Request:
    """The head of a request, from a client or to a node."""

    method: bytes
    target: bytes
    """Path and query as sent (origin-form), or `*`."""
    authority: bytes
    """What Host or :authority says."""
    fields: Fields
    bodied: bool = False
    """Whether a body follows: False if it is known that there is none."""
    length: int | None = None
    """What Content-Length says of the body."""
    protocol: bytes | None = None
    """RFC 8441 section 4: `:protocol` of an extended CONNECT."""
    version: str = "1.1"
    """By which version of HTTP it came: 1.0, 1.1, 2 or 3."""
    client: str = ""
    """The client's address, without its port."""
    secure: bool = False
    listener: str = ""
    via: tuple[str, ...] = ()
    """The trusted proxies between the client and the edge, the nearest last."""
    certificate: str = ""
    """Whom the client's certificate names (core/certificates.py); empty: it has shown none."""

    @property
    def path(self) -> bytes:
        return self.target.partition(b"?")[0]

    def first(self, name: bytes) -> bytes | None:
        """The value of the first field of this (lower-case) name."""
        return first(self.fields, name)


@dataclass
class Response:
    """The head of an answer."""

    status: int
    fields: Fields = field(default_factory=list)
    length: int | None = None
    """What Content-Length says of the body; to HEAD and with 304: of the body that is not sent."""

    def first(self, name: bytes) -> bytes | None:
        """The value of the first field of this (lower-case) name."""
        return first(self.fields, name)


def plain_request(
    method: bytes, target: bytes, authority: bytes, fields: Fields, bodied: bool, length: int | None, version: str
) -> Request:
    """A request of which no more is known than this, made without its initialiser: with every request that passes two
    are made, and that takes longer than all the rest of it."""
    request: Request = Request.__new__(Request)
    request.method, request.target, request.authority, request.fields = method, target, authority, fields
    request.bodied, request.length, request.version, request.protocol = bodied, length, version, None
    request.client, request.secure, request.listener, request.via, request.certificate = "", False, "", (), ""
    return request


def plain_response(status: int, fields: Fields, length: int | None) -> Response:
    """The same for an answer."""
    response: Response = Response.__new__(Response)
    response.status, response.fields, response.length = status, fields, length
    return response
