"""What a fault of a configuration is, and how it reads.

Every line says where, what, and what would be right:
`file:line:column: dotted.path: what (got X); what would be right`.
"""

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

Path = tuple[str | int, ...]
"""Keys and list positions, from the root of the configuration."""

FAULTS_SHOWN: Final = 200
SHOWN_LENGTH: Final = 60
COMPARED_LENGTH: Final = 64
NOT_HERE: Final = "known, but not available in this version"

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}")
_PASSWORD = re.compile(r"://[^/@\s]*@")


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the text; both numbers begin at 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong, and where."""

    position: Position
    path: str
    text: str

    def line(self, name: str) -> str:
        """The fault as operators read it; `name` is the file's."""
        place = f"{name}:{self.position.line}:{self.position.column}: "
        return place + (f"{self.path}: {self.text}" if self.path else self.text)


class Wrong(ValueError):
    """A value that cannot be used: what is wrong with it, and what would be right."""

    def __init__(self, what: str, right: str) -> None:
        super().__init__(f"{what}; {right}")
        self.what = what
        self.right = right


class Missing(Exception):
    """Marks the absence of a value where `None` is one that can be written."""


def fault(position: Position, path: Path, what: str, right: str, got: Any = Missing) -> Fault:
    """A fault with its text in the order that all of them have."""
    shown = "" if got is Missing else f" (got {show(got)})"
    return Fault(position, dotted(path), f"{what}{shown}; {right}")


def lines(faults: Iterable[Fault], name: str) -> list[str]:
    """The faults in the order of their places, each once, at most FAULTS_SHOWN of them."""
    ordered = sorted(set(faults))
    shown = [fault.line(name) for fault in ordered[:FAULTS_SHOWN]]
    if len(ordered) > FAULTS_SHOWN:
        last = ordered[FAULTS_SHOWN]
        shown.append(last.line(name).split(": ", 1)[0] + f": and {len(ordered) - FAULTS_SHOWN} more; mend these first")
    return shown


def show(value: Any) -> str:
    """A value as one short line, whatever it holds."""
    match value:
        case dict():
            return "a mapping" if value else "an empty mapping"
        case list():
            return "a list" if value else "an empty list"
        case _:
            # Faults go to logs: whoever writes a password into a URL shall not find it there.
            text = _PASSWORD.sub("://***@", json.dumps(value, ensure_ascii=True))
            return text if len(text) <= SHOWN_LENGTH else text[:SHOWN_LENGTH] + "..."


def dotted(path: Path) -> str:
    """A path as one word; keys that would be misread are quoted."""
    return ".".join(str(step) if isinstance(step, int) or _PLAIN_KEY.fullmatch(step) else show(step) for step in path)


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The known word that was probably meant."""
    if len(word) > COMPARED_LENGTH:
        return None
    close = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return close[0] if close else None


def one_of(word: str, known: Sequence[str]) -> str:
    """What would have been right instead of `word`: the nearest known word, else all of them."""
    meant = nearest(word, known)
    if meant is not None:
        return f'did you mean "{meant}"?'
    return "one of " + ", ".join(known) if known else "nothing is known here"
