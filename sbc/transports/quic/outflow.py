"""What an HTTP/3 connection writes: datagrams, which its engine makes of all that was ordered in one turn of the loop.

There is a compiled twin, as of the class that it comes from.
"""

from typing import Protocol

from sbc.transports.outflow import Outflow


class Well(Protocol):
    """The connection."""

    def pour(self) -> None:
        """Send what the engine has to send now."""

    def part(self) -> None:
        """The last words are sent."""


class DatagramOutflow(Outflow):
    """The writing side of one HTTP/3 connection."""

    __slots__ = ()

    _spring: Well

    def flush(self) -> None:
        """Write what there is to write, as far as the socket takes it."""
        self.scheduled = False
        if self.shut:
            return
        if not self._choked:
            self._spring.pour()
        if self.ending:
            self.shut = True
            self._spring.part()
        elif self._waiting:
            self._hold_back()
