"""What came of a request's body: kept so that it can be read by its protocol, or sent again to another node."""

from sbc.model.http import Fields


class Upload:
    """The pieces of a body, within a bound."""

    __slots__ = ("ended", "octets", "pieces", "trailers", "whole")

    def __init__(self, bodied: bool) -> None:
        self.pieces: list[bytes] | None = None
        """None: there are none."""
        self.octets = 0
        """How many bytes came."""
        self.ended = not bodied
        """Whether the client has said all."""
        self.whole = True
        """Whether all that came is still here."""
        self.trailers: Fields | None = None

    def add(self, data: bytes) -> None:
        self.octets += len(data)
        if self.whole:
            if self.pieces is None:
                self.pieces = []
            self.pieces.append(data)

    def count(self, data: bytes) -> None:
        """A piece came that was passed on and need not be kept: the body cannot be said again."""
        self.octets += len(data)
        self.drop()

    def drop(self) -> None:
        """Keep nothing of it any more; an empty body is always here."""
        self.pieces = None
        self.whole = self.octets == 0

    def end(self, trailers: Fields) -> None:
        self.ended, self.trailers = True, trailers

    @property
    def body(self) -> bytes:
        """All that is here."""
        if not self.pieces:
            return b""
        if len(self.pieces) > 1:
            self.pieces = [b"".join(self.pieces)]
        return self.pieces[0]

    @property
    def length(self) -> int | None:
        """What Content-Length can say of it when it is sent (again); None: it has to go in chunks."""
        return self.octets if self.ended and not self.trailers else None
