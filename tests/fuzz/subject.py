"""What is fuzzed: a parser, what it may do with whatever comes, and a few inputs to begin with."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Subject:
    """One parser."""

    name: str
    run: Callable[[bytes], None]
    """Reads the input. Raises whatever must never be raised, an AssertionError among them."""
    seeds: tuple[bytes, ...]


def in_pieces(data: bytes, salt: int) -> Iterable[bytes]:
    """The input cut at places that it decides itself."""
    at = 0
    step = salt + len(data)
    while at < len(data):
        step = (step * 1103515245 + 12345) & 0x7FFFFFFF
        size = 1 + (step >> 16) % (3 if step & 0x8000 else 40)
        yield data[at : at + size]
        at += size


def salt_of(data: bytes) -> int:
    """A number of the input's own."""
    return sum(data[:64]) + len(data)
