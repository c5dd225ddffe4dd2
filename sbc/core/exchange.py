"""How far an exchange has come, and what becomes of it when its node is lost.

    WAITING ──sent──> SENT ──head of the answer──> ANSWERING ──end──> ANSWERED
       ^               |  safe, or replayed: the next owner gets it again
       └───────────────┘  else nobody can know: the client is told so
"""

from enum import Enum


class Stage(Enum):
    WAITING = "waiting"
    """Not sent to any node, or certainly not acted on."""
    SENT = "sent"
    """A node may have acted on it; no word of an answer yet."""
    ANSWERING = "answering"
    """The client has been given the head of an answer."""
    ANSWERED = "answered"


WAITING, SENT, ANSWERING, ANSWERED = Stage
"""The same, looked up once: what is found in an enum by its name is found slowly."""


class Fate(Enum):
    REPEAT = "repeat"
    """The next owner is sent the whole request."""
    RESUME = "resume"
    """The next owner is asked for the rest of the answer."""
    TELL = "tell"
    """The client is told that the outcome is unknown, or that its answer ends here."""


def fate(stage: Stage, *, whole: bool, safe: bool, replayed: bool, resumable: bool) -> Fate:
    """What becomes of an exchange whose node is lost (docs/DESIGN.md P2).

    whole: all of the request that was taken from the client is still here. safe: its protocol says that it may be
    sent twice. replayed: its former owner's checkpoint does not cover it, or the manifest has everything replayed.
    resumable: its protocol knows how to ask for the rest of an answer.
    """
    match stage:
        case Stage.WAITING:
            return Fate.REPEAT if whole else Fate.TELL
        case Stage.SENT:
            return Fate.REPEAT if whole and (safe or replayed) else Fate.TELL
        case Stage.ANSWERING:
            if replayed and whole:
                return Fate.REPEAT
            return Fate.RESUME if resumable else Fate.TELL
        case Stage.ANSWERED:
            return Fate.TELL
