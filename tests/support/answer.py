"""An answer as a client has it by now, the same for the versions of HTTP with streams."""

Fields = list[tuple[bytes, bytes]]


class Answer:
    """What came on a stream."""

    def __init__(self) -> None:
        self.interims: list[Fields] = []
        self.fields: dict[bytes, bytes] = {}
        self.body = b""
        self.trailers: dict[bytes, bytes] = {}
        self.complete = False
        self.reset: int | None = None
        self.stopped: int | None = None
        """The code by which the edge asked for no more of the request."""

    @property
    def status(self) -> int:
        return int(self.fields.get(b":status", b"0"))

    @property
    def over(self) -> bool:
        return self.complete or self.reset is not None
