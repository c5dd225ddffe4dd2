"""What takes the pieces of bodies that are sent on streams: the base of all engines, of HTTP/2 and HTTP/3.

A class, and not a part of their protocol alone (engine.py), so that the compiled writing side of a connection
(transports/outflow.py) makes a plain call of what it does for every event of every stream. There is a compiled twin.
"""


class Sending:
    """Queues what is sent."""

    __slots__ = ()

    def send(self, stream: int, data: bytes) -> None:
        """See StreamOrders."""
        raise NotImplementedError
