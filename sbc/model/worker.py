"""One of the workers of an edge, as it knows itself and the others."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Worker:
    number: int
    """From 0: its place in every SO_REUSEPORT group, and the first byte of its QUIC connection ids."""
    count: int
    """How many there are."""
    directory: str
    """Where the sockets are at which workers reach each other; nobody else can."""

    def socket(self, number: int) -> Path:
        """The path of the Unix stream socket of a worker."""
        return Path(self.directory) / f"{number}.sock"
