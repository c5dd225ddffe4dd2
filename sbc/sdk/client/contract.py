"""What a client and an edge owe each other over the loss of a connection (docs/DESIGN.md sections 5.3 and 5.5). No I/O.

A client that comes back says which session it means (its token) and how many messages it has; the edge answers with
how many it has in turn, says again what the client lacks, and tells what it no longer can.
"""

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from sbc.model.errors import CloseCode, SbcError

LATER = 1.0
"""Seconds before the next attempt where the edge does not say."""

Span = tuple[float, float]
"""Wait for so many seconds: at least, at most. The choice is random, as many clients are told the same at once."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a client keeps to come back to its session, from another process too."""

    token: str
    received: int
    """How many of the session's messages it was given, those lost in a gap among them."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A hole in the conversation, told at the place where it is."""

    lost: int = 0
    """Messages of the agent's that will never come."""
    unsaid: int = 0
    """Messages of the caller's that the edge had, and has lost."""


class SessionEnded(SbcError):
    """The session is over. code: a close code (docs/DESIGN.md section 5.5), or the HTTP status that said so."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}".rstrip())
        self.code = code
        self.reason = reason


class Refused(SbcError):
    """An edge has answered a hello with an HTTP status. retry_after: seconds, None if it said nothing of them."""

    def __init__(self, status: int, reason: str, retry_after: float | None = None) -> None:
        super().__init__(f"{status} {reason}".rstrip())
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class Unreachable(SbcError):
    """No transport leads to the edge."""


def hello_fields(ticket: Ticket | None) -> dict[str, str]:
    """What a hello says of the session that it is for."""
    return {} if ticket is None else {"session-id": ticket.token, "session-received": str(ticket.received)}


@dataclass(frozen=True, slots=True)
class Welcome:
    """How an edge has answered."""

    token: str
    received: int | None
    """How many of the client's messages it has; None: the session is a new one."""
    gap: int
    """How many messages it cannot say again."""
    expires: float | None
    """For how many seconds it knows who the client is; None: for good."""


def read_welcome(fields: Mapping[str, str]) -> Welcome:
    """Read the answer to a hello. Raises Refused if nobody who speaks this contract can have given it."""
    try:
        received, expires = fields.get("session-received"), fields.get("session-expires")
        return Welcome(fields["session-id"], None if received is None else int(received),
                       int(fields.get("session-gap", 0)), None if expires is None else float(expires))
    except (KeyError, ValueError):
        raise Refused(502, "not the answer of an edge: it names no session") from None


def refusal(status: int, fields: Mapping[str, str], body: bytes) -> Refused:
    """What an HTTP answer that opens nothing says."""
    reason = body.decode(errors="replace").strip()[:500]
    with contextlib.suppress(ValueError, KeyError, TypeError):
        reason = str(json.loads(body)["error"]["message"])
    wait = fields.get("retry-after", "")
    return Refused(status, reason, float(wait) if wait.isascii() and wait.isdigit() else None)


def after_close(code: int, reason: str) -> Span | None:
    """When to come back after a connection ended so; None: the session is over."""
    told = re.search(r"retry_after=(\d+(?:\.\d+)?)", reason)
    wait = float(told[1]) if told else None
    match code:
        case CloseCode.ABNORMAL | CloseCode.NO_STATUS | CloseCode.GOING_AWAY:
            return 0.0, 0.0
        case CloseCode.RESTART:
            return 0.0, wait or 0.0  # at once, but not all at once
        case CloseCode.TRY_LATER | CloseCode.BAD_GATEWAY if "gap=" not in reason:
            wait = LATER if wait is None else wait
            return wait, wait * 1.5
        case _:
            return None


def after_refusal(refused: Refused, *, returning: bool) -> Span | None:
    """When to try again after a refusal; None: never. returning: whether the session stands already.

    What a server failed at without saying when to come back may have reached a node: a new session is not asked for
    again. One that stands is the same session however often it is asked for.
    """
    if refused.retry_after is not None and refused.status in (409, 429, 503):
        return refused.retry_after, refused.retry_after * 1.5
    return (0.0, 0.0) if returning and refused.status >= 500 else None
